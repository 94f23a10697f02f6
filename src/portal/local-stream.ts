import type { Memory } from "../base/bytes.js";
import type { Backing } from "../model/message.js";

/** Data where it was read: `length` bytes at `at` of `memory`. The object is used again for the next data. */
export interface DataPlace {
  readonly memory: Memory;
  readonly at: number;
  readonly length: number;
  /** Bytes in front of it that may be written to, for the heads of what carries it. */
  readonly roomBytes: number;
}

/** Whoever has a local stream: one end of a portal session. The calls must not throw. */
export interface LocalStreamUser {
  /**
   * Data came from the local program. Without a backing the bytes are overwritten after this returns. False: read
   * nothing more until `resume`.
   */
  data(place: DataPlace, backing: Backing | undefined): boolean;
  /** The local program sends no more. */
  ended(): void;
  /** Something that was written has left: there may be room again. */
  drained(): void;
  /** The stream is gone, of itself or as `end` asked; nothing is called after this. */
  closed(error: Error | undefined): void;
}

/** A byte stream to a local program: what a portal session carries. A TCP socket, and later others. */
export interface LocalStream {
  /** Bytes written that the operating system has not taken, with what it costs to keep them. */
  readonly queuedBytes: number;
  /** A number that changes whenever the operating system took something. */
  readonly progress: number;
  /** Begins or goes on reading. */
  resume(): void;
  /** Sees to it that a program that is gone without a word is noticed. Not asked for streams that are soon over. */
  keepAlive(): void;
  /** Queues data. It is copied, or its backing held, until the operating system has it. */
  write(data: Buffer, backing: Backing | undefined): void;
  /** Reads no more, writes what is queued and closes: `closed` is called then, within this call if nothing is queued. */
  end(): void;
  /** Closes at once, with a reset: the program must not take it for an orderly end. `closed` is not called. */
  reset(): void;
}
