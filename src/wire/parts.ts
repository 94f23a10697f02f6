import { Chunk } from "../base/chunk.js";
import type { Backing } from "../model/message.js";
import { maxPartBytes, nextNumber, numberDistance, type Part } from "./datagram.js";

/** Memory for messages that are being put together. */
export interface AssemblyRoom {
  /** False: there is none; whoever asked gives up the message. */
  take(bytes: number): boolean;
  giveBack(bytes: number): void;
}

/** What became of parts and messages that were not handed on. */
export interface PartCounts {
  /** Parts of a message that is over: handed on, given up, or passed over. */
  readonly late: number;
  /** Parts that came again. */
  readonly doubled: number;
  /** Messages given up because a part of them was missing or came out of order. */
  readonly broken: number;
  /** Messages given up because a part of a later one came. */
  readonly abandoned: number;
  /** Numbers of which nothing came: lost messages, or such as the peer has sent to others. */
  readonly skipped: number;
  /** Messages given up because they are larger than allowed. */
  readonly tooLarge: number;
  /** Messages given up because there was no memory for them. */
  readonly noRoom: number;
  /** Messages given up because nothing more came of them. */
  readonly expired: number;
}

/** A whole message's CBOR, at `start` to `end`. Whoever needs the bytes for longer than a call holds `backing`. */
export interface Assembled {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  readonly backing: Backing;
  /** To be called once, when whoever wants the bytes has had the time to hold them. */
  done(): void;
}

export interface AssemblerOptions {
  readonly maxMessageBytes: number;
  readonly room: AssemblyRoom;
  /** A message of which nothing came for so long is given up. */
  readonly expireAfterMs: number;
  /** After so long a silence any number is taken: the peer may have begun anew. */
  readonly resyncAfterMs: number;
}

const firstChunkBytes = 4 * maxPartBytes;

/** The bytes of a datagram: they belong to the message alone, and are not written to again. */
class DatagramBytes implements Backing {
  headStart: number | undefined;
  hold(): void {}
  release(): void {}
}

/**
 * Puts the messages of one peer together. One at a time, its parts strictly in order: a part of a later message gives up
 * the one that was begun, a missing part too, and what belongs to an earlier message is passed over. What it hands on is
 * therefore whole, and the messages are in the order in which they were sent.
 *
 * The memory of a message grows with the bytes that have come of it, never on the word of an offset.
 */
