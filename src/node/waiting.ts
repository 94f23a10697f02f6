import type { WaitOptions } from "./engine.js";

/**
 * Waits for `settled`, as long as `waitMs` says; that it passes is no error. Rejects with the signal's reason when
 * that ends first.
 */
export function settledWithin(settled: Promise<void>, { waitMs = 0, signal }: WaitOptions): Promise<void> {
  if (waitMs <= 0) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const onAbort = (): void => end(() => reject(signal?.reason));
    const timer = setTimeout(() => end(resolve), waitMs);
    const end = (how: () => void): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      how();
    };
    if (signal?.aborted) {
      onAbort();
      return;
    }
    signal?.addEventListener("abort", onAbort, { once: true });
    settled.then(
      () => end(resolve),
      (error) => end(() => reject(error)),
    );
  });
}
