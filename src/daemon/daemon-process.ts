import { messageOf, PortwayError } from "../base/errors.js";
import { version } from "../base/version.js";
import { readConfig, type ServeFlags } from "./config.js";
import { type DaemonOptions, runDaemon } from "./daemon.js";
import { type ExitCode, ExitError, exitCodes } from "./exit-error.js";

/** Long enough for what is about to end, short enough for who waits for the process. */
const lingerMs = 1_000;

export interface DaemonProcessOptions {
  readonly flags: ServeFlags;
  readonly createEngine: DaemonOptions["createEngine"];
}

/**
 * The daemon: runs in this process until it is told to end, and gives the exit code of the process (exit-error.ts).
 * What is wrong is said on standard error. Call it once in a process: it takes over its signals.
 */
export async function runDaemonProcess(options: DaemonProcessOptions): Promise<ExitCode> {
  const exitCode = await run(options);
  // Nothing is left that could hold the process. If something does, that is a fault, and not the user's to wait for.
  setTimeout(() => process.exit(exitCode), lingerMs).unref();
  return exitCode;
}

async function run({ flags, createEngine }: DaemonProcessOptions): Promise<ExitCode> {
  try {
    return await runDaemon({ config: readConfig(flags), version, createEngine });
  } catch (error) {
    const told =
      error instanceof ExitError ? error.message : `the daemon does not start: ${messageOf(error)}`;
    process.stderr.write(`portway serve: ${told}\n`);
    return exitCodeOf(error);
  }
}

function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof ExitError) return error.exitCode;
  if (!(error instanceof PortwayError)) return exitCodes.internal;
  switch (error.code) {
    case "insecure":
    case "bad_argument":
    case "malformed":
      return exitCodes.configuration;
    case "address_in_use":
      // Who serves the socket of a home is its daemon; an address of TCP may be anybody's.
      return error.facts["path"] === undefined ? exitCodes.cannotCreate : exitCodes.unavailable;
    case "address_not_available":
    case "port_privileged":
      return exitCodes.cannotCreate;
    default:
      return exitCodes.internal;
  }
}
