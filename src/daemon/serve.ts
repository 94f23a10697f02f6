import { createEngine } from "../node/host.js";
import type { ServeFlags } from "./config.js";
import { runDaemonProcess } from "./daemon-process.js";
import type { ExitCode } from "./exit-error.js";
import { setV8Flags } from "./v8-flags.js";

/**
 * `portway serve`: the daemon, with the engine whose nodes live in this process. See `runDaemonProcess`; the flags and
 * the environment are read in config.ts.
 */
export function serve(flags: ServeFlags): Promise<ExitCode> {
  setV8Flags();
  return runDaemonProcess({ flags, createEngine });
}
