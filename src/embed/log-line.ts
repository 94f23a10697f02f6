import { type Log, type LogEvent, type LogFacts, silentLog } from "../base/log.js";

/** What happened, as `noun.verb`, and its facts. Payloads are never among them. */
export interface LogLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly event: LogEvent;
  readonly facts: LogFacts;
}

export function createLog(onLog: ((line: LogLine) => void) | undefined): Log {
  if (onLog === undefined) return silentLog;
  const at =
    (level: LogLine["level"]) =>
    (event: LogEvent, facts: LogFacts = {}): void =>
      onLog({ level, event, facts });
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}
