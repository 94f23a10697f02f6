import { deferred } from "./signals.js";

/** Undoes what was set up, newest first. Disposing it again awaits the first time. */
export class Scope implements AsyncDisposable {
  readonly #undo: (() => unknown)[] = [];
  #closing: Promise<void> | undefined;

  get isClosing(): boolean {
    return this.#closing !== undefined;
  }

  /** From here on the scope owns `resource`: the caller must not dispose it. */
  own<T extends AsyncDisposable | Disposable>(resource: T): T {
    this.defer(() =>
      Symbol.asyncDispose in resource ? resource[Symbol.asyncDispose]() : resource[Symbol.dispose](),
    );
    return resource;
  }

  /** Runs `undo` when the scope ends. */
  defer(undo: () => unknown): void {
    if (this.#closing !== undefined) throw new Error("the scope is closing");
    this.#undo.push(undo);
  }

  [Symbol.asyncDispose](): Promise<void> {
    if (this.#closing === undefined) {
      // Set before anything is undone: what is undone may dispose the scope too.
      const { promise, resolve, reject } = deferred<void>();
      this.#closing = promise;
      this.#close().then(resolve, reject);
    }
    return this.#closing;
  }

  async #close(): Promise<void> {
    const failed: unknown[] = [];
    for (const undo of this.#undo.reverse()) {
      try {
        await undo();
      } catch (error) {
        failed.push(error);
      }
    }
    if (failed.length > 0) throw new AggregateError(failed, "not everything closed");
  }
}
