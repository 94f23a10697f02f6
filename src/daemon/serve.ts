import { createEngine } from "../node/host.js";
import { compileSooner } from "./compile-sooner.js";
import type { ServeFlags } from "./config.js";
import { runDaemonProcess } from "./daemon-process.js";
import type { ExitCode } from "./exit-error.js";

/**
 * `portway serve`: the daemon, with the engine whose nodes live in this process. See `runDaemonProcess`; the flags and
 * the environment are read in config.ts.
 */
export function serve(flags: ServeFlags): Promise<ExitCode> {
  compileSooner();
  return runDaemonProcess({ flags, createEngine });
}
