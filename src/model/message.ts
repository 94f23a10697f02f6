import type { Address } from "./address.js";
import type { Route } from "./route.js";

/** Keeps bytes from being overwritten: see base/chunk. */
export interface Backing {
  hold(): void;
  release(): void;
  /** Where the head begins that was last written in front of a payload in these bytes; undefined before that. */
  headStart?: number | undefined;
}

/** The connection that a message entered the node on; compared by identity. */
export interface Entrance {
  readonly address: Address;
}

/** Told on which connection a message left the node, so that the answer is heard from there alone. */
export interface ExitObserver {
  leftOn(entrance: Entrance): void;
}

export interface MessageFields {
  readonly onward: Route;
  readonly return: Route;
  readonly payload: Buffer | PayloadPlace;
  /** The tracing text of the wire, as bytes. */
  readonly trace?: Buffer | undefined;
  readonly backing?: Backing | undefined;
  readonly entrance?: Entrance | undefined;
  readonly exit?: ExitObserver | undefined;
}

/** Where the payload of a message lies that is kept in a larger buffer. */
export interface PayloadPlace {
  readonly memory: Buffer;
  readonly start: number;
  readonly end: number;
  /** Bytes in front of it that are free for a header. Counts only with a backing. */
  readonly headRoomBytes: number;
}

/**
 * The unit of routing: where it goes, how an answer comes back, and bytes that routing never reads. Immutable.
 *
 * Routes, payload and trace may lie in a buffer that is read into again: they are valid until the call that delivers
 * the message returns. Whoever keeps the payload longer holds `backing` until then, or copies it if there is none.
 * Only onward, return, payload and trace ever cross a transport; the rest are facts of this node.
 */
export class Message {
  readonly onward: Route;
  readonly return: Route;
  readonly trace: Buffer | undefined;
  readonly backing: Backing | undefined;
  /** Undefined for a message that began on this node. */
  readonly entrance: Entrance | undefined;
  readonly exit: ExitObserver | undefined;
  /** What the payload lies in, from `payloadStart` to `payloadEnd`: nodes that pass it on need no view of it. */
  readonly memory: Buffer;
  readonly payloadStart: number;
  readonly payloadEnd: number;
  /**
   * Bytes in front of the payload that whoever sends the message on may overwrite; the routes may lie there, and are
   * gone then.
   */
  readonly headRoomBytes: number;
  #payload: Buffer | undefined;

  /** Of another message all is taken over but the routes. */
  constructor(fields: MessageFields | Message, onward = fields.onward, back = fields.return) {
    this.onward = onward;
    this.return = back;
    this.trace = fields.trace;
    this.backing = fields.backing;
    this.entrance = fields.entrance;
    this.exit = fields.exit;
    if (fields instanceof Message) {
      this.memory = fields.memory;
      this.payloadStart = fields.payloadStart;
      this.payloadEnd = fields.payloadEnd;
      this.headRoomBytes = fields.headRoomBytes;
      this.#payload = fields.#payload;
      return;
    }
    const { payload } = fields;
    if (payload instanceof Uint8Array) {
      this.memory = payload;
      this.payloadStart = 0;
      this.payloadEnd = payload.length;
      this.headRoomBytes = 0;
      this.#payload = payload;
    } else {
      this.memory = payload.memory;
      this.payloadStart = payload.start;
      this.payloadEnd = payload.end;
      this.headRoomBytes = payload.headRoomBytes;
    }
  }

  get payload(): Buffer {
    this.#payload ??= this.memory.subarray(this.payloadStart, this.payloadEnd);
    return this.#payload;
  }

  get payloadBytes(): number {
    return this.payloadEnd - this.payloadStart;
  }

  /** The same message on another route. */
  withRoutes(onward: Route, back: Route): Message {
    return new Message(this, onward, back);
  }

  /** Takes one hop: the first address of the onward route is used up, `via` is where an answer would arrive. */
  hop(via: Address): Message {
    return this.withRoutes(this.onward.rest(), this.return.prepend(via));
  }
}
