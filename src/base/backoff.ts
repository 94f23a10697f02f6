export interface BackoffOptions {
  /** The longest first delay. */
  readonly firstMs: number;
  /** The longest delay of all. */
  readonly maxMs: number;
  /** Uniform in [0, 1). */
  readonly random?: () => number;
}

/**
 * The delays between attempts: the ceiling doubles from `firstMs` to `maxMs`, and each delay is drawn between half of
 * the ceiling and the ceiling, so that many who lost the same peer do not come back at the same moment.
 */
export class Backoff {
  readonly #options: BackoffOptions;
  readonly #random: () => number;
  #ceilingMs: number;

  constructor(options: BackoffOptions) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
    this.#ceilingMs = options.firstMs;
  }

  nextMs(): number {
    const ceiling = Math.min(this.#ceilingMs, this.#options.maxMs);
    this.#ceilingMs = Math.min(ceiling * 2, this.#options.maxMs);
    return (ceiling / 2) * (1 + this.#random());
  }

  /** After a success: begin again with `firstMs`. */
  reset(): void {
    this.#ceilingMs = this.#options.firstMs;
  }
}
