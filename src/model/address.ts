import { randomBytes } from "node:crypto";
import { PortwayError } from "../base/errors.js";

/** Which transport reads the value of an address; `local` delivers to workers of the node. */
export const transportType = { local: 0, tcp: 1, udp: 2 } as const;

const unreliableMark = "udp_";
const unreliableWorker = new RegExp(`^${unreliableMark}[0-9a-f]{32}$`);

/** The most bytes that an address may have which is given as text; one from the wire may have more. */
export const maxAddressBytes = 255;

/**
 * Names one worker on its node, or one hop of a transport: a transport type (0 to 255) and bytes, which are UTF-8 by
 * convention. Immutable; two addresses are equal if their `key` is.
 */
export class Address {
  readonly type: number;
  /** Equal addresses have the same: 32 bits, of which the sign is one. They are others in each process. */
  readonly hash: number;
  /** The wire form: CBOR `[type, bytes]` in the shortest encoding. */
  readonly encoded: Buffer;
  #key: string | undefined;

  constructor(type: number, value: Uint8Array) {
    this.type = type;
    this.encoded = encodeAddress(type, value);
    this.hash = addressHash(this.encoded, 0, this.encoded.length);
  }

  /**
   * Equal addresses have the same: for a local address its bytes, one character each; for others a character in front
   * that no byte has. A local address in ASCII is its own key. Not for people.
   */
  get key(): string {
    this.#key ??= addressKey(this.type, bytesOf(this).toString("latin1"));
    return this.#key;
  }

  /** A local address with the UTF-8 bytes of `text`. */
  static local(text: string): Address {
    return new Address(transportType.local, Buffer.from(text, "utf8"));
  }

  /** A local address that nobody can guess: 16 random bytes as 32 lower-case hex digits. */
  static random(): Address {
    return Address.local(randomHex());
  }

  /**
   * The same for a worker that sends over a transport on which messages may be lost: `udp_` and 32 digits. Whoever finds
   * it in a route, on whatever node, knows that of the route.
   */
  static randomUnreliable(): Address {
    return Address.local(`${unreliableMark}${randomHex()}`);
  }

  /** It says of itself that messages may be lost behind it; one that says nothing may be such a hop all the same. */
  get isUnreliable(): boolean {
    return this.type === transportType.udp || unreliableWorker.test(this.text);
  }

  /**
   * Reads `text` (local) or `type#text`. The empty text is the local address without bytes. Throws `bad_address` for
   * a type that is no number from 0 to 255, for more than one `#`, and above maxAddressBytes.
   */
  static parse(text: string): Address {
    if (text.length > maxAddressBytes + 4) throw tooLong(text, Buffer.byteLength(text));
    const parts = text.split("#");
    if (parts.length > 2) {
      throw new PortwayError("bad_address", `the address "${text}" has more than one "#"`, { address: text });
    }
    const type = parts.length === 2 ? parts[0]! : "0";
    if (!/^\d{1,3}$/.test(type) || Number(type) > 255) {
      const expected = "a number from 0 to 255 before the #";
      throw new PortwayError("bad_address", `the address "${text}" needs ${expected}`, { address: text });
    }
    const value = Buffer.from(parts.at(-1)!, "utf8");
    if (value.byteLength > maxAddressBytes) throw tooLong(text, value.byteLength);
    return new Address(Number(type), value);
  }

  /** The value as text; bytes that are no UTF-8 stand as U+FFFD. */
  get text(): string {
    return bytesOf(this).toString();
  }

  /** `type#text`, as Ockam shows addresses. */
  toString(): string {
    return `${this.type}#${this.text}`;
  }

  equals(other: Address): boolean {
    return this === other || this.encoded.equals(other.encoded);
  }
}

/** The key of an address whose bytes are the characters of `value`, one each. */
export function addressKey(type: number, value: string): string {
  // Above U+00FF, so that no local address, whatever its bytes, has the key of another type.
  return type === transportType.local ? value : String.fromCharCode(0x100 + type) + value;
}

/** A peer that chooses addresses can't make them fall together. */
const hashSeed = randomBytes(4).readInt32LE();

/** The hash of the address whose wire form lies at `start` to `end`: FNV-1a from a secret start. */
export function addressHash(bytes: Uint8Array, start: number, end: number): number {
  let hash = hashSeed;
  for (let at = start; at < end; at += 1) hash = Math.imul(hash ^ bytes[at]!, 0x01000193);
  return hash;
}

/** Bytes of the wire form of an address with `valueBytes` bytes. */
export function addressBytes(type: number, valueBytes: number): number {
  const lengthHead = valueBytes < 24 ? 1 : valueBytes < 0x100 ? 2 : valueBytes < 0x10000 ? 3 : 5;
  return 1 + (type < 24 ? 1 : 2) + lengthHead + valueBytes;
}

/** Writes the wire form of an address to `target` at `at`; gives the position behind it. */
export function writeAddress(target: Buffer, at: number, type: number, value: Uint8Array): number {
  target[at++] = 0x82;
  if (type >= 24) target[at++] = 24;
  target[at++] = type;
  const length = value.byteLength;
  if (length < 24) target[at++] = 0x40 | length;
  else if (length < 0x100) {
    target[at++] = 0x58;
    target[at++] = length;
  } else if (length < 0x10000) {
    target[at++] = 0x59;
    at = target.writeUInt16BE(length, at);
  } else {
    target[at++] = 0x5a;
    at = target.writeUInt32BE(length, at);
  }
  target.set(value, at);
  return at + length;
}

function tooLong(text: string, bytes: number): PortwayError {
  const said = `the address "${text.slice(0, 40)}…" has ${bytes} bytes; at most ${maxAddressBytes}`;
  return new PortwayError("bad_address", said, { bytes, max: maxAddressBytes });
}

function bytesOf({ type, encoded }: Address): Buffer {
  const at = type < 24 ? 2 : 3;
  const head = encoded[at]!;
  return encoded.subarray(at + (head < 0x58 ? 1 : head === 0x58 ? 2 : head === 0x59 ? 3 : 5));
}

function encodeAddress(type: number, value: Uint8Array): Buffer {
  const encoded = Buffer.allocUnsafe(addressBytes(type, value.byteLength));
  writeAddress(encoded, 0, type, value);
  return encoded;
}

let random = Buffer.alloc(0);
let used = 0;

/** 16 random bytes in hex. Asking the generator for many at a time makes an address cheap. */
function randomHex(): string {
  if (used === random.length) {
    random = randomBytes(4096);
    used = 0;
  }
  used += 16;
  return random.toString("hex", used - 16, used);
}
