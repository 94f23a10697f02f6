import { deferred } from "../base/signals.js";

/**
 * Calls `next` again and again, whatever is done with what it gives meanwhile; begins when the function that is returned
 * is first called, which gives it in order. Undefined is the end, and an error comes behind what came before it. What was
 * not taken is dropped when `ended` is.
 */
export function readAhead<T>(
  next: () => Promise<T | undefined>,
  ended: AbortSignal,
): () => Promise<T | undefined> {
  const arrived: T[] = [];
  let news = deferred<void>();
  let over: { readonly error?: unknown } | undefined;
  const read = async (): Promise<void> => {
    try {
      for (let one = await next(); one !== undefined; one = await next()) {
        arrived.push(one);
        news.resolve();
      }
      over = {};
    } catch (error) {
      over = { error };
    }
    news.resolve();
  };
  let isReading = false;
  return async () => {
    if (!isReading) void read();
    isReading = true;
    for (;;) {
      const one = ended.aborted ? undefined : arrived.shift();
      if (one !== undefined) return one;
      if (over !== undefined && "error" in over) throw over.error;
      if (over !== undefined) return undefined;
      news = deferred<void>();
      await news.promise;
    }
  };
}
