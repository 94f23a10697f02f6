import { startsWith, wordsOf } from "../base/bytes.js";
import { Route } from "../model/route.js";

/** Routes that take more bytes are read and written anew each time. */
export const maxRememberedBytes = 512;
/** A connection remembers the routes of 128 sessions at most, each at a place that its last bytes tell. */
const placeBits = 7;
const places = 2 ** placeBits;
/** A session of a few words is not worth it. */
const keptFrom = 3;

class KeptRoutes {
  readonly words: DataView;
  /** Of `words`. */
  readonly length: number;
  readonly onward: Route;
  readonly back: Route;

  constructor(words: DataView, onward: Route, back: Route) {
    this.words = words;
    this.length = words.byteLength;
    this.onward = onward;
    this.back = back;
  }
}

const none = new KeptRoutes(new DataView(new ArrayBuffer(0)), Route.empty, Route.empty);

/**
 * The two routes of messages that came in on a connection, as their bytes and as what they were read as. The messages of
 * a session all have the same, so most need no more than to be compared; and the routes, being the same objects, know
 * what was worked out about them before.
 */
export class ReadRoutes {
  /** Those that were found last. */
  #last = none;
  readonly #kept: (KeptRoutes | undefined)[] = [];
  /**
   * Which routes were last at each place and are not kept, by their last bytes, and how often they were in a row; at a
   * place that is free, how often any were.
   */
  readonly #strangers = new Int32Array(places);
  readonly #times = new Uint8Array(places);

  get onward(): Route {
    return this.#last.onward;
  }

  get back(): Route {
    return this.#last.back;
  }

  /**
   * The position behind the routes at `at` if they are kept and as long as those of the message before, as most are:
   * they need not be read then. `onward` and `back` are theirs. Else 0.
   */
  endOf(words: DataView, at: number, end: number): number {
    const routesEnd = at + this.#last.length;
    return routesEnd <= end && this.has(words, at, routesEnd) ? routesEnd : 0;
  }

  /** Whether what lies at `at` to `end` are routes that are kept: `onward` and `back` are then theirs. */
  has(words: DataView, at: number, end: number): boolean {
    const length = end - at;
    if (length < 4) return false;
    const kept = this.#kept[placeOf(lastWord(words, end))];
    if (kept === undefined || kept.length !== length || !startsWith(words, at, kept.words, length))
      return false;
    this.#last = kept;
    return true;
  }

  /** Routes were read that are not kept: whether they are to be. */
  isDue(words: DataView, at: number, end: number): boolean {
    const length = end - at;
    if (length < 4 || length > maxRememberedBytes) return false;
    const word = lastWord(words, end);
    const place = placeOf(word);
    const isNext = this.#kept[place] === undefined || this.#strangers[place] === word;
    const times = isNext ? this.#times[place]! + 1 : 1;
    this.#strangers[place] = word;
    this.#times[place] = times;
    if (times < keptFrom && this.#last !== none) return false;
    this.#times[place] = 0;
    return true;
  }

  /** Keeps the routes that `bytes` are, which were read as `onward` and `back`. All three must stay as they are. */
  keep(bytes: Buffer, onward: Route, back: Route): void {
    const words = wordsOf(bytes);
    this.#last = new KeptRoutes(words, onward, back);
    this.#kept[placeOf(lastWord(words, bytes.length))] = this.#last;
  }
}

/** The end of an address that is a session's own. */
function lastWord(words: DataView, end: number): number {
  return words.getInt32(end - 4);
}

function placeOf(word: number): number {
  return Math.imul(word, 0x9e3779b1) >>> (32 - placeBits);
}
