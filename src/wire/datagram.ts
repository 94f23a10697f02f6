import { CborReader, headBytesOf, malformed, writeHeadOf } from "./cbor.js";

/** The version that every datagram begins with. */
export const datagramVersion = 1;

/** The most bytes of a datagram that is written: what every IPv4 host must be able to take, without its headers. */
export const maxDatagramBytes = 508;

/** The most bytes of a message in one of them. */
export const maxPartBytes = 493;

const biggestNumber = 0xffff;

/** One part of a message; its bytes lie at `start` to `end` of the datagram that it came in. */
export interface Part {
  /** Of the message: all of its parts have the same. */
  readonly number: number;
  /** Which part it is, from 0; always below `total`. */
  readonly index: number;
  /** How many parts the message has. */
  readonly total: number;
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
 * Reads `[version, number, index, total, part]`, as leniently as the reference does: any length of an integer, more
 * elements, bytes behind it; and larger datagrams than are written, for those who have set a larger size. Copies
 * nothing. Throws `malformed`, for another version as well.
 */
export function decodeDatagram(bytes: Buffer): Part {
  const reader = new CborReader(bytes, 0, bytes.length);
  const count = reader.array("the datagram");
  if (count !== undefined && count < 5) throw malformed(`the datagram has ${count} elements, not 5 or more`);
  const version = reader.unsigned("the version");
  if (version !== datagramVersion) throw malformed(`the version is ${version}, not ${datagramVersion}`);
  const number = smallNumber(reader, "the number of the message");
  const index = smallNumber(reader, "the index of the part");
  const total = smallNumber(reader, "the number of parts");
  if (index >= total) throw malformed(`part ${index} of ${total}, counted from 0`);
  const length = reader.stepOverBytes("the part");
  const end = reader.at;
  if (count === undefined) while (!reader.takeBreak()) reader.skip();
  else for (let left = count - 5; left > 0; left -= 1) reader.skip();
  return { number, index, total, start: end - length, end };
}

function smallNumber(reader: CborReader, what: string): number {
  const value = reader.unsigned(what);
  if (value > biggestNumber) throw malformed(`${what} is ${value}; at most ${biggestNumber}`);
  return value;
}

/** Cuts a message's CBOR, of at most 16 MiB, into datagrams that have `number`. The bytes are copied. */
export function splitMessage(body: Buffer, number: number): Buffer[] {
  const total = Math.max(1, Math.ceil(body.length / maxPartBytes));
  const datagrams: Buffer[] = [];
  for (let index = 0; index < total; index += 1) datagrams.push(encodePart(body, number, index, total));
  return datagrams;
}

function encodePart(body: Buffer, number: number, index: number, total: number): Buffer {
  const from = index * maxPartBytes;
  const length = Math.min(maxPartBytes, body.length - from);
  const datagram = Buffer.allocUnsafe(
    2 + headBytesOf(number) + headBytesOf(index) + headBytesOf(total) + headBytesOf(length) + length,
  );
  datagram[0] = 0x85;
  datagram[1] = datagramVersion;
  let at = writeHeadOf(datagram, 2, 0x00, number);
  at = writeHeadOf(datagram, at, 0x00, index);
  at = writeHeadOf(datagram, at, 0x00, total);
  at = writeHeadOf(datagram, at, 0x40, length);
  body.copy(datagram, at, from, from + length);
  return datagram;
}
