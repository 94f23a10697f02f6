import type { Backing } from "../model/message.js";

/** Whoever has a local stream: one end of a portal session. The calls must not throw. */
export interface LocalStreamUser {
  /**
   * Data came from the local program: `length` bytes at `at` of `buffer`, with headRoomBytes free in front. Without a
   * backing the bytes are overwritten after this returns. False: read nothing more until `resume`.
   */
  data(buffer: Buffer, at: number, length: number, backing: Backing | undefined): boolean;
  /** The local program sends no more. */
  ended(): void;
  /** There is room for what is written again. */
  drained(): void;
  /** The stream is gone; nothing is called after this. */
  closed(error: Error | undefined): void;
}

/** A byte stream to a local program: what a portal session carries. A TCP socket, and later others. */
export interface LocalStream {
  /** Bytes written that the operating system has not taken. */
  readonly queuedBytes: number;
  /** A number that changes whenever the operating system took something. */
  readonly progress: number;
  /** Begins or goes on reading. */
  resume(): void;
  /** Queues data. It is copied, or its backing held, until the operating system has it. */
  write(data: Buffer, backing: Backing | undefined): void;
  /** Writes what is queued and closes. `closed` is not called. */
  end(): void;
  /** Closes at once, with a reset: the program must not take it for an orderly end. `closed` is not called. */
  reset(): void;
}
