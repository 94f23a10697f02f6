/**
 * Reads and writes of a few bytes for what runs once or more per message. V8 makes plain machine code of these, and not
 * of Buffer's methods or `byteLength`, which it looks up and calls each time: there `length` is used as well.
 */

/**
 * A buffer, and a view of the same bytes that reads and writes four of them in the time of one. Whoever has a buffer for
 * long makes the view once.
 */
export interface Memory {
  readonly bytes: Buffer;
  readonly words: DataView;
}

export function memoryOf(bytes: Buffer): Memory {
  return { bytes, words: wordsOf(bytes) };
}

export function wordsOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Up to this many bytes are copied one by one: a call to copy them costs more. */
const maxLoopBytes = 96;
/** The same for copies by words. */
export const maxWordLoopBytes = 192;

export function readUint16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

export function readUint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

/** Gives the position behind it. */
export function writeUint32(target: Uint8Array, at: number, value: number): number {
  target[at] = value >>> 24;
  target[at + 1] = value >>> 16;
  target[at + 2] = value >>> 8;
  target[at + 3] = value;
  return at + 4;
}

/**
 * Copies `source` from `start` to `end`; gives the position behind it in `target`, which must have the room. The two
 * places must not overlap.
 */
export function copyBytes(target: Buffer, at: number, source: Buffer, start: number, end: number): number {
  const size = end - start;
  if (size > maxLoopBytes) source.copy(target, at, start, end);
  else for (let i = 0; i < size; i += 1) target[at + i] = source[start + i]!;
  return at + size;
}

/** The same by words. Beyond maxWordLoopBytes `copyBytes` is the faster one. */
export function copyWords(
  target: DataView,
  at: number,
  source: DataView,
  start: number,
  end: number,
): number {
  const toTarget = at - start;
  let next = start;
  for (; next + 4 <= end; next += 4) target.setInt32(next + toTarget, source.getInt32(next, true), true);
  for (; next < end; next += 1) target.setInt8(next + toTarget, source.getInt8(next));
  return end + toTarget;
}

/** A copy of a few bytes that are kept for long: not out of Node's pool, of which a small piece would keep the whole. */
export function ownCopy(source: Buffer, start: number, end: number): Buffer {
  const copy = Buffer.allocUnsafeSlow(end - start);
  source.copy(copy, 0, start, end);
  return copy;
}

/** Whether the `length` bytes at `at` of `one` are the first ones of `other`. */
export function startsWith(one: DataView, at: number, other: DataView, length: number): boolean {
  let next = 0;
  for (; next + 4 <= length; next += 4)
    if (one.getInt32(at + next, true) !== other.getInt32(next, true)) return false;
  for (; next < length; next += 1) if (one.getInt8(at + next) !== other.getInt8(next)) return false;
  return true;
}
