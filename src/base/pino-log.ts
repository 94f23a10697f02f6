import { pino, stdTimeFunctions } from "pino";
import type { Log, LogEvent, LogFacts } from "./log.js";
import { boundFacts, logLine } from "./log-facts.js";

export const logLevels = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof logLevels)[number];

/** Where lines go. A line ends with a newline. It must not throw. */
export interface LogLines {
  write(line: string): void;
}

export interface PinoLogOptions {
  /** Below this nothing is written. */
  readonly level: LogLevel;
  readonly lines: LogLines;
  /** On every line. */
  readonly facts?: LogFacts;
}

/**
 * A log of JSON lines: `level`, `time`, the facts of the log, `event`, the facts of the event. What may be in them is
 * decided in log-facts.ts. The only importer of pino, whose own destinations are not used: they are either
 * asynchronous, and lose lines (or throw) when the process ends, or can't rotate.
 */
export function createPinoLog({ level, lines, facts }: PinoLogOptions): Log {
  const logger = pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    lines,
  );
  // Not given to a child of pino's, which would write a name twice that an event has as well.
  const always = boundFacts(facts);
  const at =
    (one: LogLevel) =>
    (event: LogEvent, given?: LogFacts): void => {
      if (logger.isLevelEnabled(one)) logger[one](logLine(always, event, given));
    };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}
