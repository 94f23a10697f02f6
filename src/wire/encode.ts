import { copyWords, type Memory, memoryOf, ownCopy, wordsOf } from "../base/bytes.js";
import type { Message } from "../model/message.js";
import type { Route, WrittenRoutes } from "../model/route.js";
import { headBytesOf, writeHeadOf } from "./cbor.js";
import { lengthBytes } from "./limits.js";
import { maxRememberedBytes } from "./route-memory.js";

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
 * caller who has them already.
 */
export function writeHead(target: Memory, at: number, message: Message, bytes = frameBytes(message)): number {
  target.words.setUint32(at, bytes - lengthBytes);
  const routesAt = at + lengthBytes + 1;
  target.bytes[routesAt - 1] = message.trace === undefined ? 0x83 : 0x84;
  const end = writeRoutes(target, routesAt, message);
  return writeHeadOf(target.bytes, end, 0x40, message.payloadBytes);
}

/** The messages of a session have the same two routes: the onward one remembers the bytes of both. */
function writeRoutes(target: Memory, at: number, { onward, return: back }: Message): number {
  const { written } = onward;
  if (written !== undefined && written.back === back)
    return copyWords(target.words, at, written.words, 0, written.length);
  const { bytes } = target;
  const onwardEnd = onward.writeTo(bytes, writeHeadOf(bytes, at, 0x80, onward.length));
  const end = back.writeTo(bytes, writeHeadOf(bytes, onwardEnd, 0x80, back.length));
  if (written === undefined) onward.written = once;
  else if (written === once) onward.written = twice;
  else if (written === twice) remember(bytes, at, end, onward, back);
  else onward.written = once;
  return end;
}

/** Routes that were written so often are remembered next time: not those of a session of a few words. */
const once: WrittenRoutes = { back: undefined, words: new DataView(new ArrayBuffer(0)), length: 0 };
const twice: WrittenRoutes = { ...once };

/** A route that lies in what was read is never met again, and would keep all of that. */
function remember(bytes: Buffer, at: number, end: number, onward: Route, back: Route): void {
  const most = Math.max(end - at, onward.memoryBytes, back.memoryBytes);
  if (most > maxRememberedBytes) return;
  onward.written = { back, words: wordsOf(ownCopy(bytes, at, end)), length: end - at };
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
