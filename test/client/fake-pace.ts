import type { Pace } from "../../src/client/options.js";

export interface FakePace extends Pace {
  /** Every wait that was asked for, in milliseconds. */
  readonly waits: readonly number[];
}

/** Time passes only in waits, and at once. Every draw of chance is `random`. */
export function fakePace(random: number): FakePace {
  const waits: number[] = [];
  let nowMs = 0;
  return {
    waits,
    nowMs: () => nowMs,
    random: () => random,
    async wait(delayMs, signal) {
      signal.throwIfAborted();
      waits.push(delayMs);
      nowMs += delayMs;
    },
  };
}
