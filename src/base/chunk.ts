import { type Memory, wordsOf } from "./bytes.js";
import { RecentViews } from "./recent-views.js";

/**
 * A buffer that several parties use at once. Its reader fills it; whoever needs its bytes beyond the call that showed
 * them holds it and releases it later. Only an unheld chunk may be filled again.
 */
export class Chunk implements Memory {
  readonly bytes: Buffer;
  readonly words: DataView;
  /** For those who write what is in it: where what they put in front of it begins. */
  headStart: number | undefined;
  #holds = 0;
  #whenFree: ((chunk: Chunk) => void) | undefined;
  readonly #views = new RecentViews();

  constructor(sizeBytes: number) {
    this.bytes = Buffer.allocUnsafeSlow(sizeBytes);
    this.words = wordsOf(this.bytes);
  }

  /** The bytes from `start` to `end`. */
  view(start: number, end: number): Buffer {
    return this.#views.of(this.bytes, start, end);
  }

  get isHeld(): boolean {
    return this.#holds > 0;
  }

  hold(): void {
    this.#holds += 1;
  }

  release(): void {
    this.#holds -= 1;
    if (this.#holds === 0 && this.#whenFree !== undefined) this.freed(this.#whenFree);
  }

  /** Its reader needs it no more: calls `whenFree` once nobody holds it, which may be now. */
  freed(whenFree: (chunk: Chunk) => void): void {
    this.#whenFree = this.#holds > 0 ? whenFree : undefined;
    if (this.#holds === 0) whenFree(this);
  }
}

/**
 * Data up to this size is copied where it waits behind a write that is under way, which may last: what waits then keeps
 * no more than some three times its bytes. A chunk that was read into has room for three such pieces, and a peer may put
 * just one into each. Our own ends send more at a time when there is much.
 */
export const copiedBehindBytes = 40 * 1024;

/** Keeps up to `maxFree` chunks of one size for the next who needs one. */
export class ChunkPool {
  readonly sizeBytes: number;
  readonly #free: Chunk[] = [];
  readonly #maxFree: number;
  #taken = 0;

  constructor(sizeBytes: number, maxFree: number) {
    this.sizeBytes = sizeBytes;
    this.#maxFree = maxFree;
  }

  /** Those that were taken and are in use: by who took them, or by those who hold what is in them. */
  get taken(): number {
    return this.#taken;
  }

  take(): Chunk {
    this.#taken += 1;
    const chunk = this.#free.pop() ?? new Chunk(this.sizeBytes);
    chunk.headStart = undefined;
    return chunk;
  }

  /**
   * Takes a chunk back as soon as nobody holds it; the caller must not use it again. One of another size, or one too
   * many, is left to the garbage collector.
   */
  giveBack(chunk: Chunk): void {
    chunk.freed(this.#keep);
  }

  readonly #keep = (chunk: Chunk): void => {
    if (chunk.bytes.length !== this.sizeBytes) return;
    this.#taken -= 1;
    if (this.#free.length < this.#maxFree) this.#free.push(chunk);
  };
}
