import { messageOf, PortwayError } from "../base/errors.js";
import { Gate } from "../base/gate.js";
import type { Log } from "../base/log.js";
import { sharedController } from "../base/shared-controller.js";
import { Address } from "../model/address.js";
import { Message } from "../model/message.js";
import { Route } from "../model/route.js";
import { Outbox } from "../routing/outbox.js";
import type { Registration, Router } from "../routing/router.js";
import type { DropReason, Outcome } from "../routing/worker.js";
import { decodePayload, type Encoding, encodePayload, type Payload } from "./payload.js";

/** A message for a worker. Its bytes are the worker's own. */
export interface ReceivedMessage {
  readonly payload: Uint8Array;
  /** The payload as UTF-8. */
  readonly text: string;
  /** As text; the first address is the worker's. */
  readonly onwardRoute: string;
  /** As text; where an answer goes. Empty if nobody waits for one. */
  readonly returnRoute: string;
  /** Aborted when the worker is closed. */
  readonly signal: AbortSignal;
}

/** What it returns is the answer; undefined sends none. What it throws is logged, and sends none. */
export type WorkerFunction = (message: ReceivedMessage) => Payload | undefined | Promise<Payload | undefined>;

export interface WorkerOptions {
  /** Of the messages and of the answers; `bare` if not given. */
  readonly encoding?: Encoding;
  /** How many calls of the function run at once; 1 if not given, so that messages are handled in their order. */
  readonly concurrency?: number;
  /**
   * The most that may wait, in bytes of payloads and 256 for each message; 1 MiB if not given. Whoever sends more waits;
   * while the function finishes nothing for 10 s, what comes in addition is dropped as `queue_full`.
   */
  readonly maxQueuedBytes?: number;
}

export interface WorkerCounts {
  readonly queuedBytes: number;
  readonly handled: number;
  /** Calls of the function that threw, and answers that could not be sent. */
  readonly failed: number;
}

interface Waiting {
  readonly message: Message;
  readonly payload: Uint8Array;
  readonly bytes: number;
}

const defaultMaxQueuedBytes = 1024 * 1024;
const messageOverheadBytes = 256;
const stallTimeoutMs = 10_000;

/** A function of the program as a worker of the node. */
export class FunctionWorker {
  readonly address: Address;
  readonly #router: Router;
  readonly #run: WorkerFunction;
  readonly #log: Log;
  readonly #encoding: Encoding;
  readonly #concurrency: number;
  readonly #maxQueuedBytes: number;
  readonly #registration: Registration;
  readonly #gate: Gate;
  readonly #closed = sharedController();
  readonly #queue: Waiting[] = [];
  #queuedBytes = 0;
  #running = 0;
  #handled = 0;
  #failed = 0;
  #isStalled = false;

  /** Throws `address_taken`, `bad_address` and `bad_argument`. */
  constructor(router: Router, log: Log, address: string, run: WorkerFunction, options: WorkerOptions) {
    this.#router = router;
    this.#log = log;
    this.#run = run;
    this.#encoding = options.encoding ?? "bare";
    this.#concurrency = positive("concurrency", options.concurrency ?? 1);
    this.#maxQueuedBytes = positive("maxQueuedBytes", options.maxQueuedBytes ?? defaultMaxQueuedBytes);
    this.#gate = new Gate({
      stallTimeoutMs,
      progress: () => this.#handled + this.#failed,
      onStalled: () => {
        this.#isStalled = true;
        this.#log.warn("worker.stalled", { worker: address, queuedBytes: this.#queuedBytes });
      },
    });
    this.address = Address.parse(address);
    this.#registration = router.register(
      this.address,
      { handle: (message) => this.#take(message) },
      { kind: "program" },
    );
  }

  get counts(): WorkerCounts {
    return { queuedBytes: this.#queuedBytes, handled: this.#handled, failed: this.#failed };
  }

  [Symbol.dispose](): void {
    if (this.#closed.signal.aborted) return;
    this.#registration[Symbol.dispose]();
    this.#queue.length = 0;
    this.#queuedBytes = 0;
    this.#closed.abort(new PortwayError("stopped", `the worker ${this.address.text} was closed`));
    this.#gate.open();
  }

  #take(message: Message): Outcome {
    const bytes = message.payloadBytes + messageOverheadBytes;
    // One message is taken into an empty queue however large it is: no frame is larger than 16 MiB.
    if (this.#queuedBytes > 0 && this.#queuedBytes + bytes > this.#maxQueuedBytes) {
      return this.#isStalled ? "queue_full" : this.#gate;
    }
    const kept = message.keep();
    let payload: Uint8Array;
    try {
      payload = decodePayload(kept.payload, this.#encoding);
    } catch {
      return "malformed_payload";
    }
    this.#queue.push({ message: kept, payload, bytes });
    this.#queuedBytes += bytes;
    // Not in the turn of whoever sends: the function may be slow, and may send messages itself.
    queueMicrotask(() => this.#start());
    return undefined;
  }

  #start(): void {
    while (this.#running < this.#concurrency) {
      const next = this.#queue.shift();
      if (next === undefined) return;
      this.#running += 1;
      void this.#handle(next).finally(() => {
        this.#running -= 1;
        if (this.#closed.signal.aborted) return;
        this.#queuedBytes -= next.bytes;
        this.#isStalled = false;
        this.#gate.open();
        this.#start();
      });
    }
  }

  async #handle({ message, payload }: Waiting): Promise<void> {
    const { signal } = this.#closed;
    try {
      const answer = await this.#run({
        payload,
        get text() {
          return Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString("utf8");
        },
        onwardRoute: message.onward.toString(),
        returnRoute: message.return.isEmpty ? "" : message.return.toString(),
        signal,
      });
      if (answer !== undefined && !signal.aborted && !message.return.isEmpty) {
        const drop = await this.#answer(message, encodePayload(answer, this.#encoding));
        if (drop !== undefined) throw new PortwayError("not_connected", `the answer was dropped: ${drop}`);
      }
      this.#handled += 1;
    } catch (error) {
      this.#failed += 1;
      this.#log.error("worker.failed", { worker: this.address.text, error: messageOf(error) });
    }
  }

  /** Resolves when the answer was taken, dropped for a reason, or the worker is closed. */
  #answer(request: Message, payload: Buffer): Promise<DropReason | undefined> {
    const { trace, entrance } = request;
    const back = Route.of(this.address);
    const message = Message.of({ onward: request.return, return: back, payload, trace, entrance });
    const { signal } = this.#closed;
    return new Promise((resolve) => {
      const outbox = new Outbox(this.#router, (drop) => {
        signal.removeEventListener("abort", onClosed);
        resolve(drop);
      });
      const onClosed = (): void => {
        outbox.clear();
        resolve(undefined);
      };
      signal.addEventListener("abort", onClosed, { once: true });
      outbox.put(message);
    });
  }
}

function positive(name: string, value: number): number {
  if (Number.isInteger(value) && value > 0) return value;
  throw new PortwayError("bad_argument", `${name} is ${value}; expected a whole number above 0`, { name });
}
