import type { Address } from "./address.js";
import type { Route } from "./route.js";

/** Keeps bytes from being overwritten: see base/chunk. */
export interface Backing {
  hold(): void;
  release(): void;
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
  readonly payload: Buffer;
  /** The tracing text of the wire, as bytes. */
  readonly trace?: Buffer | undefined;
  readonly backing?: Backing | undefined;
  /** Bytes in front of the payload, in its buffer, that are free for a header. Counts only with a backing. */
  readonly headRoomBytes?: number | undefined;
  readonly entrance?: Entrance | undefined;
  readonly exit?: ExitObserver | undefined;
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
  readonly payload: Buffer;
  readonly trace: Buffer | undefined;
  readonly backing: Backing | undefined;
  /**
   * Bytes in front of the payload that whoever sends the message on may overwrite; the routes may lie there, and are
   * gone then.
   */
  readonly headRoomBytes: number;
  /** Undefined for a message that began on this node. */
  readonly entrance: Entrance | undefined;
  readonly exit: ExitObserver | undefined;

  constructor(fields: MessageFields) {
    this.onward = fields.onward;
    this.return = fields.return;
    this.payload = fields.payload;
    this.trace = fields.trace;
    this.backing = fields.backing;
    this.headRoomBytes = fields.headRoomBytes ?? 0;
    this.entrance = fields.entrance;
    this.exit = fields.exit;
  }

  /** The same message on another route. */
  withRoutes(onward: Route, back: Route): Message {
    return new Message({
      onward,
      return: back,
      payload: this.payload,
      trace: this.trace,
      backing: this.backing,
      headRoomBytes: this.headRoomBytes,
      entrance: this.entrance,
      exit: this.exit,
    });
  }

  /** Takes one hop: the first address of the onward route is used up, `via` is where an answer would arrive. */
  hop(via: Address): Message {
    return this.withRoutes(this.onward.rest(), this.return.prepend(via));
  }
}
