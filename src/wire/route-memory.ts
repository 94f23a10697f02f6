import { copyWords, type Memory, startsWith, wordsOf } from "../base/bytes.js";
import type { Message } from "../model/message.js";
import { Route } from "../model/route.js";

/** Routes that take more bytes are read and written anew each time. */
const maxBytes = 512;
/** Where many sessions share a connection, keeping routes brings little: those of the first of so many others are kept. */
const missesPerTry = 32;
const nothing: DataView = new DataView(new ArrayBuffer(0));

/** Says, each time that routes are not the ones that are kept, whether these are to be kept. */
class Turns {
  #misses = 0;

  isDue(length: number): boolean {
    const isDue = this.#misses % missesPerTry === 0 && length <= maxBytes;
    this.#misses += 1;
    return isDue;
  }
}

/**
 * The two routes of a message that came in on a connection, as their bytes and as what they were read as. The messages
 * of a session all have the same, so most need no more than to be compared; and the routes, being the same objects, know
 * what was worked out about them before.
 */
export class ReadRoutes {
  readonly #turns = new Turns();
  #words = nothing;
  #length = 0;
  onward = Route.empty;
  back = Route.empty;

  /** The position behind the routes if those at `at` are the ones that are kept, and 0 if not. */
  endOf(words: DataView, at: number, end: number): number {
    const length = this.#length;
    if (length === 0 || length > end - at) return 0;
    return startsWith(words, at, this.#words, length) ? at + length : 0;
  }

  /** Routes were read that are others: whether they are to be kept. */
  isDue(length: number): boolean {
    return this.#turns.isDue(length);
  }

  /**
   * Keeps the routes at `at` to `end`, which were read as `onward` and `back`. Messages may still have those that were
   * kept before, so their bytes stay.
   */
  keep(bytes: Buffer, at: number, end: number, onward: Route, back: Route): void {
    this.#words = wordsOf(Buffer.from(bytes.subarray(at, end)));
    this.#length = end - at;
    this.onward = onward.keep();
    this.back = back.keep();
  }
}

/** The same for messages that leave: the bytes of the two routes that were written last. */
export class WrittenRoutes {
  readonly #turns = new Turns();
  #words = nothing;
  #length = 0;
  #onward: Route | undefined;
  #back: Route | undefined;

  /** Writes the routes of `message` if they are the ones that are kept; gives the position behind them, else 0. */
  writeTo(target: Memory, at: number, { onward, return: back }: Message): number {
    if (onward !== this.#onward || back !== this.#back) return 0;
    return copyWords(target.words, at, this.#words, 0, this.#length);
  }

  /** The routes of `message` were written to `at` to `end` of `target`: keeps them, if it is time to. */
  written(target: Memory, at: number, end: number, { onward, return: back }: Message): void {
    // A route that lies in what was read is never met again, and would keep all of that.
    if (!this.#turns.isDue(end - at) || onward.memoryBytes > maxBytes || back.memoryBytes > maxBytes) return;
    this.#words = wordsOf(Buffer.from(target.bytes.subarray(at, end)));
    this.#length = end - at;
    this.#onward = onward;
    this.#back = back;
  }
}
