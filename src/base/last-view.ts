/**
 * The view of a buffer that was made last. Making one costs as much as all else of a small message, and those mostly lie
 * where the one before them lay.
 */
export class LastView {
  #memory: Buffer | undefined;
  #start = 0;
  #end = 0;
  #view!: Buffer;

  /** The bytes of `memory` from `start` to `end`. */
  of(memory: Buffer, start: number, end: number): Buffer {
    if (memory !== this.#memory || start !== this.#start || end !== this.#end) {
      this.#view = memory.subarray(start, end);
      this.#memory = memory;
      this.#start = start;
      this.#end = end;
    }
    return this.#view;
  }
}
