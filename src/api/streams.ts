import { PortwayError } from "../base/errors.js";

/** One streaming call while it runs. */
export interface OpenStream extends Disposable {
  /** Ends with the call's own signal (its caller or its deadline) or with the server. */
  readonly signal: AbortSignal;
}

/**
 * The streaming calls that run. A stream has no end of its own, so the server ends those that are open when it closes:
 * UNAVAILABLE (DRAINING), which tells a client to come back.
 */
export class Streams {
  readonly #open = new Set<AbortController>();
  readonly #maxOpen: number;
  #ended: PortwayError | undefined;

  constructor(maxOpen: number) {
    this.#maxOpen = maxOpen;
  }

  get size(): number {
    return this.#open.size;
  }

  /** To be disposed when the call has ended. Throws `draining` behind `endAll`, and `too_many`. */
  open(call: AbortSignal): OpenStream {
    if (this.#ended !== undefined) throw this.#ended;
    if (this.#open.size >= this.#maxOpen) {
      throw new PortwayError(
        "too_many",
        `${this.#maxOpen} streams are open, and that is the most that this daemon serves: end one first`,
        { limit: this.#maxOpen },
      );
    }
    const controller = new AbortController();
    const onCall = (): void => controller.abort(call.reason);
    if (call.aborted) onCall();
    else call.addEventListener("abort", onCall, { once: true });
    this.#open.add(controller);
    return {
      signal: controller.signal,
      [Symbol.dispose]: () => {
        call.removeEventListener("abort", onCall);
        this.#open.delete(controller);
      },
    };
  }

  /** Ends every open stream, and those that are asked for from now on. */
  endAll(): void {
    if (this.#ended !== undefined) return;
    this.#ended = new PortwayError("draining", "the daemon is ending: open the stream again when it is back");
    for (const controller of this.#open) controller.abort(this.#ended);
  }
}

/**
 * What `source` gives until `signal` ends; then it rejects with the signal's reason at once, whether `source` heeds the
 * signal or not. `onEnd` is told once, with what was thrown or undefined, however it ends: the source is over, it
 * failed, the signal ended, or the reader stopped. The source is returned then.
 */
export async function* untilAborted<T>(
  source: AsyncIterable<T>,
  signal: AbortSignal,
  onEnd: (thrown: unknown) => void,
): AsyncGenerator<T, void, undefined> {
  const items = source[Symbol.asyncIterator]();
  let thrown: unknown;
  let isOver = false;
  let wake: (() => void) | undefined;
  const onAbort = (): void => wake?.();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    for (;;) {
      if (signal.aborted) throw signal.reason;
      const next = await new Promise<IteratorResult<T>>((resolve, reject) => {
        wake = () => reject(signal.reason);
        items.next().then(resolve, reject);
      });
      if (next.done === true) {
        isOver = true;
        return;
      }
      yield next.value;
    }
  } catch (error) {
    thrown = error;
    throw error;
  } finally {
    signal.removeEventListener("abort", onAbort);
    // Not waited for: a source that hangs must not hold what the caller is told.
    if (!isOver) items.return?.().then(undefined, () => {});
    onEnd(thrown ?? (isOver ? undefined : signal.reason));
  }
}

/** The first item of `source`, and all of them. Undefined if there is none. */
export async function peek<T>(
  source: AsyncIterable<T>,
): Promise<{ readonly first: T | undefined; readonly all: AsyncIterable<T> }> {
  const items = source[Symbol.asyncIterator]();
  const first = await items.next();
  let isFirst = true;
  const all: AsyncIterableIterator<T> = {
    [Symbol.asyncIterator]: () => all,
    next: () => {
      if (!isFirst) return items.next();
      isFirst = false;
      return Promise.resolve(first);
    },
    return: (value) =>
      items.return?.(value) ?? Promise.resolve({ done: true as const, value: value as unknown }),
  };
  return { first: first.done === true ? undefined : first.value, all };
}
