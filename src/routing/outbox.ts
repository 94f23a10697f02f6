import type { Gate, GateWaiter } from "../base/gate.js";
import type { Message } from "../model/message.js";
import type { Router } from "./router.js";
import type { DropReason } from "./worker.js";

/**
 * One message that begins on this node, offered until it is taken or dropped. A newer one takes the place of one that
 * still waits. How long a wait lasts is bounded by the queue that it waits for, or by whoever clears the outbox.
 */
export class Outbox implements GateWaiter, Disposable {
  readonly #router: Pick<Router, "send">;
  readonly #settled: (drop: DropReason | undefined) => void;
  #message: Message | undefined;
  #gate: Gate | undefined;

  /** `settled` hears of each message that was taken (undefined) or dropped, maybe before `put` returns. */
  constructor(router: Pick<Router, "send">, settled: (drop: DropReason | undefined) => void = () => {}) {
    this.#router = router;
    this.#settled = settled;
  }

  get isWaiting(): boolean {
    return this.#message !== undefined;
  }

  put(message: Message): void {
    this.clear();
    this.#offer(message);
  }

  /** Forgets the message that waits. */
  clear(): void {
    this.#message = undefined;
    this.#gate?.leave(this);
    this.#gate = undefined;
  }

  gateOpened(): void {
    const message = this.#message;
    this.#message = undefined;
    this.#gate = undefined;
    if (message !== undefined) this.#offer(message);
  }

  [Symbol.dispose](): void {
    this.clear();
  }

  #offer(message: Message): void {
    const outcome = this.#router.send(message);
    if (typeof outcome !== "object") this.#settled(outcome);
    else {
      this.#message = message;
      this.#gate = outcome;
      outcome.wait(this);
    }
  }
}
