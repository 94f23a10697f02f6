import { PortwayError } from "../base/errors.js";
import { formatSocketAddress, parsePeerAddress, parseSocketAddress } from "../model/socket-address.js";
import { parseDuration } from "./duration.js";

/** `host:port` of an argument; `9001` and `:9001` are on 127.0.0.1. Throws, naming the flag. */
export function socketAddressArgument(flag: string, text: string): string {
  return naming(flag, () => formatSocketAddress(parseSocketAddress(text)));
}

/** The same for an address to connect to, whose port can't be 0. */
export function peerAddressArgument(flag: string, text: string): string {
  return naming(flag, () => formatSocketAddress(parsePeerAddress(text)));
}

/** Milliseconds. Throws, naming the flag, for what is no duration or longer than `maxMs`. */
export function durationArgument(flag: string, text: string, maxMs: number): number {
  const ms = naming(flag, () => parseDuration(text));
  if (ms <= maxMs) return ms;
  throw new PortwayError(
    "bad_argument",
    `${flag}: ${text} is too long: at most ${maxMs / 1000} s are possible`,
    {
      given: text,
    },
  );
}

/** The same for how long something may take, where 0 would be no time, and the client takes it for no limit. */
export function timeoutArgument(flag: string, text: string, maxMs: number): number {
  const ms = durationArgument(flag, text, maxMs);
  if (ms > 0) return ms;
  throw new PortwayError("bad_argument", `${flag}: expected more than 0`, { given: text });
}

/** A whole number from `min` to `max`. Throws, naming the flag. */
export function integerArgument(flag: string, text: string, min: number, max: number): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new PortwayError("bad_argument", `${flag}: "${text}" is not a whole number from ${min} to ${max}`, {
    given: text,
  });
}

export function missingArgument(flag: string, expected: string): PortwayError {
  return new PortwayError("bad_argument", `${flag} is missing: ${expected}`, { flag });
}

/** Runs a check of an argument; an error of it says which flag it is about. */
export function naming<T>(flag: string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof PortwayError)) throw error;
    throw new PortwayError(error.code, `${flag}: ${error.message}`, error.facts);
  }
}
