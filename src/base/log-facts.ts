import type { LogEvent, LogFacts } from "./log.js";

const maxDepth = 5;
const maxEntries = 100;
const maxCharacters = 8_192;
const redacted = "[redacted]";

/** What ends in one of these words is not for a log, however it came there: `apiToken`, `payload`, not `tokenPath`. */
const secretWords: ReadonlySet<string> = new Set([
  "token",
  "payload",
  "authorization",
  "cookie",
  "password",
  "secret",
]);
const reserved: ReadonlySet<string> = new Set(["level", "time", "event"]);

/**
 * One line of a log as data that JSON can hold: secrets left out, bytes as their number, errors with their causes,
 * bounded in depth, width and length, whatever the facts are. A fact with the name of a field of the line gets a `_`;
 * one with the name of a fact in `bound` takes its place.
 */
export function logLine(
  bound: Readonly<Record<string, unknown>>,
  event: LogEvent,
  facts: LogFacts | undefined,
): Record<string, unknown> {
  return { event, ...bound, ...boundFacts(facts) };
}

/** Facts as such data, for what every line of a log carries. */
export function boundFacts(facts: LogFacts | undefined): Record<string, unknown> {
  const kept: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(facts ?? {})) {
    const bounded = bound(name, value, 0);
    if (bounded !== undefined) kept[reserved.has(name) ? `${name}_` : name] = bounded;
  }
  return kept;
}

function bound(name: string, value: unknown, depth: number): unknown {
  switch (typeof value) {
    case "number":
    case "boolean":
      return value;
    case "bigint":
      return isSecret(name) ? redacted : String(value);
    case "string":
      return isSecret(name) ? redacted : cut(value);
    case "object":
      return value === null ? null : isSecret(name) ? redacted : boundObject(value, depth);
    default:
      return undefined;
  }
}

function boundObject(value: object, depth: number): unknown {
  if (ArrayBuffer.isView(value)) return `<${value.byteLength} bytes>`;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "<no date>" : value.toISOString();
  if (depth >= maxDepth) return "…";
  if (value instanceof Error) return boundError(value, depth);
  if (Array.isArray(value)) {
    const items = value.slice(0, maxEntries).map((item) => bound("", item, depth + 1) ?? null);
    return value.length > maxEntries ? [...items, `… ${value.length - maxEntries} more`] : items;
  }
  const kept: Record<string, unknown> = {};
  for (const [name, item] of Object.entries(value).slice(0, maxEntries)) {
    const bounded = bound(name, item, depth + 1);
    if (bounded !== undefined) kept[name] = bounded;
  }
  return kept;
}

function boundError(error: Error, depth: number): Record<string, unknown> {
  const { code, facts, errors } = error as { code?: unknown; facts?: unknown; errors?: unknown };
  const kept: Record<string, unknown> = { name: error.name, message: cut(error.message) };
  if (typeof code === "string" || typeof code === "number") kept["code"] = code;
  if (typeof facts === "object" && facts !== null) kept["facts"] = bound("", facts, depth + 1);
  if (error.stack !== undefined) kept["stack"] = cut(error.stack);
  if (error.cause !== undefined) kept["cause"] = bound("", error.cause, depth + 1);
  if (Array.isArray(errors)) kept["errors"] = bound("", errors, depth + 1);
  return kept;
}

function cut(text: string): string {
  if (text.length <= maxCharacters) return text;
  return `${text.slice(0, maxCharacters)}… ${text.length - maxCharacters} more characters`;
}

function isSecret(name: string): boolean {
  const lastWord = /[A-Za-z][a-z]*$|[A-Z]+$/.exec(name)?.[0] ?? "";
  return secretWords.has(lastWord.toLowerCase());
}
