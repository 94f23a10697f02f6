import { setTimeout as pause } from "node:timers/promises";

/**
 * What a promise of the product may take in these tests. The limit itself is the product's; a machine that runs other
 * things at the same time gets half as much again, and a second for the processes that look.
 */
export function withSlack(limitMs: number): number {
  return limitMs * 1.5 + 1_000;
}

/** For what has no limit of its own: processes that start, on a machine that is busy. */
export const patienceMs = 30_000;
const lookMs = 20;

/**
 * Looks again and again until `fact` gives something other than undefined or false; that and how long it took. A fact
 * that throws is one that is not so yet. Rejects after `limitMs` with what was waited for and what was seen last.
 */
export async function until<T>(
  what: string,
  fact: () => Promise<T | undefined | false> | T | undefined | false,
  limitMs: number = patienceMs,
): Promise<{ readonly value: T; readonly tookMs: number }> {
  const startMs = performance.now();
  let last: unknown;
  for (;;) {
    try {
      last = await fact();
      if (last !== undefined && last !== false) {
        return { value: last as T, tookMs: performance.now() - startMs };
      }
    } catch (error) {
      last = error;
    }
    if (performance.now() - startMs > limitMs) {
      throw new Error(`not so within ${Math.round(limitMs)} ms: ${what} (last: ${String(last)})`);
    }
    await pause(lookMs);
  }
}

/** Rejects if `promise` has not settled in time. */
export async function within<T>(what: string, promise: Promise<T>, limitMs: number = patienceMs): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not so within ${Math.round(limitMs)} ms: ${what}`)), limitMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
