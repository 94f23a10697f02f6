import { type Logger, pino, stdTimeFunctions } from "pino";
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
  return new PinoLog(logger, boundFacts(facts));
}

class PinoLog implements Log {
  readonly #logger: Logger;
  /** Not given to a child of pino's, which would write a name twice that an event has as well. */
  readonly #facts: Readonly<Record<string, unknown>>;

  constructor(logger: Logger, facts: Readonly<Record<string, unknown>>) {
    this.#logger = logger;
    this.#facts = facts;
  }

  debug(event: LogEvent, facts?: LogFacts): void {
    this.#write("debug", event, facts);
  }

  info(event: LogEvent, facts?: LogFacts): void {
    this.#write("info", event, facts);
  }

  warn(event: LogEvent, facts?: LogFacts): void {
    this.#write("warn", event, facts);
  }

  error(event: LogEvent, facts?: LogFacts): void {
    this.#write("error", event, facts);
  }

  with(facts: LogFacts): Log {
    return new PinoLog(this.#logger, { ...this.#facts, ...boundFacts(facts) });
  }

  #write(level: LogLevel, event: LogEvent, facts: LogFacts | undefined): void {
    if (this.#logger.isLevelEnabled(level)) this.#logger[level](logLine(this.#facts, event, facts));
  }
}
