import { abortable, type Deferred, deferred } from "../../base/signals.js";

/** Lets one reader sleep until there may be something new. What happens while it is awake is not missed. */
export class Wakeup {
  #isDue = false;
  #sleeper: Deferred<void> | undefined;

  readonly wake = (): void => {
    this.#isDue = true;
    this.#sleeper?.resolve();
  };

  /** At once if `wake` was called since the last sleep. Rejects with the signal's reason. */
  async sleep(signal: AbortSignal): Promise<void> {
    if (!this.#isDue) {
      this.#sleeper = deferred<void>();
      await abortable(this.#sleeper.promise, signal);
      this.#sleeper = undefined;
    }
    signal.throwIfAborted();
    this.#isDue = false;
  }
}
