import { writeSync } from "node:fs";
import { constants } from "node:os";
import { inspect } from "node:util";
import type { Log } from "../base/log.js";
import type { DaemonLogs } from "./daemon-logs.js";
import type { Ending } from "./ending.js";
import { exitCodes } from "./exit-error.js";

export interface ProcessEventsOptions {
  readonly ending: Ending;
  readonly logs: DaemonLogs;
  readonly log: Log;
  /** How long open sessions may take after a signal. */
  readonly drainTimeoutMs: number;
  /** Undoes what must not stay when the process ends without an order; synchronous. */
  readonly atExit: () => void;
  /** Standard error is somebody's. */
  readonly hasStderr: boolean;
}

/**
 * What comes to the process from outside: SIGTERM and SIGINT end it in order, the second of them at once; SIGHUP opens
 * the logs again. And from below: what nobody caught is logged and ends the process, since nobody knows what state it
 * left. As process 1 of a container these handlers are what makes signals work at all.
 */
export function handleProcessEvents(options: ProcessEventsOptions): void {
  const { ending, logs, log, drainTimeoutMs, atExit, hasStderr } = options;
  let signals = 0;
  const onSignal = (signal: NodeJS.Signals): void => {
    signals += 1;
    if (signals > 1) {
      log.warn("daemon.killed", { signal });
      process.exit(128 + constants.signals[signal]);
    }
    ending.begin({ why: "signal", by: signal, drainTimeoutMs });
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  process.on("SIGHUP", () => {
    logs.reopen();
    log.info("log.reopened");
  });
  process.on("uncaughtException", (error, origin) => {
    log.error("daemon.crashed", { origin, error });
    if (hasStderr) tell(`portway: a fault of ours (${origin}); the daemon ends\n${inspect(error)}\n`);
    process.exit(exitCodes.internal);
  });
  process.on("exit", atExit);
  // Nobody reads it any more: no reason to end.
  process.stderr.on("error", () => {});
}

/** At once: the process is about to end. */
function tell(text: string): void {
  try {
    writeSync(2, text);
  } catch {
    // the log has it
  }
}
