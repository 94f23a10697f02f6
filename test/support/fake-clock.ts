import type { Clock } from "../../src/base/clock.js";

interface Timer {
  readonly atMs: number;
  readonly run: () => void;
}

/** Time that passes when a test says so. Both of its clocks begin at a million and go alike. */
export class FakeClock implements Clock {
  readonly #timers = new Set<Timer>();
  #nowMs = 1_000_000;

  wallMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): Disposable {
    const timer = { atMs: this.#nowMs + delayMs, run };
    this.#timers.add(timer);
    return { [Symbol.dispose]: () => void this.#timers.delete(timer) };
  }

  /** Timers that are set. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Lets `ms` pass: timers run in their order, and what each brings about happens before the next. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    await settled();
    for (let next = this.#next(untilMs); next !== undefined; next = this.#next(untilMs)) {
      this.#timers.delete(next);
      this.#nowMs = Math.max(next.atMs, this.#nowMs);
      next.run();
      await settled();
    }
    this.#nowMs = untilMs;
  }

  /** Lets time pass in steps until `fact` holds; gives how long that took. Throws after `limitMs`. */
  async until(fact: () => boolean, limitMs: number, stepMs = 10): Promise<number> {
    const startMs = this.#nowMs;
    await settled();
    while (!fact()) {
      if (this.#nowMs - startMs >= limitMs) throw new Error(`not so within ${limitMs} ms: ${fact}`);
      await this.advance(stepMs);
    }
    return this.#nowMs - startMs;
  }

  #next(untilMs: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.atMs <= untilMs && (next === undefined || timer.atMs < next.atMs)) next = timer;
    }
    return next;
  }
}

/** All that was set going and needs no time has happened: promises and frames on their way. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
