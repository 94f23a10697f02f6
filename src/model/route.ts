import { copyBytes, readUint16, readUint32 } from "../base/bytes.js";
import { PortwayError } from "../base/errors.js";
import { Address, addressHash } from "./address.js";

/** The most addresses that an onward or a return route may have: a message beyond that is dropped. */
export const maxRouteAddresses = 128;

/** The most bytes of the wire form of an onward or a return route: likewise. */
export const maxRouteBytes = 32 * 1024;

/** What an onward route and a return route were written as. */
export interface WrittenRoutes {
  /** Undefined: nothing has been remembered yet. */
  readonly back: Route | undefined;
  readonly words: DataView;
  /** Of `words`. */
  readonly length: number;
}

/**
 * An ordered list of addresses; the first is the next hop. Immutable.
 *
 * It is kept as it stands on the wire (address after address, without the array's head) with addresses pushed in
 * front, so that a hop costs neither decoding nor copying. The route of a message that a transport delivers lies in
 * the buffer that was read: it is valid until the delivering call returns, and `keep` gives one that stays.
 *
 * What is worked out for a route is kept with it, for the messages behind the first that have the same one.
 */
export class Route {
  static readonly empty = new Route(Buffer.alloc(0), 0, 0, 0);

  readonly length: number;
  /** Bytes of the wire form. */
  readonly byteLength: number;
  /** Pushed in front of `#tail`; undefined if all of the route lies in `#bytes`. */
  readonly #head: Address | undefined;
  /** What wire/encode keeps here of messages that have it as their onward route. Nobody else looks at it. */
  written: WrittenRoutes | undefined;
  readonly #bytes: Buffer;
  readonly #start: number;
  #tail: Route | undefined;
  /** The first address, once it was met. */
  #first: Address | undefined;
  /** What `prepend` made last. */
  #longer: Route | undefined;

  private constructor(
    bytes: Buffer,
    start: number,
    byteLength: number,
    length: number,
    head?: Address,
    tail?: Route,
  ) {
    this.#bytes = bytes;
    this.#start = start;
    this.byteLength = byteLength;
    this.length = length;
    this.#head = head;
    this.#tail = tail;
    this.#first = head;
    this.#longer = undefined;
    this.written = undefined;
  }

  static of(...addresses: readonly Address[]): Route {
    const bytes = Buffer.concat(addresses.map((address) => address.encoded));
    return new Route(bytes, 0, bytes.byteLength, addresses.length);
  }

  /** A view of `count` addresses in their shortest wire form at `start` to `end`; the caller has checked that. */
  static view(bytes: Buffer, start: number, end: number, count: number): Route {
    return new Route(bytes, start, end - start, count);
  }

  /** Reads addresses separated by `=>`; the empty text is the empty route. Throws `bad_address`, `bad_route`. */
  static parse(text: string): Route {
    if (text.trim() === "") return Route.empty;
    const parts = text.split("=>");
    if (parts.length > maxRouteAddresses) {
      const said = `the route has ${parts.length} addresses; at most ${maxRouteAddresses}`;
      throw new PortwayError("bad_route", said, { addresses: parts.length, max: maxRouteAddresses });
    }
    return Route.of(...parts.map((part) => Address.parse(part.trim())));
  }

  /** Bytes of the buffer that it lies in: what it keeps in memory. */
  get memoryBytes(): number {
    return this.#bytes.length;
  }

  get isEmpty(): boolean {
    return this.length === 0;
  }

  /** The hash of the first address. Must not be asked of an empty route. */
  get firstHash(): number {
    if (this.#first !== undefined) return this.#first.hash;
    return addressHash(this.#bytes, this.#start, this.#firstEnd(this.#firstValueAt()));
  }

  /** Must not be asked of an empty route. */
  firstIs(address: Address): boolean {
    if (this.#first !== undefined) return this.#first.equals(address);
    const { encoded } = address;
    const size = encoded.length;
    if (size > this.byteLength) return false;
    const bytes = this.#bytes;
    const start = this.#start;
    for (let i = size - 1; i >= 0; i -= 1) if (bytes[start + i] !== encoded[i]) return false;
    this.#first = address;
    return true;
  }

  /** The first address. Must not be asked of an empty route. */
  get first(): Address {
    if (this.#first === undefined) {
      const at = this.#firstValueAt();
      const type = this.#bytes[this.#start + 1]!;
      this.#first = new Address(
        type < 24 ? type : this.#bytes[this.#start + 2]!,
        this.#bytes.subarray(at, this.#firstEnd(at)),
      );
    }
    return this.#first;
  }

  /** The last address. Must not be asked of an empty route. */
  get last(): Address {
    return this.addresses().at(-1)!;
  }

  /** The route without its first address. Must not be asked of an empty route. */
  rest(): Route {
    if (this.#tail !== undefined) return this.#tail;
    const size = this.#firstEnd(this.#firstValueAt()) - this.#start;
    this.#tail = new Route(this.#bytes, this.#start + size, this.byteLength - size, this.length - 1);
    return this.#tail;
  }

  /** The route with `address` in front. */
  prepend(address: Address): Route {
    const known = this.#longer;
    if (known !== undefined && known.#head === address) return known;
    const byteLength = this.byteLength + address.encoded.length;
    this.#longer = new Route(this.#bytes, 0, byteLength, this.length + 1, address, this);
    return this.#longer;
  }

  /** The route with all of `route` in front. */
  prependRoute(route: Route): Route {
    return route.addresses().reduceRight((whole: Route, address) => whole.prepend(address), this);
  }

  /** The route without its last address. Must not be asked of an empty route. */
  withoutLast(): Route {
    return Route.of(...this.addresses().slice(0, -1));
  }

  addresses(): Address[] {
    const addresses: Address[] = [];
    for (let route: Route = this; !route.isEmpty; route = route.rest()) addresses.push(route.first);
    return addresses;
  }

  /** Writes the wire form to `target` at `at`; gives the position behind it. */
  writeTo(target: Buffer, at: number): number {
    let route: Route = this;
    while (route.#head !== undefined) {
      const { encoded } = route.#head;
      at = copyBytes(target, at, encoded, 0, encoded.length);
      route = route.#tail!;
    }
    return copyBytes(target, at, route.#bytes, route.#start, route.#start + route.byteLength);
  }

  /** An equal route that shares no bytes with a buffer that is read into. */
  keep(): Route {
    const bytes = Buffer.allocUnsafe(this.byteLength);
    this.writeTo(bytes, 0);
    return new Route(bytes, 0, this.byteLength, this.length);
  }

  equals(other: Route): boolean {
    return this.length === other.length && this.keep().#bytes.equals(other.keep().#bytes);
  }

  /** `0#a => 0#b`. */
  toString(): string {
    return this.addresses().join(" => ");
  }

  #firstValueAt(): number {
    const at = this.#start + (this.#bytes[this.#start + 1]! < 24 ? 2 : 3);
    const head = this.#bytes[at]!;
    if (head < 0x58) return at + 1;
    return at + (head === 0x58 ? 2 : head === 0x59 ? 3 : 5);
  }

  #firstEnd(valueAt: number): number {
    const b = this.#bytes;
    const at = this.#start + (b[this.#start + 1]! < 24 ? 2 : 3);
    const head = b[at]!;
    if (head < 0x58) return valueAt + (head & 0x1f);
    if (head === 0x58) return valueAt + b[at + 1]!;
    if (head === 0x59) return valueAt + readUint16(b, at + 1);
    return valueAt + readUint32(b, at + 1);
  }
}
