import type { Memory } from "../base/bytes.js";
import { PortwayError } from "../base/errors.js";
import { RecentViews } from "../base/recent-views.js";
import { type Backing, Cargo } from "../model/message.js";

/** The first byte of a portal payload. */
export const kind = { ping: 0, pong: 1, disconnect: 2, payload: 3 } as const;

/**
 * The most data that we put in one message. Three such messages fill two whole segments of the loopback interface, with
 * up to 135 bytes of head each: what leaves in one write then does not end in a tiny segment.
 */
export const maxDataBytes = 42.5 * 1024;

/** In the byte behind a ping or a pong: whoever sends it answers a ping in an open session, which Ockam's ends do not. */
const answers = 1;

export const ping = Buffer.of(kind.ping, answers);
export const pong = Buffer.of(kind.pong, answers);
export const disconnect = Buffer.of(kind.disconnect);

export type PortalMessage =
  | {
      readonly kind: "ping" | "pong" | "disconnect";
      /** Bytes behind the first: extensions live there. */
      readonly rest: Buffer;
    }
  | { readonly kind: "payload"; readonly data: Buffer; readonly counter: number | undefined };

/**
 * What the portal payload at `start` to `end` of `bytes` says. The data is a view. Bytes behind a ping, pong or
 * disconnect are kept; behind the data and its counter they are ignored. Throws `malformed` for no bytes, an unknown
 * first byte, and a length beyond the end.
 */
export function decodePortalMessage(bytes: Buffer, start = 0, end = bytes.length): PortalMessage {
  const first = start < end ? bytes[start] : undefined;
  switch (first) {
    case kind.payload:
      return decodeData(bytes, start, end);
    case kind.ping:
      return { kind: "ping", rest: bytes.subarray(start + 1, end) };
    case kind.pong:
      return { kind: "pong", rest: bytes.subarray(start + 1, end) };
    case kind.disconnect:
      return { kind: "disconnect", rest: bytes.subarray(start + 1, end) };
    default:
      throw new PortwayError("malformed", `a portal message can't begin with ${first ?? "nothing"}`);
  }
}

function decodeData(bytes: Buffer, start: number, end: number): PortalMessage {
  let length = 0;
  let at = start + 1;
  for (let scale = 1; ; scale *= 0x80) {
    const byte = at < end ? bytes[at]! : undefined;
    if (byte === undefined || at > start + 10)
      throw new PortwayError("malformed", "a portal payload has no proper length");
    at += 1;
    length += (byte & 0x7f) * scale;
    if (byte < 0x80) break;
  }
  const dataEnd = at + length;
  if (dataEnd > end) {
    const there = end - at;
    throw new PortwayError("malformed", `a portal payload says ${length} bytes and has ${there}`, {
      length,
      there,
    });
  }
  // A counter counts only with all three bytes, and one that does not begin with 1 is none: as Ockam reads it.
  const counted = end - dataEnd >= 3 && bytes[dataEnd] === 1;
  const counter = counted ? bytes.readUInt16LE(dataEnd + 1) : undefined;
  return { kind: "payload", data: views.of(bytes, at, dataEnd), counter };
}

const views = new RecentViews();

/** Whether the end that this ping or pong came from answers pings in an open session. */
export function saysThatItAnswers(signal: Buffer): boolean {
  return ((signal[1] ?? 0) & answers) !== 0;
}

/** The most bytes of head that payloadInPlace writes. */
export const maxPayloadHeadBytes = 4;

/**
 * Makes a payload of the `length` bytes of data at `at`, by writing its head in front of them, where `roomBytes` are
 * free, maxPayloadHeadBytes or more. No counter is written, as Ockam's ends do not.
 */
export function payloadInPlace(
  { bytes, words }: Memory,
  at: number,
  length: number,
  roomBytes: number,
  backing: Backing | undefined,
): Cargo {
  const headBytes = length < 0x80 ? 2 : length < 0x4000 ? 3 : 4;
  const start = at - headBytes;
  let next = start;
  bytes[next++] = kind.payload;
  let rest = length;
  while (rest >= 0x80) {
    bytes[next++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[next] = rest;
  const room = roomBytes - headBytes;
  return new Cargo(bytes, start, at + length, room, undefined, backing, undefined, undefined, words);
}
