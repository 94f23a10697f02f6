import { writeUint32 } from "../base/bytes.js";
import { PortwayError } from "../base/errors.js";
import { maxSkipDepth } from "./limits.js";

export const major = { unsigned: 0, bytes: 2, text: 3, array: 4, map: 5, tag: 6, simple: 7 } as const;

const indefinite = -1;
/** An indefinite map, at a key or at its end, and one that needs a value. */
const mapKeyDue = -2;
const mapValueDue = -3;
const breakByte = 0xff;
const nullByte = 0xf6;

export function malformed(what: string): PortwayError {
  return new PortwayError("malformed", `malformed frame: ${what}`, { what });
}

/**
 * Reads CBOR items one after another, as leniently as minicbor does: any length of an integer, definite and
 * indefinite arrays. It never reads beyond `end`, and every length is checked before anything is done with it. Every
 * method throws `malformed` for what it does not expect.
 */
export class CborReader {
  readonly bytes: Buffer;
  readonly end: number;
  at: number;

  constructor(bytes: Buffer, at: number, end: number) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  /** True at `null`, which it then steps over. */
  takeNull(): boolean {
    if (this.#peek() !== nullByte) return false;
    this.at += 1;
    return true;
  }

  /** True at the break of an indefinite array, which it then steps over. */
  takeBreak(): boolean {
    if (this.#peek() !== breakByte) return false;
    this.at += 1;
    return true;
  }

  unsigned(what: string): number {
    const value = this.#head(major.unsigned, what);
    if (value === indefinite) throw malformed(`${what} has no value`);
    return value;
  }

  /** The count of elements, or undefined for an array that ends with a break. */
  array(what: string): number | undefined {
    const count = this.#head(major.array, what);
    return count === indefinite ? undefined : count;
  }

  /** A byte string of one piece. */
  byteString(what: string): Buffer {
    return this.#string(major.bytes, what);
  }

  /** Steps over a byte string of one piece, which then ends at `at`; gives the number of its bytes. */
  stepOverBytes(what: string): number {
    return this.#stepOver(major.bytes, what);
  }

  /** The bytes of a text string of one piece. */
  textString(what: string): Buffer {
    return this.#string(major.text, what);
  }

  /** Steps over one well-formed item of any kind, nested no deeper than `maxSkipDepth`. */
  skip(): void {
    const outer = this.#skipHead();
    if (outer === 0) return;
    // Per level, how many items are still to come, or one of the three that end with a break.
    const open = [outer];
    while (open.length > 0) {
      const level = open.length - 1;
      const left = open[level]!;
      if (left === 0 || (left < 0 && this.takeBreak())) {
        if (left === mapValueDue) throw malformed("a break where the value of a map was expected");
        open.pop();
        continue;
      }
      if (left > 0) open[level] = left - 1;
      else if (left !== indefinite) open[level] = left === mapKeyDue ? mapValueDue : mapKeyDue;
      const inner = this.#skipHead();
      if (inner === 0) continue;
      if (open.length >= maxSkipDepth) throw malformed(`nested deeper than ${maxSkipDepth}`);
      open.push(inner);
    }
  }

  /**
   * Steps over a scalar or a string, or over the head of an item that has others in it; gives how many those are, or
   * which kind of item was opened that ends with a break.
   */
  #skipHead(): number {
    const kind = this.#peek() >> 5;
    const value = this.#value("an item");
    if (kind === major.array) return value;
    if (kind === major.map) return value === indefinite ? mapKeyDue : value * 2;
    if (kind === major.bytes || kind === major.text) {
      if (value !== indefinite) this.#advance(value, "a string");
      else while (!this.takeBreak()) this.#stepOver(kind, "a piece of a string");
      return 0;
    }
    if (value === indefinite) {
      throw malformed(
        kind === major.simple ? "a break where an item was expected" : "a head without a value",
      );
    }
    return kind === major.tag ? 1 : 0;
  }

  #string(kind: number, what: string): Buffer {
    const length = this.#stepOver(kind, what);
    return this.bytes.subarray(this.at - length, this.at);
  }

  #stepOver(kind: number, what: string): number {
    const length = this.#head(kind, what);
    if (length === indefinite) throw malformed(`${what} comes in pieces`);
    this.#advance(length, what);
    return length;
  }

  #head(kind: number, what: string): number {
    const found = this.#peek() >> 5;
    if (found !== kind) throw malformed(`${what} has the major type ${found}, not ${kind}`);
    return this.#value(what);
  }

  /** The argument of the head here. */
  #value(what: string): number {
    const info = this.#peek() & 0x1f;
    this.at += 1;
    if (info < 24) return info;
    if (info === 31) return indefinite;
    if (info > 27) throw malformed(`${what} has a reserved length`);
    const size = 1 << (info - 24);
    const start = this.at;
    this.#advance(size, what);
    if (size === 8) {
      const value = this.bytes.readBigUInt64BE(start);
      return value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(value);
    }
    return this.bytes.readUIntBE(start, size);
  }

  #peek(): number {
    if (this.at >= this.end) throw malformed("it ends too soon");
    return this.bytes[this.at]!;
  }

  #advance(count: number, what: string): void {
    if (count > this.end - this.at) throw malformed(`${what} is longer than the frame`);
    this.at += count;
  }
}

/** Bytes of a CBOR head with the argument `value`. */
export function headBytesOf(value: number): number {
  return value < 24 ? 1 : value < 0x100 ? 2 : value < 0x10000 ? 3 : 5;
}

/** Writes the head of an item; `major` is its major type, in the upper three bits. Gives the position behind it. */
export function writeHeadOf(target: Buffer, at: number, major: number, value: number): number {
  if (value < 24) {
    target[at] = major | value;
    return at + 1;
  }
  if (value < 0x100) {
    target[at] = major | 24;
    target[at + 1] = value;
    return at + 2;
  }
  if (value < 0x10000) {
    target[at] = major | 25;
    target[at + 1] = value >>> 8;
    target[at + 2] = value;
    return at + 3;
  }
  target[at] = major | 26;
  return writeUint32(target, at + 1, value);
}
