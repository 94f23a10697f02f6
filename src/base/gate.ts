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
  /**
   * Called when the queue gives nothing away: looks from then on for what `progress` does not show. What it gives is
   * asked before a stall is reported; true gives the queue as long again. Must not reject.
   */
  readonly watch?: () => () => Promise<boolean>;
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
  /** Until the next look. None while nobody waits, and while `#isSpared` is asked. */
  #timer: NodeJS.Timeout | undefined;
  #progress = 0;
  #looksWithout = 0;
  #isSpared: (() => Promise<boolean>) | undefined;
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
    if (this.#timer !== undefined || this.#isSpared !== undefined) return;
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

  readonly #look = (): void => {
    this.#timer = undefined;
    const { progress, watch } = this.#options;
    const now = progress();
    if (now === this.#progress) this.#looksWithout += 1;
    else this.#startAgain();
    this.#progress = now;
    if (this.#looksWithout > 0) this.#isSpared ??= watch?.();
    if (this.#looksWithout < looks) this.#lookLater();
    else if (this.#isSpared === undefined) this.#decide(false);
    else void this.#ask(this.#isSpared);
  };

  #startAgain(): void {
    this.#looksWithout = 0;
    this.#isSpared = undefined;
  }

  async #ask(isSpared: () => Promise<boolean>): Promise<void> {
    const said = await isSpared();
    // Unless it was opened meanwhile, or left by all; and perhaps waited at anew.
    if (this.#isSpared === isSpared) this.#decide(said);
  }

  #decide(isSpared: boolean): void {
    const { watch, onStalled } = this.#options;
    this.#startAgain();
    if (isSpared) {
      this.#isSpared = watch?.();
      this.#lookLater();
      return;
    }
    onStalled();
    // One who came to wait when the owner had gone already is not left behind.
    this.open();
  }

  #lookLater(): void {
    this.#timer = setTimeout(this.#look, this.#options.stallTimeoutMs / looks);
  }

  #stopTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#isSpared = undefined;
  }
}
