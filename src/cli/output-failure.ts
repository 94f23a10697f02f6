import { exitCodes } from "./exit-codes.js";

/**
 * Takes the errors of an output, which come after the write. A reader that has gone (`| head -1`) is no failure of
 * ours, and of standard error nothing more can be said. That standard output takes nothing (a full disk) is told once,
 * and makes the exit code of the process a failure, unless `isVital` says by then that the output is not what the
 * process is for.
 */
export function handleOutputFailure(stream: NodeJS.WriteStream, isVital: () => boolean = () => true): void {
  let isTold = false;
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE" || stream === process.stderr || isTold) return;
    isTold = true;
    process.once("exit", () => {
      if (isVital()) process.exitCode = exitCodes.failure;
    });
    process.stderr.write(`error: standard output can't be written: ${error.message}\n`);
  });
}
