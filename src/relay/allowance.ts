import type { Clock } from "../base/clock.js";

/** So many uses at once, and one more for each `intervalMs` that passes. It needs no timer. */
export class Allowance {
  readonly #clock: Clock;
  readonly #uses: number;
  readonly #intervalMs: number;
  /** When none of it is used up any more. */
  #wholeAtMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, uses: number, intervalMs: number) {
    this.#clock = clock;
    this.#uses = uses;
    this.#intervalMs = intervalMs;
  }

  get isSpent(): boolean {
    return this.#wholeAtMs - this.#clock.monotonicMs() > (this.#uses - 1) * this.#intervalMs;
  }

  use(): void {
    this.#wholeAtMs = Math.max(this.#wholeAtMs, this.#clock.monotonicMs()) + this.#intervalMs;
  }
}
