import type { Clock } from "./clock.js";

/** So many uses at once, and more as time passes, up to as many again. It needs no timer. */
export class Allowance {
  readonly #clock: Clock;
  readonly #most: number;
  readonly #perMs: number;
  #left: number;
  #earnedUntilMs: number;

  constructor(clock: Clock, most: number, perMs: number) {
    this.#clock = clock;
    this.#most = most;
    this.#perMs = perMs;
    this.#left = most;
    this.#earnedUntilMs = clock.monotonicMs();
  }

  /** Uses that are left now; not always a whole number. */
  get left(): number {
    const nowMs = this.#clock.monotonicMs();
    this.#left = Math.min(this.#most, this.#left + (nowMs - this.#earnedUntilMs) * this.#perMs);
    this.#earnedUntilMs = nowMs;
    return this.#left;
  }

  use(count = 1): void {
    this.#left -= count;
  }
}
