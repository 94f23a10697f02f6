import { copyBytes } from "../base/bytes.js";
import type { Message } from "../model/message.js";
import { Route } from "../model/route.js";

/** Routes that take more bytes are read and written anew each time. */
const maxBytes = 512;
/** Where many sessions share a connection, keeping routes brings little: those of the first of so many others are kept. */
const missesPerTry = 32;

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
  #bytes = Buffer.alloc(0);
  onward = Route.empty;
  back = Route.empty;

  /** The position behind the routes if those at `at` are the ones that are kept, and 0 if not. */
  endOf(bytes: Buffer, at: number, end: number): number {
    const kept = this.#bytes;
    const { length } = kept;
    if (length === 0 || length > end - at) return 0;
    for (let i = 0; i < length; i += 1) if (bytes[at + i] !== kept[i]) return 0;
    return at + length;
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
    this.#bytes = Buffer.allocUnsafe(end - at);
    copyBytes(this.#bytes, 0, bytes, at, end);
    this.onward = onward.keep();
    this.back = back.keep();
  }
}

/** The same for messages that leave: the bytes of the two routes that were written last. */
export class WrittenRoutes {
  readonly #turns = new Turns();
  #bytes = Buffer.alloc(0);
  #onward: Route | undefined;
  #back: Route | undefined;

  /** Writes the routes of `message` if they are the ones that are kept; gives the position behind them, else 0. */
  writeTo(target: Buffer, at: number, { onward, return: back }: Message): number {
    if (onward !== this.#onward || back !== this.#back) return 0;
    return copyBytes(target, at, this.#bytes, 0, this.#bytes.length);
  }

  /** The routes of `message` were written to `at` to `end` of `target`: keeps them, if it is time to. */
  written(target: Buffer, at: number, end: number, { onward, return: back }: Message): void {
    // A route that lies in what was read is never met again, and would keep all of that.
    if (!this.#turns.isDue(end - at) || onward.memoryBytes > maxBytes || back.memoryBytes > maxBytes) return;
    this.#bytes = Buffer.from(target.subarray(at, end));
    this.#onward = onward;
    this.#back = back;
  }
}