export class PartAssembler {
  readonly #options: AssemblerOptions;
  readonly #counts = {
    late: 0,
    doubled: 0,
    broken: 0,
    abandoned: 0,
    skipped: 0,
    tooLarge: 0,
    noRoom: 0,
    expired: 0,
  };
  /** The number that is put together, or comes next; undefined before the first part. */
  #expected: number | undefined;
  #chunk: Chunk | undefined;
  #filled = 0;
  #lastMs = 0;

  constructor(options: AssemblerOptions) {
    this.#options = options;
  }

  get counts(): PartCounts {
    return { ...this.#counts };
  }

  /** Bytes of memory that the begun message has. */
  get pendingBytes(): number {
    return this.#chunk?.bytes.length ?? 0;
  }

  /** Takes a part of `datagram`; gives the message that it completes. */
  push(datagram: Buffer, part: Part, nowMs: number): Assembled | undefined {
    const { number, offset, isLast, start, end } = part;
    if (!this.#enter(number, offset, nowMs)) return undefined;
    const length = end - start;
    if (offset !== this.#filled) {
      if (this.#isThere(datagram, part)) this.#counts.doubled += 1;
      else this.#next("broken");
      return undefined;
    }
    this.#lastMs = nowMs;
    if (offset + length > this.#options.maxMessageBytes) {
      this.#next("tooLarge");
      return undefined;
    }
    if (isLast && offset === 0) {
      this.#next();
      return { bytes: datagram, start, end, backing: new DatagramBytes(), done() {} };
    }
    const chunk = this.#roomFor(length);
    if (chunk === undefined) {
      this.#next("noRoom");
      return undefined;
    }
    datagram.copy(chunk.bytes, this.#filled, start, end);
    this.#filled += length;
    if (!isLast) return undefined;
    const whole = this.#filled;
    this.#chunk = undefined;
    this.#next();
    return { bytes: chunk.bytes, start: 0, end: whole, backing: chunk, done: () => this.#free(chunk) };
  }

  /** A message of this number has come another way. */
  pass(number: number, nowMs: number): void {
    if (this.#expected !== undefined && numberDistance(number, this.#expected) < 0) return;
    if (this.#enter(number, 0, nowMs) && this.#filled === 0) this.#next();
  }

  /** Gives up what is begun if nothing came of it for too long. */
  expire(nowMs: number): void {
    if (this.#chunk !== undefined && nowMs - this.#lastMs >= this.#options.expireAfterMs)
      this.#next("expired");
  }

  /** Gives up what is begun, for the sake of others who need the memory. */
  yield(): void {
    if (this.#chunk !== undefined) this.#next("noRoom");
  }

  /** Lets go of everything. Nothing may be pushed afterwards. */
  close(): void {
    this.#drop();
  }

  /** True if the number is the one that is put together, perhaps from now on. */
  #enter(number: number, offset: number, nowMs: number): boolean {
    this.expire(nowMs);
    const expected = this.#expected;
    if (expected === undefined) {
      // A message of which the beginning is missing is none: there is nothing to remember of it.
      if (offset > 0) {
        this.#counts.broken += 1;
        return false;
      }
      this.#expected = number;
      this.#lastMs = nowMs;
      return true;
    }
    const ahead = numberDistance(number, expected);
    if (ahead === 0) return true;
    const isFresh = offset === 0 && nowMs - this.#lastMs >= this.#options.resyncAfterMs;
    if (ahead < 0 && !isFresh) {
      this.#counts.late += 1;
      return false;
    }
    const hadBegun = this.#chunk !== undefined;
    if (hadBegun) this.#counts.abandoned += 1;
    if (ahead > 0) this.#counts.skipped += ahead - (hadBegun ? 1 : 0);
    this.#drop();
    this.#expected = number;
    return true;
  }

  /** True for a part that is there already, byte for byte. */
  #isThere(datagram: Buffer, { offset, isLast, start, end }: Part): boolean {
    const chunk = this.#chunk;
    if (chunk === undefined || isLast || offset + end - start > this.#filled) return false;
    return datagram.compare(chunk.bytes, offset, offset + end - start, start, end) === 0;
  }

  /** The chunk of the begun message with room for `length` more bytes; undefined if there is no memory for it. */
  #roomFor(length: number): Chunk | undefined {
    const chunk = this.#chunk;
    const needed = this.#filled + length;
    if (chunk !== undefined && needed <= chunk.bytes.length) return chunk;
    const { room, maxMessageBytes } = this.#options;
    const size = Math.min(
      maxMessageBytes,
      Math.max(needed, chunk === undefined ? firstChunkBytes : chunk.bytes.length * 2),
    );
    if (!room.take(size)) return undefined;
    const next = new Chunk(size);
    if (chunk !== undefined) {
      chunk.bytes.copy(next.bytes, 0, 0, this.#filled);
      this.#free(chunk);
    }
    this.#chunk = next;
    return next;
  }

  #next(why?: keyof PartCounts): void {
    if (why !== undefined) this.#counts[why] += 1;
    this.#drop();
    this.#expected = nextNumber(this.#expected!);
  }

  #drop(): void {
    if (this.#chunk !== undefined) this.#free(this.#chunk);
    this.#chunk = undefined;
    this.#filled = 0;
  }

  #free(chunk: Chunk): void {
    chunk.freed(({ bytes }) => this.#options.room.giveBack(bytes.length));
  }
}
