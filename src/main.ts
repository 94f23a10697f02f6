#!/usr/bin/env node
import { version } from "./base/version.js";
import { exitCodes } from "./cli/exit-codes.js";
import { runtimeProblem } from "./cli/node-version.js";
import { handleOutputFailure } from "./cli/output-failure.js";

const words = process.argv.slice(2);
const problem = runtimeProblem(process.versions.node);

// The version is asked for by scripts at every start: it costs nothing but this file and what it imports.
if (words.length === 1 && (words[0] === "--version" || words[0] === "-V")) {
  handleOutputFailure(process.stdout);
  process.stdout.write(`portway ${version}\n`);
} else if (problem !== undefined) {
  process.stderr.write(`error: ${problem} (${process.execPath})\n`);
  process.exitCode = exitCodes.failure;
} else {
  const { run } = await import("./cli/run.js");
  const { createProcessIo } = await import("./cli/process-io.js");
  const io = createProcessIo({
    serve: async (options) => {
      const { serve } = await import("./daemon/serve.js");
      return await serve(options);
    },
  });
  // The process ends by itself when its output has left; an exit would cut that off.
  process.exitCode = await run(words, io);
}
