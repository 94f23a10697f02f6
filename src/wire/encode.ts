import { writeUint32 } from "../base/bytes.js";
import type { Message } from "../model/message.js";
import { lengthBytes } from "./limits.js";
import type { WrittenRoutes } from "./route-memory.js";

/** Bytes of the message's frame, its length included. */
export function frameBytes(message: Message): number {
  return headBytes(message) + message.payloadBytes + tailBytes(message);
}

/** Bytes of the frame in front of the payload. */
export function headBytes({ onward, return: back, payloadBytes }: Message): number {
  return (
    lengthBytes +
    1 +
    headSize(onward.length) +
    onward.byteLength +
    headSize(back.length) +
    back.byteLength +
    headSize(payloadBytes)
  );
}

/** Bytes of the frame behind the payload. */
export function tailBytes({ trace }: Message): number {
  return trace === undefined ? 0 : headSize(trace.length) + trace.length;
}

/**
 * Writes all of the frame that precedes the payload; gives the position behind it. `bytes` are the frame's, for a
 * caller who has them already; `known` are routes that were written before.
 */
export function writeHead(
  target: Buffer,
  at: number,
  message: Message,
  bytes = frameBytes(message),
  known?: WrittenRoutes,
): number {
  const routesAt = writeUint32(target, at, bytes - lengthBytes) + 1;
  target[routesAt - 1] = message.trace === undefined ? 0x83 : 0x84;
  let end = known === undefined ? 0 : known.writeTo(target, routesAt, message);
  if (end === 0) {
    end = writeRoutes(target, routesAt, message);
    known?.written(target, routesAt, end, message);
  }
  return writeSize(target, end, 0x40, message.payloadBytes);
}

function writeRoutes(target: Buffer, at: number, { onward, return: back }: Message): number {
  at = onward.writeTo(target, writeSize(target, at, 0x80, onward.length));
  return back.writeTo(target, writeSize(target, at, 0x80, back.length));
}

/** Writes all of the frame that follows the payload; gives the position behind it. */
export function writeTail(target: Buffer, at: number, { trace }: Message): number {
  if (trace === undefined) return at;
  at = writeSize(target, at, 0x60, trace.length);
  target.set(trace, at);
  return at + trace.length;
}

/** The frame as one buffer. For tests and for what is not in a hurry. */
export function encodeMessage(message: Message): Buffer {
  const frame = Buffer.allocUnsafe(frameBytes(message));
  const at = writeHead(frame, 0, message);
  frame.set(message.payload, at);
  writeTail(frame, at + message.payloadBytes, message);
  return frame;
}

/** Bytes of a CBOR head with the argument `value`. */
function headSize(value: number): number {
  return value < 24 ? 1 : value < 0x100 ? 2 : value < 0x10000 ? 3 : 5;
}

function writeSize(target: Buffer, at: number, majorType: number, value: number): number {
  if (value < 24) {
    target[at] = majorType | value;
    return at + 1;
  }
  if (value < 0x100) {
    target[at] = majorType | 24;
    target[at + 1] = value;
    return at + 2;
  }
  if (value < 0x10000) {
    target[at] = majorType | 25;
    target[at + 1] = value >>> 8;
    target[at + 2] = value;
    return at + 3;
  }
  target[at] = majorType | 26;
  return writeUint32(target, at + 1, value);
}
