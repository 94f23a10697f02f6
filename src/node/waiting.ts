import { abortable, deferred } from "../base/signals.js";
import type { WaitOptions } from "./engine.js";

/**
 * Waits for `settled`, as long as `waitMs` says; that it passes is no error. Rejects with the signal's reason when
 * that ends first.
 */
export async function settledWithin(
  settled: Promise<void>,
  { waitMs = 0, signal }: WaitOptions,
): Promise<void> {
  if (waitMs <= 0) return;
  const passed = deferred<void>();
  const timer = setTimeout(passed.resolve, waitMs);
  try {
    await abortable(Promise.race([settled, passed.promise]), signal);
  } finally {
    clearTimeout(timer);
  }
}
