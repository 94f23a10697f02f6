import type { Address } from "./address.js";
import type { Route } from "./route.js";

/** Keeps bytes from being overwritten: see base/chunk. */
export interface Backing {
  hold(): void;
  release(): void;
  /** The bytes from `start` to `end`, of an owner who has made that view before. */
  view?(start: number, end: number): Buffer;
  /** Where the head begins that was last written in front of a payload in these bytes; undefined before that. */
  headStart?: number | undefined;
}

/** The connection that a message entered the node on; compared by identity. */
export interface Entrance {
  readonly address: Address;
  /** False: messages may be lost on it. True if absent. */
  readonly isReliable?: boolean;
}

/** Told on which connection a message left the node, so that the answer is heard from there alone. */
export interface ExitObserver {
  leftOn(entrance: Entrance): void;
}

export interface MessageFields {
  readonly onward: Route;
  readonly return: Route;
  readonly payload: Buffer;
  /** The tracing text of the wire, as bytes. */
  readonly trace?: Buffer | undefined;
  readonly backing?: Backing | undefined;
  readonly entrance?: Entrance | undefined;
  readonly exit?: ExitObserver | undefined;
}

/** All of a message but its routes: it stays the same object while the message goes through a node. */
export class Cargo {
  /** What the payload lies in, from `payloadStart` to `payloadEnd`: who passes it on needs no view of it. */
  readonly memory: Buffer;
  readonly payloadStart: number;
  readonly payloadEnd: number;
  readonly headRoomBytes: number;
  readonly trace: Buffer | undefined;
  readonly backing: Backing | undefined;
  readonly entrance: Entrance | undefined;
  readonly exit: ExitObserver | undefined;
  /** A view of all of `memory`, if its owner has one. */
  readonly words: DataView | undefined;
  #payload: Buffer | undefined;

  /** `roomBytes` in front of the payload are free for a header, if there is a backing. */
  constructor(
    memory: Buffer,
    start: number,
    end: number,
    roomBytes: number,
    trace: Buffer | undefined,
    backing: Backing | undefined,
    entrance: Entrance | undefined,
    exit: ExitObserver | undefined,
    words: DataView | undefined,
  ) {
    this.memory = memory;
    this.payloadStart = start;
    this.payloadEnd = end;
    this.headRoomBytes = roomBytes;
    this.trace = trace;
    this.backing = backing;
    this.entrance = entrance;
    this.exit = exit;
    this.words = words;
  }

  get payload(): Buffer {
    const { memory, payloadStart, payloadEnd } = this;
    if (payloadStart === 0 && payloadEnd === memory.length) return memory;
    this.#payload ??= memory.subarray(payloadStart, payloadEnd);
    return this.#payload;
  }
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
  /** What runs for each message reads from here: fields of its own, which V8 finds at once. */
  readonly cargo: Cargo;

  /** Small, so that V8 makes messages in place. */
  constructor(cargo: Cargo, onward: Route, back: Route) {
    this.onward = onward;
    this.return = back;
    this.cargo = cargo;
  }

  static of({ onward, return: back, payload, trace, backing, entrance, exit }: MessageFields): Message {
    const cargo = new Cargo(payload, 0, payload.length, 0, trace, backing, entrance, exit, undefined);
    return new Message(cargo, onward, back);
  }

  get payload(): Buffer {
    return this.cargo.payload;
  }

  get payloadBytes(): number {
    return this.cargo.payloadEnd - this.cargo.payloadStart;
  }

  get trace(): Buffer | undefined {
    return this.cargo.trace;
  }

  get backing(): Backing | undefined {
    return this.cargo.backing;
  }

  /** Undefined for a message that began on this node. */
  get entrance(): Entrance | undefined {
    return this.cargo.entrance;
  }

  get exit(): ExitObserver | undefined {
    return this.cargo.exit;
  }

  /**
   * Bytes in front of the payload that whoever sends the message on may overwrite; the routes may lie there, and are
   * gone then.
   */
  get headRoomBytes(): number {
    return this.cargo.headRoomBytes;
  }

  /** The same message on another route. */
  withRoutes(onward: Route, back: Route): Message {
    return new Message(this.cargo, onward, back);
  }

  /** The same message with routes, payload and trace of its own, for whoever keeps it. */
  keep(): Message {
    const { trace, entrance, exit } = this;
    return Message.of({
      onward: this.onward.keep(),
      return: this.return.keep(),
      payload: Buffer.from(this.payload),
      trace: trace && Buffer.from(trace),
      entrance,
      exit,
    });
  }

  /** Takes one hop: the first address of the onward route is used up, `via` is where an answer would arrive. */
  hop(via: Address): Message {
    return new Message(this.cargo, this.onward.rest(), this.return.prepend(via));
  }
}
