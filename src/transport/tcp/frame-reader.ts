import { Chunk, ChunkPool } from "../../base/chunk.js";
import { systemClock } from "../../base/clock.js";
import { lastPiece } from "../../base/turn.js";
import { lengthBytes } from "../../wire/limits.js";

/** The read size that fills two whole segments of the loopback interface: reads then end with a segment, not inside. */
const chunkBytes = 2 * 65_483;
/** With less room than this left behind what was read, the next read goes to another chunk. */
const minReadBytes = 48 * 1024;

const pool = new ChunkPool(chunkBytes, 16);
/** For frames of up to about 2 MB, which some programs send all the time; larger ones are rare enough. */
const largePools = [2, 4, 8, 16].map((times) => new ChunkPool(times * chunkBytes, 2));
const nothing = new Chunk(0);

/** With a large frame that has taken no more room for so long, a reader makes room for another one. */
const stillMs = 10_000;

/**
 * Bytes that many readers together may have in chunks beyond the usual size. When they are used up, large frames that
 * stand still are given up for one that comes, those first that have for longest: else a few peers that never end theirs
 * could keep all others from sending any, for good.
 */
export class ReceiveBudget {
  readonly #nowMs: () => number;
  /** Who is in the middle of a large frame, and since when it has had its room; the longest first. */
  readonly #begun = new Map<FrameReaderUser, number>();
  #left: number;

  constructor(bytes: number, nowMs = systemClock.monotonicMs) {
    this.#left = bytes;
    this.#nowMs = nowMs;
  }

  get leftBytes(): number {
    return this.#left;
  }

