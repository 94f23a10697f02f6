import { PortwayError } from "../base/errors.js";

const unitMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  sec: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/**
 * Milliseconds of a duration such as `10s`, `500ms`, `1m`, `1m 30s`, `0`. A number without a unit is seconds.
 * Throws `bad_argument`.
 */
export function parseDuration(text: string): number {
  const trimmed = text.trim();
  if (/^\d+(\.\d+)?$/.test(trimmed)) return Math.round(Number(trimmed) * 1000);
  if (!/^(\d+(\.\d+)?\s*[a-z]+\s*)+$/.test(trimmed)) throw bad(text);
  let totalMs = 0;
  for (const [, amount, unit] of trimmed.matchAll(/(\d+(?:\.\d+)?)\s*([a-z]+)/g)) {
    const factor = Object.hasOwn(unitMs, unit!) ? unitMs[unit!] : undefined;
    if (factor === undefined) throw bad(text);
    totalMs += Number(amount) * factor;
  }
  return Math.round(totalMs);
}

/** A google.protobuf.Duration, as the generated clients take it. */
export function protoDuration(ms: number): { seconds: bigint; nanos: number } {
  return { seconds: BigInt(Math.floor(ms / 1000)), nanos: Math.round((ms % 1000) * 1e6) };
}

/** Milliseconds of a google.protobuf.Duration. */
export function durationMs(duration: { readonly seconds: bigint; readonly nanos: number }): number {
  return Number(duration.seconds) * 1000 + duration.nanos / 1e6;
}

/** For people: `1.25 ms`, `3.1 s`, `2 min`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Number(ms.toPrecision(3))} ms`;
  if (ms < 120_000) return `${Number((ms / 1000).toPrecision(3))} s`;
  return `${Math.round(ms / 60_000)} min`;
}

function bad(text: string): PortwayError {
  return new PortwayError(
    "bad_argument",
    `"${text}" is not a duration: expected for example 10s, 500ms or 1m`,
    {
      given: text,
    },
  );
}
