interface View {
  readonly memory: Buffer;
  readonly start: number;
  readonly end: number;
  readonly view: Buffer;
}

/** A full read brings three messages. */
const kept = 4;
/** A view keeps all of its buffer in memory: those of larger ones, which are rare, are made anew. */
const maxMemoryBytes = 256 * 1024;

/**
 * The views of buffers that were made last. Making one costs as much as all else of a small message, and what is read
 * mostly lies where something of the read before it lay, in the same order.
 */
export class RecentViews {
  readonly #views: View[] = [];
  /** The one that was asked for last. */
  #last = 0;

  /** The bytes of `memory` from `start` to `end`. */
  of(memory: Buffer, start: number, end: number): Buffer {
    const views = this.#views;
    const { length } = views;
    for (let tries = 0, at = this.#last; tries < length; tries += 1) {
      const made = views[at]!;
      if (made.start === start && made.end === end && made.memory === memory) {
        this.#last = at;
        return made.view;
      }
      at = at + 1 === length ? 0 : at + 1;
    }
    const view = memory.subarray(start, end);
    if (memory.length > maxMemoryBytes) return view;
    this.#last = length < kept ? length : (this.#last + 1) % kept;
    views[this.#last] = { memory, start, end, view };
    return view;
  }
}
