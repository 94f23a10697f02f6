/** A log line is an event and its facts. Payloads and tokens are never among them. */
export interface Log {
  debug(event: LogEvent, facts?: LogFacts): void;
  info(event: LogEvent, facts?: LogFacts): void;
  warn(event: LogEvent, facts?: LogFacts): void;
  error(event: LogEvent, facts?: LogFacts): void;
}

/** Stable, `noun.verb`: "connection.opened". */
export type LogEvent = `${string}.${string}`;
export type LogFacts = Readonly<Record<string, unknown>>;

const nothing = (): void => {};

/** Takes no notice. */
export const silentLog: Log = {
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
};
