/** Something that is read from and can wait: a connection, a socket. */
export interface GateWaiter {
  /** The gate is open: what was held back can be offered again. Called at most once per wait. */
  gateOpened(): void;
}

export interface GateOptions {
  /** How long the queue behind the gate may give nothing away while somebody waits. */
  readonly stallTimeoutMs: number;
  /** A number that changes whenever the queue gave something away. */
  readonly progress: () => number;
  /** Asked before a stall is reported: true gives the queue as long again. */
  readonly isSpared?: () => boolean;
  /**
   * The queue gave nothing away for `stallTimeoutMs` while somebody waited: its owner must cut it off. Those who wait
   * are called afterwards in any case.
   */
  readonly onStalled: () => void;
}

/**
 * How often the progress is looked at in the time that a queue has. One that filled up soon after the wait began is
 * then reported after the time and a quarter of it, not after twice the time.
 */
const looks = 4;

/**
 * The way into a bounded queue. While the queue is full, what is offered is not taken; whoever offered it keeps it,
 * stops reading its own source, and waits here. The owner of the queue opens the gate when there is room again.
 *
 * Waiting is bounded: a queue that gives nothing away for `stallTimeoutMs` is reported, so that neither a peer that
 * reads nothing nor a cycle of full queues stops the sources for good.
 */
export class Gate {
  readonly #options: GateOptions;
  readonly #waiters: Set<GateWaiter> = new Set();
  #timer: NodeJS.Timeout | undefined;
  #progress = 0;
  #looksWithout = 0;
  #waits = 0;

  constructor(options: GateOptions) {
    this.#options = options;
  }

  get waiting(): number {
    return this.#waiters.size;
  }

  wait(waiter: GateWaiter): void {
    this.#waits += 1;
    this.#waiters.add(waiter);
    if (this.#timer !== undefined) return;
    this.#progress = this.#options.progress();
    this.#looksWithout = 0;
    this.#lookLater();
  }

  /** Ends a wait without its call. */
  leave(waiter: GateWaiter): void {
    this.#waiters.delete(waiter);
    if (this.#waiters.size === 0) this.#stopTimer();
  }

  /**
   * There is room, or the queue is gone: those who wait may offer again, in the order in which they came, until one has
   * to wait again. That one is last then, so that nobody waits for ever behind others who fill the queue.
   */
  open(): void {
    if (this.#waiters.size === 0) return;
    this.#stopTimer();
    const round = ++this.#waits;
    // One that is called may make others leave.
    for (const waiter of [...this.#waiters]) {
      if (!this.#waiters.delete(waiter)) continue;
      waiter.gateOpened();
      if (this.#waits !== round) return;
    }
  }

  readonly #check = (): void => {
    this.#timer = undefined;
    const { progress, isSpared, onStalled } = this.#options;
    const now = progress();
    this.#looksWithout = now === this.#progress ? this.#looksWithout + 1 : 0;
    this.#progress = now;
    if (this.#looksWithout >= looks) {
      if (isSpared?.() !== true) {
        onStalled();
        // One who came to wait when the owner had gone already is not left behind.
        this.open();
        return;
      }
      this.#looksWithout = 0;
    }
    this.#lookLater();
  };

  #lookLater(): void {
    this.#timer = setTimeout(this.#check, this.#options.stallTimeoutMs / looks);
  }

  #stopTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