  take(bytes: number, reading: FrameReaderUser): boolean {
    this.#begun.delete(reading);
    if (bytes > this.#left) this.#makeRoom(bytes);
    if (bytes > this.#left) return false;
    this.#left -= bytes;
    this.#begun.set(reading, this.#nowMs());
    return true;
  }

  /** The large frame is read, or given up. */
  ended(reading: FrameReaderUser): void {
    this.#begun.delete(reading);
  }

  giveBack(bytes: number): void {
    this.#left += bytes;
  }

  #makeRoom(bytes: number): void {
    const latestMs = this.#nowMs() - stillMs;
    for (const [reading, sinceMs] of [...this.#begun]) {
      if (bytes <= this.#left || sinceMs > latestMs) return;
      reading.outOfRoom?.();
    }
  }
}

export interface FrameReaderOptions {
  readonly maxFrameBytes: number;
  readonly budget: ReceiveBudget;
  readonly user: FrameReaderUser;
}

export interface FrameReaderUser {
  /** A frame's CBOR lies at start to end of the chunk. False: it was not taken, the reader stops there. */
  frame(chunk: Chunk, start: number, end: number): boolean;
  /** Others need the room of the large frame that has been begun and stands still: the reader is to be closed. */
  outOfRoom?(): void;
}

export type FrameReaderFault = "frame_too_large" | "receive_budget_exhausted";

/**
 * Cuts a byte stream into frames where it lies: no frame is copied that came whole. A begun frame is moved to the next
 * chunk, and a large one gets room as its bytes arrive, never on the word of its length.
 */
export class FrameReader {
  readonly #options: FrameReaderOptions;
  #chunk = pool.take();
  /** What was read and not yet cut lies here. */
  #start = 0;
  #end = 0;
  /** How far the chunk may be filled: its size, or the end of the large frame that it has room for. */
  #limit = chunkBytes;
  /** Whole frames that were not taken; their chunk is held. */
  #waiting: { readonly chunk: Chunk; start: number; readonly end: number } | undefined;
  #closed = false;

  constructor(options: FrameReaderOptions) {
    this.#options = options;
  }

  /** True while frames wait that were not taken: nothing may be read until `again` has brought it to false. */
  get isWaiting(): boolean {
    return this.#waiting !== undefined;
  }

  /** Where the next bytes go. */
  get room(): Buffer {
    const { bytes } = this.#chunk;
    const all = this.#end === 0 && this.#limit === bytes.length;
    return all ? bytes : this.#chunk.view(this.#end, this.#limit);
  }

  /** Takes one byte off what has been read, if there is one. */
  takeByte(): number | undefined {
    if (this.#start === this.#end) return undefined;
    this.#start += 1;
    return this.#chunk.bytes[this.#start - 1];
  }

  /** `length` bytes were put into `room`. */
  filled(length: number): void {
    this.#end += length;
  }

  /** Cuts and hands on what is there. */
  cut(): FrameReaderFault | undefined {
    const chunk = this.#chunk;
    // Who is given a frame may close this reader and hold the chunk afterwards.
    chunk.hold();
    const fault = this.#cutFrames(chunk);
    chunk.release();
    return fault;
  }

  #cutFrames(chunk: Chunk): FrameReaderFault | undefined {
    const { maxFrameBytes, user } = this.#options;
    const { words } = chunk;
    const stop = this.#end;
    let at = this.#start;
    let waitingFrom = -1;
    while (stop - at >= lengthBytes) {
      const length = words.getUint32(at);
      if (length > maxFrameBytes) return "frame_too_large";
      const end = at + lengthBytes + length;
      if (end > stop) break;
      if (end === stop) lastPiece();
      if (waitingFrom < 0 && !user.frame(chunk, at + lengthBytes, end)) waitingFrom = at;
      if (this.#closed) return undefined;
      at = end;
    }
    this.#start = at;
    if (waitingFrom < 0) return undefined;
    chunk.hold();
    this.#waiting = { chunk, start: waitingFrom, end: at };
    return undefined;
  }

  /** Offers again what was not taken. Afterwards `isWaiting` tells whether all of it was. */
  again(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    const { chunk } = waiting;
    chunk.hold();
    while (waiting.start < waiting.end) {
      const start = waiting.start + lengthBytes;
      const end = start + chunk.words.getUint32(waiting.start);
      if (!this.#options.user.frame(chunk, start, end) || this.#closed) break;
      waiting.start = end;
    }
    if (waiting.start === waiting.end) this.#dropWaiting();
    chunk.release();
  }

  /** No byte is cut any more, and nothing may be put into `room`. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#dropWaiting();
    this.#retire(this.#chunk);
    this.#options.budget.ended(this.#options.user);
    // Who keeps a closed connection for its counts does not keep its memory.
    this.#chunk = nothing;
  }

  #dropWaiting(): void {
    this.#waiting?.chunk.release();
    this.#waiting = undefined;
  }

  /**
   * Sees to it that `room` is not empty, and large enough to be worth a read. Best called when what was cut has been
   * written: the chunk can then be read into again.
   */
  makeRoom(): FrameReaderFault | undefined {
    if (this.#closed) return undefined;
    const chunk = this.#chunk;
    const size = chunk.bytes.length;
    const start = this.#start;
    const left = this.#end - start;
    const needed = left < lengthBytes ? lengthBytes : lengthBytes + chunk.words.getUint32(start);
    if (needed > chunkBytes) {
      if (start === 0 && this.#end < this.#limit) return undefined;
      // A large frame's room doubles with what has come of it: a length alone buys nothing.
      return this.#moveTo(Math.max(chunkBytes, Math.min(needed, left * 2)), needed);
    }
    if (size !== chunkBytes) return this.#moveTo(chunkBytes, needed);
    // A frame that begins the chunk fits in it: it is not moved again, however slowly it comes.
    if (left > 0 && start === 0) return undefined;
    if (left === 0 && !chunk.isHeld) {
      this.#start = 0;
      this.#end = 0;
      return undefined;
    }
    if (size - this.#end >= minReadBytes && start + needed <= size) return undefined;
    if (chunk.isHeld) return this.#moveTo(chunkBytes, needed);
    chunk.bytes.copyWithin(0, start, this.#end);
    this.#start = 0;
    this.#end = left;
    return undefined;
  }

  /** Goes on in another chunk of at least `size` bytes, taking along what is begun of a frame of `needed` bytes. */
  #moveTo(size: number, needed: number): FrameReaderFault | undefined {
    const next = size > chunkBytes ? this.#takeLarge(size) : pool.take();
    if (next === undefined) return "receive_budget_exhausted";
    const chunk = this.#chunk;
    chunk.bytes.copy(next.bytes, 0, this.#start, this.#end);
    this.#retire(chunk);
    if (size === chunkBytes && chunk.bytes.length !== chunkBytes)
      this.#options.budget.ended(this.#options.user);
    this.#chunk = next;
    this.#end -= this.#start;
    this.#start = 0;
    // A large chunk ends with its frame: what comes behind that goes to a usual one.
    this.#limit = size > chunkBytes ? Math.min(next.bytes.length, needed) : chunkBytes;
    return undefined;
  }

  #takeLarge(size: number): Chunk | undefined {
    const { budget, user } = this.#options;
    const from = largePools.find(({ sizeBytes }) => sizeBytes >= size);
    const bytes = from?.sizeBytes ?? size;
    if (!budget.take(bytes, user)) return undefined;
    if (!this.#closed) return from?.take() ?? new Chunk(size);
    // The end of those that made room has ended this one as well.
    budget.ended(user);
    budget.giveBack(bytes);
    return undefined;
  }

  /** A large chunk counts until the last who holds it lets go: for that long it is memory. */
  #retire(chunk: Chunk): void {
    if (chunk.bytes.length === chunkBytes) pool.giveBack(chunk);
    else chunk.freed(this.#giveBackLarge);
  }

  readonly #giveBackLarge = (chunk: Chunk): void => {
    const size = chunk.bytes.length;
    this.#options.budget.giveBack(size);
    largePools.find(({ sizeBytes }) => sizeBytes === size)?.giveBack(chunk);
  };
}
