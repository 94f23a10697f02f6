import { Cli, type GlobalOptions } from "./cli.js";
import { type CliCommand, isHelpInstead, isShown, UsageError } from "./command.js";
import { refuseOtherEncodings } from "./encoding.js";
import { exitCodes } from "./exit-codes.js";
import { failureOf } from "./failure.js";
import { hintFor } from "./hints.js";
import type { Io } from "./io.js";
import { createProgram, nounIn, nounNames, refuseCommand } from "./program.js";
import { type Style, styleOf } from "./style.js";

/**
 * Runs one command line (without the words `node` and `portway`) and gives its exit code. Everything that it prints
 * goes through `io`; it never throws.
 */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  let code: number = exitCodes.success;
  try {
    refuseOtherEncodings(argv);
    const noun = nounIn(argv);
    refuseCommand(noun);
    const loaded = noun === "completion" ? nounNames : noun === undefined ? [] : [noun];
    const program = await createProgram(
      io,
      {
        run: async (command, load, options, args) => {
          const globals = globalsOf(command);
          if (globals.testArgumentParser) return;
          await using cli = new Cli(io, globals);
          if (globals.pretty) cli.notices.warn("--pretty is deprecated: JSON is printed so without it");
          const action = await load();
          await cli.output.checkQuery();
          const given = await action(cli, options as never, ...args);
          code = given ?? exitCodes.success;
        },
      },
      loaded,
    );
    await program.parseAsync([...argv], { from: "user" });
    return code;
  } catch (error) {
    if (isShown(error)) return exitCodes.success;
    if (isHelpInstead(error)) return exitCodes.usage;
    const style = styleOf(io.stderr, io.env, !argv.includes("--no-color"));
    if (error instanceof UsageError) return tellUsage(error, io, style);
    return await tellFailure(error, io, style);
  }
}

interface AllGlobalOptions extends GlobalOptions {
  readonly pretty?: boolean;
  readonly testArgumentParser?: boolean;
}

function globalsOf(command: CliCommand): AllGlobalOptions {
  return command.optsWithGlobals<AllGlobalOptions>();
}

function tellUsage(error: UsageError, io: Io, style: Style): number {
  const lines = [`${style.red("error:")} ${error.message}`];
  if (error.tip !== undefined) lines.push(`${style.green("tip:")} ${error.tip}`);
  lines.push("", `Usage: ${error.usage}`, "", "For more information, try '--help'.");
  io.stderr.write(`${lines.join("\n")}\n`);
  return exitCodes.usage;
}

async function tellFailure(error: unknown, io: Io, style: Style): Promise<number> {
  const failure = await failureOf(error);
  const lines = [
    `${style.red("error:")} ${failure.message}`,
    ...failure.details.map((detail) => `  ${detail}`),
  ];
  const hint = hintFor(failure.reason);
  if (hint !== undefined) lines.push(`${style.cyan("hint:")} ${hint}`);
  io.stderr.write(`${lines.join("\n")}\n`);
  return failure.exitCode;
}
