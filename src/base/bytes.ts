/**
 * Reads and writes of a few bytes for what runs once or more per message. V8 makes plain machine code of these, and not
 * of Buffer's methods or `byteLength`, which it looks up and calls each time: there `length` is used as well.
 */

/** Up to this many bytes are copied one by one: a call to copy them costs more. */
const maxLoopBytes = 96;

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
