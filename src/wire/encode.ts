import { type Memory, memoryOf } from "../base/bytes.js";
import type { Message } from "../model/message.js";
import { headBytesOf, writeHeadOf } from "./cbor.js";
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
    headBytesOf(onward.length) +
    onward.byteLength +
    headBytesOf(back.length) +
    back.byteLength +
    headBytesOf(payloadBytes)
  );
}

/** Bytes of the frame behind the payload. */
export function tailBytes({ trace }: Message): number {
  return trace === undefined ? 0 : headBytesOf(trace.length) + trace.length;
}

/**
 * Writes all of the frame that precedes the payload; gives the position behind it. `bytes` are the frame's, for a
 * caller who has them already; `known` are routes that were written before.
 */
export function writeHead(
  target: Memory,
  at: number,
  message: Message,
  bytes = frameBytes(message),
  known?: WrittenRoutes,
): number {
  target.words.setUint32(at, bytes - lengthBytes);
  const routesAt = at + lengthBytes + 1;
  target.bytes[routesAt - 1] = message.trace === undefined ? 0x83 : 0x84;
  let end = known === undefined ? 0 : known.writeTo(target, routesAt, message);
  if (end === 0) {
    end = writeRoutes(target.bytes, routesAt, message);
    known?.written(target, routesAt, end, message);
  }
  return writeHeadOf(target.bytes, end, 0x40, message.payloadBytes);
}

function writeRoutes(target: Buffer, at: number, { onward, return: back }: Message): number {
  at = onward.writeTo(target, writeHeadOf(target, at, 0x80, onward.length));
  return back.writeTo(target, writeHeadOf(target, at, 0x80, back.length));
}

/** Writes all of the frame that follows the payload; gives the position behind it. */
export function writeTail(target: Buffer, at: number, { trace }: Message): number {
  if (trace === undefined) return at;
  at = writeHeadOf(target, at, 0x60, trace.length);
  target.set(trace, at);
  return at + trace.length;
}

/** The frame as one buffer. For tests and for what is not in a hurry. */
export function encodeMessage(message: Message): Buffer {
  const frame = Buffer.allocUnsafe(frameBytes(message));
  const at = writeHead(memoryOf(frame), 0, message);
  frame.set(message.payload, at);
  writeTail(frame, at + message.payloadBytes, message);
  return frame;
}
