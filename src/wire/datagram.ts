import { CborReader, headBytesOf, malformed, writeHeadOf } from "./cbor.js";

/** The version that every datagram begins with. */
export const datagramVersion = 1;

/** The most bytes of one datagram: what every IPv4 host must be able to take, without its headers. */
export const maxDatagramBytes = 508;

/** The most bytes of a message in one datagram. */
export const maxPartBytes = 493;

const biggestNumber = 0xffff;
const biggestOffset = 0xffff_ffff;
const falseByte = 0xf4;
const trueByte = 0xf5;

/** One part of a message; its bytes lie at `start` to `end` of the datagram that it came in. */
export interface Part {
  /** Of the message: all of its parts have the same. */
  readonly number: number;
  /** Where the part begins in the message, in bytes. */
  readonly offset: number;
  readonly isLast: boolean;
  readonly start: number;
  readonly end: number;
}

/** How far `number` is ahead of `other` among numbers that wrap: 1 to 32,767; 0 for equal, and negative for behind. */
export function numberDistance(number: number, other: number): number {
  const ahead = (number - other) & biggestNumber;
  // Half of the circle away counts as behind, seen from either.
  return ahead < 0x8000 ? ahead : ahead - 0x10000;
}

export function nextNumber(number: number): number {
  return (number + 1) & biggestNumber;
}

/**
 * Reads `[version, number, offset, is last, part]`, as leniently as the reference does: any length of an integer, more
 * elements, bytes behind it. Copies nothing. Throws `malformed`, for another version as well.
 */
export function decodeDatagram(bytes: Buffer): Part {
  if (bytes.length > maxDatagramBytes) {
    throw malformed(`the datagram has ${bytes.length} bytes; at most ${maxDatagramBytes}`);
  }
  const reader = new CborReader(bytes, 0, bytes.length);
  const count = reader.array("the datagram");
  if (count !== undefined && count < 5) throw malformed(`the datagram has ${count} elements, not 5 or more`);
  const version = reader.unsigned("the version");
  if (version !== datagramVersion) throw malformed(`the version is ${version}, not ${datagramVersion}`);
  const number = reader.unsigned("the number of the message");
  if (number > biggestNumber) throw malformed(`the number of the message is ${number}`);
  const offset = reader.unsigned("the offset");
  if (offset > biggestOffset) throw malformed(`the offset is ${offset}`);
  const flag = reader.at < reader.end ? bytes[reader.at] : undefined;
  if (flag !== falseByte && flag !== trueByte)
    throw malformed("the mark of the last part is neither true nor false");
  reader.at += 1;
  const length = reader.stepOverBytes("the part");
  const end = reader.at;
  if (count === undefined) while (!reader.takeBreak()) reader.skip();
  else for (let left = count - 5; left > 0; left -= 1) reader.skip();
  return { number, offset, isLast: flag === trueByte, start: end - length, end };
}

/** Cuts a message's CBOR into datagrams that have `number`. The bytes are copied. */
export function splitMessage(body: Buffer, number: number): Buffer[] {
  const datagrams: Buffer[] = [];
  let offset = 0;
  do {
    const length = Math.min(maxPartBytes, body.length - offset);
    datagrams.push(encodePart(body, number, offset, length));
    offset += length;
  } while (offset < body.length);
  return datagrams;
}

function encodePart(body: Buffer, number: number, offset: number, length: number): Buffer {
  const datagram = Buffer.allocUnsafe(
    3 + headBytesOf(number) + headBytesOf(offset) + headBytesOf(length) + length,
  );
  datagram[0] = 0x85;
  datagram[1] = datagramVersion;
  let at = writeHeadOf(datagram, 2, 0x00, number);
  at = writeHeadOf(datagram, at, 0x00, offset);
  datagram[at] = offset + length === body.length ? trueByte : falseByte;
  at = writeHeadOf(datagram, at + 1, 0x40, length);
  body.copy(datagram, at, offset, offset + length);
  return datagram;
}
