import { PortwayError } from "../base/errors.js";

const maxLengthBytes = 10;

/**
 * A BARE byte string: an unsigned LEB128 length, then the bytes. A BARE text string has the same layout. Nothing is
 * shared with `value`.
 */
export function encodeBareBytes(value: Uint8Array): Buffer {
  const length: number[] = [];
  let rest = value.byteLength;
  while (rest >= 0x80) {
    length.push((rest & 0x7f) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  length.push(rest);
  const encoded = Buffer.allocUnsafe(length.length + value.byteLength);
  encoded.set(length, 0);
  encoded.set(value, length.length);
  return encoded;
}

/**
 * The bytes of a BARE byte string at the front of `encoded`: a view, not a copy. What comes after them is ignored, and
 * so are zeros that make the length longer than it has to be. Throws `malformed` for a length of more than 10 bytes or
 * above 64 bits, and for one that promises more than there is.
 */
export function decodeBareBytes(encoded: Uint8Array): Uint8Array {
  let length = 0;
  let scale = 1;
  for (let at = 0; at < maxLengthBytes; at += 1) {
    const byte = encoded[at];
    if (byte === undefined) throw malformed("it ends inside its length", encoded);
    if (at === maxLengthBytes - 1 && byte !== 1)
      throw malformed("its length does not fit into 64 bits", encoded);
    length += (byte & 0x7f) * scale;
    scale *= 0x80;
    if (byte >= 0x80) continue;
    const start = at + 1;
    if (length > encoded.byteLength - start) {
      throw malformed(`its length says ${length} bytes and ${encoded.byteLength - start} follow`, encoded);
    }
    return encoded.subarray(start, start + length);
  }
  throw malformed("its length does not fit into 64 bits", encoded);
}

function malformed(what: string, encoded: Uint8Array): PortwayError {
  return new PortwayError("malformed", `not a BARE byte string: ${what}`, { bytes: encoded.byteLength });
}
