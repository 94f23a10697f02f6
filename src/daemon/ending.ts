import { sharedController } from "../base/shared-controller.js";
import { type Deferred, deferred } from "../base/signals.js";

/** Why a daemon ends. */
export interface EndCause {
  readonly why: "signal" | "drain" | "idle" | "home_lost";
  /** The signal's name, or who asked, or the home. */
  readonly by: string;
  /** How long open sessions may take. */
  readonly drainTimeoutMs: number;
}

/** The end of a daemon. It begins once, with the first cause; later ones can only make it shorter. */
export class Ending implements Disposable {
  readonly #begun: Deferred<EndCause> = deferred();
  readonly #overdue: Deferred<void> = deferred();
  readonly #controller = sharedController();
  #hasBegun = false;
  #endMs = Number.POSITIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** Ends when the end of the daemon begins. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Resolves when the end begins. */
  get begun(): Promise<EndCause> {
    return this.#begun.promise;
  }

  /** Resolves when the shortest of the drain timeouts is over. */
  get overdue(): Promise<void> {
    return this.#overdue.promise;
  }

  /** What is left of the shortest of the drain timeouts; negative when it is over. */
  get leftMs(): number {
    return this.#endMs - performance.now();
  }

  begin(cause: EndCause): void {
    const endMs = performance.now() + cause.drainTimeoutMs;
    if (endMs < this.#endMs) {
      this.#endMs = endMs;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#overdue.resolve(), cause.drainTimeoutMs);
    }
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    this.#begun.resolve(cause);
    this.#controller.abort(cause);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
