import { PortwayError } from "./errors.js";

/** The longest that a timer can wait; one that is to wait longer ends at once. */
export const longestTimerMs = 2 ** 31 - 1;

/** A signal that stands on others. */
export interface LinkedSignal extends Disposable {
  readonly signal: AbortSignal;
}

/**
 * A signal that ends after `timeoutMs` (with `timed_out` and what was waited for) or with `parent`, whichever is
 * first. Dispose it when the wait is over: that leaves no listener on `parent` and no timer.
 */
export function deadline(timeoutMs: number, waitedFor: string, parent?: AbortSignal): LinkedSignal {
  const controller = new AbortController();
  const timer = setTimeout(
    () => controller.abort(new PortwayError("timed_out", `${waitedFor} took longer than ${timeoutMs} ms`)),
    timeoutMs,
  );
  const onParent = (): void => controller.abort(parent?.reason);
  if (parent?.aborted) onParent();
  else parent?.addEventListener("abort", onParent, { once: true });
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      clearTimeout(timer);
      parent?.removeEventListener("abort", onParent);
    },
  };
}

/**
 * A signal that ends with the first of `signals`. Dispose it when nobody waits any more: that leaves no listener, where
 * AbortSignal.any leaves something on a signal that lives on.
 */
export function anyOf(...signals: readonly AbortSignal[]): LinkedSignal {
  const controller = new AbortController();
  const onEnd = ({ target }: Event): void => controller.abort((target as AbortSignal).reason);
  const ended = signals.find(({ aborted }) => aborted);
  if (ended !== undefined) controller.abort(ended.reason);
  else for (const signal of signals) signal.addEventListener("abort", onEnd, { once: true });
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      for (const signal of signals) signal.removeEventListener("abort", onEnd);
    },
  };
}

/** A promise with its ends in hand. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (reason: unknown) => void;
}

export function deferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void;
  let reject!: (reason: unknown) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

/** `promise`, or a rejection with the signal's reason when that ends first. Leaves no listener behind. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  if (signal.aborted) {
    promise.catch(() => {});
    return Promise.reject(signal.reason);
  }
  return new Promise<T>((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
