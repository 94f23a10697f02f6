import { PortwayError } from "../base/errors.js";

/** The first byte of a portal payload: ockam-facts.md 6.1. */
export const kind = { ping: 0, pong: 1, disconnect: 2, payload: 3 } as const;

/** The most data that one message may carry; what a plain Ockam end reads at a time. */
export const maxDataBytes = 48 * 1024;

/** Bytes to keep free in front of data, so that its head, and a frame's, can be written where it lies. */
export const headRoomBytes = 512;

export const ping = Buffer.of(kind.ping);
export const pong = Buffer.of(kind.pong);
export const disconnect = Buffer.of(kind.disconnect);

export type PortalMessage =
  | {
      readonly kind: "ping" | "pong" | "disconnect" /** Bytes behind the first: extensions live there. */;
      readonly rest: Buffer;
    }
  | { readonly kind: "payload"; readonly data: Buffer; readonly counter: number | undefined };

/**
 * What a portal payload says. The data is a view. Bytes behind a ping, pong or disconnect are kept; behind the data
 * and its counter they are ignored. Throws `malformed` for no bytes, an unknown first byte, and a length beyond the
 * end.
 */
export function decodePortalMessage(payload: Buffer): PortalMessage {
  switch (payload[0]) {
    case kind.ping:
      return { kind: "ping", rest: payload.subarray(1) };
    case kind.pong:
      return { kind: "pong", rest: payload.subarray(1) };
    case kind.disconnect:
      return { kind: "disconnect", rest: payload.subarray(1) };
    case kind.payload:
      return decodeData(payload);
    default:
      throw new PortwayError("malformed", `a portal message can't begin with ${payload[0] ?? "nothing"}`);
  }
}

function decodeData(payload: Buffer): PortalMessage {
  let length = 0;
  let at = 1;
  for (let scale = 1; ; scale *= 0x80) {
    const byte = payload[at];
    if (byte === undefined || at > 10)
      throw new PortwayError("malformed", "a portal payload has no proper length");
    at += 1;
    length += (byte & 0x7f) * scale;
    if (byte < 0x80) break;
  }
  const end = at + length;
  if (end > payload.byteLength) {
    const there = payload.byteLength - at;
    throw new PortwayError("malformed", `a portal payload says ${length} bytes and has ${there}`, {
      length,
      there,
    });
  }
  // A counter counts only with all three bytes, and one that does not begin with 1 is none: as Ockam reads it.
  const counted = payload.byteLength - end >= 3 && payload[end] === 1;
  const counter = counted ? payload.readUInt16LE(end + 1) : undefined;
  return { kind: "payload", data: payload.subarray(at, end), counter };
}

/**
 * Makes a payload of the `length` bytes of data at `at`, by writing its head in front of them, where headRoomBytes
 * must be free. No counter is written, as Ockam's ends do not.
 */
export function payloadInPlace(buffer: Buffer, at: number, length: number): Buffer {
  const start = at - 1 - (length < 0x80 ? 1 : length < 0x4000 ? 2 : 3);
  let next = start;
  buffer[next++] = kind.payload;
  let rest = length;
  while (rest >= 0x80) {
    buffer[next++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  buffer[next] = rest;
  return buffer.subarray(start, at + length);
}
