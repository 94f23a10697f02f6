import type { Clock } from "../base/clock.js";

/**
 * Tells of changes, but no more often than once in `intervalMs`, however fast a peer brings them about. The last
 * change is always told of.
 */
export class Announcement implements Disposable {
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #tell: () => void;
  #toldAtMs = Number.NEGATIVE_INFINITY;
  #timer: Disposable | undefined;

  constructor(clock: Clock, intervalMs: number, tell: () => void) {
    this.#clock = clock;
    this.#intervalMs = intervalMs;
    this.#tell = tell;
  }

  changed(): void {
    if (this.#timer !== undefined) return;
    const waitMs = this.#toldAtMs + this.#intervalMs - this.#clock.monotonicMs();
    if (waitMs > 0) this.#timer = this.#clock.after(waitMs, () => this.#now());
    else this.#now();
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
  }

  #now(): void {
    this.#timer = undefined;
    this.#toldAtMs = this.#clock.monotonicMs();
    this.#tell();
  }
}
