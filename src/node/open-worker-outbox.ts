import type { Clock } from "../base/clock.js";
import { PortwayError } from "../base/errors.js";
import type { Gate, GateWaiter } from "../base/gate.js";
import { type Deferred, deferred } from "../base/signals.js";
import type { Message } from "../model/message.js";
import { failureOf } from "../routing/request.js";
import type { Router } from "../routing/router.js";

/** How long a message may wait for its first hop, and for those that were sent before it. */
const sendTimeoutMs = 10_000;
const maxWaitingMessages = 256;
const maxWaitingBytes = 16 * 1024 * 1024;

interface Waiting {
  readonly message: Message;
  readonly taken: Deferred<void>;
  readonly timer: Disposable;
}

/** What a worker sends, in order: a message whose first hop is full holds back the ones behind it for a limited time. */
export class OpenWorkerOutbox implements GateWaiter, Disposable {
  readonly #router: Pick<Router, "send" | "find">;
  readonly #clock: Clock;
  readonly #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #gate: Gate | undefined;

  constructor(router: Pick<Router, "send" | "find">, clock: Clock) {
    this.#router = router;
    this.#clock = clock;
  }

  /**
   * Resolves when the first hop took the message. Rejects as `request` does for a drop, with `queue_full` after
   * sendTimeoutMs, with `too_many` if too much waits already, and with `stopped` if the worker ended.
   */
  async send(message: Message): Promise<void> {
    if (this.#waiting.length === 0) {
      const outcome = this.#router.send(message);
      if (typeof outcome === "string") throw failureOf(outcome, message.onward, this.#router);
      if (outcome === undefined) return;
      this.#waitAt(outcome);
    }
    const { payloadBytes } = message;
    if (this.#waiting.length >= maxWaitingMessages || this.#waitingBytes + payloadBytes > maxWaitingBytes) {
      const limit = `${maxWaitingMessages} messages or ${maxWaitingBytes} bytes`;
      throw new PortwayError("too_many", `more than ${limit} of the worker wait to be sent`);
    }
    const waiting: Waiting = {
      message,
      taken: deferred<void>(),
      timer: this.#clock.after(sendTimeoutMs, () => this.#late(waiting)),
    };
    this.#waitingBytes += payloadBytes;
    this.#waiting.push(waiting);
    return waiting.taken.promise;
  }

  gateOpened(): void {
    this.#gate = undefined;
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      const outcome = this.#router.send(first.message);
      if (typeof outcome === "object") {
        this.#waitAt(outcome);
        return;
      }
      this.#remove(first);
      if (outcome === undefined) first.taken.resolve();
      else first.taken.reject(failureOf(outcome, first.message.onward, this.#router));
    }
  }

  [Symbol.dispose](): void {
    this.#leaveGate();
    for (const waiting of [...this.#waiting]) {
      this.#remove(waiting);
      waiting.taken.reject(new PortwayError("stopped", "the worker ended before the message was sent"));
    }
  }

  #waitAt(gate: Gate): void {
    this.#gate = gate;
    gate.wait(this);
  }

  #leaveGate(): void {
    this.#gate?.leave(this);
    this.#gate = undefined;
  }

  #late(waiting: Waiting): void {
    const wasFirst = this.#waiting[0] === waiting;
    this.#remove(waiting);
    const route = waiting.message.onward.toString();
    const said = `the first hop of ${route} took no message within ${sendTimeoutMs} ms`;
    waiting.taken.reject(new PortwayError("queue_full", said, { route }));
    if (!wasFirst) return;
    // The next one may go elsewhere.
    this.#leaveGate();
    this.gateOpened();
  }

  #remove(waiting: Waiting): void {
    const at = this.#waiting.indexOf(waiting);
    if (at < 0) return;
    this.#waiting.splice(at, 1);
    this.#waitingBytes -= waiting.message.payloadBytes;
    waiting.timer[Symbol.dispose]();
  }
}
