import type { Activity } from "../api/activity.js";
import type { Clock } from "../base/clock.js";

export interface IdleExitOptions {
  /** How long nothing may be asked of a daemon without nodes. */
  readonly idleMs: number;
  /** How long the first call may take to come. Whoever started the daemon was killed, if it does not. */
  readonly firstCallMs: number;
  readonly hasNodes: () => Promise<boolean>;
  readonly onIdle: () => void;
  readonly clock: Clock;
}

/** Notices that a daemon which a client started is of no use any more: no nodes, and no call for a while. */
export class IdleExit implements Activity, Disposable {
  readonly #options: IdleExitOptions;
  #open = 0;
  #timer: Disposable | undefined;
  #isOver = false;

  constructor(options: IdleExitOptions) {
    this.#options = options;
    this.#arm(options.firstCallMs);
  }

  callBegan(): void {
    this.#open += 1;
    this.#disarm();
  }

  callEnded(): void {
    this.#open -= 1;
    if (this.#open === 0) this.#arm(this.#options.idleMs);
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    this.#disarm();
  }

  #arm(delayMs: number): void {
    this.#disarm();
    if (!this.#isOver) this.#timer = this.#options.clock.after(delayMs, () => void this.#look());
  }

  #disarm(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
  }

  /** Nodes come and go by calls alone, and the end of each call leads here again: with nodes there is nothing to do. */
  async #look(): Promise<void> {
    const hasNodes = await this.#options.hasNodes().catch(() => true);
    if (hasNodes || this.#open > 0 || this.#isOver) return;
    this.#isOver = true;
    this.#options.onIdle();
  }
}
