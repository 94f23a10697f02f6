import type { Clock } from "../base/clock.js";
import { PortwayError } from "../base/errors.js";
import { Gate } from "../base/gate.js";
import type { Address } from "../model/address.js";
import { type Entrance, type ExitObserver, Message } from "../model/message.js";
import { maxRouteBytes, Route } from "../model/route.js";
import type { Registration, Router } from "../routing/router.js";
import type { Outcome, Worker } from "../routing/worker.js";
import type {
  MessageGrant,
  OpenWorkerSpec,
  OutgoingMessage,
  OutgoingReply,
  WorkerControl,
} from "./engine.js";
import { OpenWorkerOutbox } from "./open-worker-outbox.js";
import { messageBytes, OpenWorkerQueue, type QueuedMessage } from "./open-worker-queue.js";
import { ReplyPaths } from "./open-worker-replies.js";
import { ClientStream, type StreamedWorker } from "./open-worker-stream.js";
import { parseLocalRoute } from "./route-resolver.js";

/**
 * How long senders wait at a full queue that gives nothing away. With the quarter that the gate may add it is half of
 * what a connection waits for a peer that takes nothing (10 s): the connections that are not read meanwhile must not be
 * taken for dead by their other ends because of a program that stands still.
 */
export const waitLimitMs = 4_000;

export interface OpenWorkerOptions {
  readonly router: Router;
  readonly clock: Clock;
  readonly address: Address;
  readonly token: string;
  readonly spec: OpenWorkerSpec;
  /** Its address is free again. */
  readonly ended: () => void;
  readonly waitLimitMs?: number;
}

/**
 * A worker whose program is elsewhere. What arrives stands in a bounded queue until the program's stream takes it; the
 * stream may break off and come again within the resume window.
 */
export class OpenWorker implements Worker, WorkerControl, StreamedWorker, ExitObserver {
  readonly address: Address;
  readonly token: string;
  readonly #options: OpenWorkerOptions;
  readonly #registration: Registration;
  readonly #queue: OpenWorkerQueue;
  readonly #replies = new ReplyPaths();
  readonly #outbox: OpenWorkerOutbox;
  readonly #gate: Gate;
  readonly #waitLimitMs: number;
  /** Connections that it sent on: answers come in there. */
  readonly #sentOn = new WeakSet<Entrance>();
  #stream: ClientStream | undefined;
  #window: Disposable | undefined;
  /** Since when the queue has been full and has given nothing away. */
  #stuckSinceMs: number | undefined;
  #refused = 0;
  #hasEnded = false;

  /** Throws `address_taken`. */
  constructor(options: OpenWorkerOptions) {
    const { router, clock, address, token, spec } = options;
    this.#options = options;
    this.address = address;
    this.token = token;
    this.#waitLimitMs = options.waitLimitMs ?? waitLimitMs;
    this.#queue = new OpenWorkerQueue({ maxMessages: spec.queueMessages, maxBytes: spec.queueBytes });
    this.#outbox = new OpenWorkerOutbox(router, clock);
    this.#gate = new Gate({
      stallTimeoutMs: this.#waitLimitMs,
      progress: () => this.#queue.removed,
      onStalled: () => {
        this.#stuckSinceMs = Number.NEGATIVE_INFINITY;
      },
    });
    this.#registration = router.register(address, this, {
      kind: "program",
      hasSentOn: (entrance) => this.#sentOn.has(entrance),
    });
  }

  get refusedMessages(): number {
    return this.#refused;
  }

  /** From now on `woken` is called for this stream; the one before hears `worker_resumed`. */
  attach(woken: () => void, resumed: boolean): ClientStream {
    const { clock, spec } = this.#options;
    this.#window?.[Symbol.dispose]();
    this.#window = undefined;
    const before = this.#stream;
    const redeliveredThroughId = this.#queue.sentId;
    this.#queue.rewind();
    const { address, token } = this;
    const nextId = this.#queue.oldestId;
    const stream = new ClientStream({
      worker: this,
      clock,
      opened: { node: spec.node, address: address.text, token, resumed, nextId },
      redeliveredThroughId,
      woken,
    });
    this.#stream = stream;
    const said = `another call took the worker ${address.text} over with its token`;
    before?.end(new PortwayError("worker_resumed", said, { address: address.text }));
    return stream;
  }

  detached(stream: ClientStream): void {
    if (this.#stream !== stream) return;
    this.#stream = undefined;
    const { clock, spec } = this.#options;
    if (spec.resumeWindowMs <= 0) this.close();
    else this.#window = clock.after(spec.resumeWindowMs, () => this.close());
  }

  nextMessage(): QueuedMessage | undefined {
    return this.#queue.peek();
  }

  messageTaken(message: QueuedMessage): void {
    this.#replies.remember(message);
    this.#queue.sent();
    if (this.#options.spec.resumeWindowMs <= 0) this.#remove(message.id);
  }

  handle(message: Message): Outcome {
    const { clock, spec } = this.#options;
    if (!this.#queue.hasRoomFor(messageBytes(message))) {
      this.#stuckSinceMs ??= clock.monotonicMs();
      const isStuck = clock.monotonicMs() - this.#stuckSinceMs >= this.#waitLimitMs;
      if (spec.whenFull === "wait" && !isStuck) return this.#gate;
      this.#refused += 1;
      this.#stream?.wake();
      return "queue_full";
    }
    this.#queue.add(message, clock.wallMs());
    this.#stream?.wake();
    return undefined;
  }

  leftOn(entrance: Entrance): void {
    this.#sentOn.add(entrance);
  }

  grant(grant: MessageGrant): void {
    if (this.#hasEnded) return;
    if (this.#stream === undefined) {
      const said = `the worker ${this.address.text} has no stream at present that messages could be granted to`;
      throw new PortwayError("stream_detached", said, { address: this.address.text });
    }
    this.#stream.grant(grant);
  }

  acknowledge(throughId: number): void {
    if (this.#hasEnded) return;
    if (!this.#queue.wasSent(throughId)) {
      const { sentId } = this.#queue;
      const said = `message ${throughId} can't be acknowledged: the last one that was sent is ${sentId}`;
      throw new PortwayError("bad_argument", said, { id: throughId, sent: sentId });
    }
    this.#remove(throughId);
  }

  async send({ onward, return: back, payload, trace }: OutgoingMessage): Promise<void> {
    const to = parseLocalRoute(onward);
    if (to.isEmpty) throw new PortwayError("bad_route", "the onward route is empty", { route: onward });
    checkLength(to);
    await this.#send(
      Message.of({
        onward: to,
        return: this.#returnRoute(back),
        payload: bufferOf(payload),
        trace: trace === "" ? undefined : Buffer.from(trace),
        exit: this,
      }),
    );
  }

  async reply({ toId, payload, return: back }: OutgoingReply): Promise<void> {
    const path = this.#replies.get(toId);
    if (path === undefined) {
      const said = `message ${toId} is none whose way back is known: it was not received, or too long ago`;
      throw new PortwayError("message_not_found", said, { id: toId });
    }
    if (path.return.isEmpty) {
      const said = `message ${toId} has no return route: its sender wants no answer`;
      throw new PortwayError("bad_route", said, { id: toId });
    }
    // With the entrance of what it answers: its sender reaches no more through us than without.
    const { trace, entrance } = path;
    const payloadBytes = bufferOf(payload);
    const onward = path.return;
    await this.#send(
      Message.of({ onward, return: this.#returnRoute(back), payload: payloadBytes, trace, entrance }),
    );
  }

  /** Ends it: the address is free, and what it has is dropped. Idempotent. */
  close(error?: PortwayError): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#registration[Symbol.dispose]();
    this.#window?.[Symbol.dispose]();
    this.#outbox[Symbol.dispose]();
    this.#queue.clear();
    this.#replies.clear();
    this.#options.ended();
    this.#stream?.end(error);
    // Those who wait find that nobody is here.
    this.#gate.open();
  }

  #send(message: Message): Promise<void> {
    if (!this.#hasEnded) return this.#outbox.send(message);
    return Promise.reject(new PortwayError("stopped", `the worker ${this.address.text} has ended`));
  }

  #remove(throughId: number): void {
    const before = this.#queue.removed;
    this.#queue.acknowledge(throughId);
    if (this.#queue.removed === before) return;
    this.#stuckSinceMs = undefined;
    if (this.#queue.hasRoomFor(0)) this.#gate.open();
  }

  #returnRoute(text: string): Route {
    if (text === "") return Route.of(this.address);
    try {
      const route = Route.parse(text);
      checkLength(route);
      return route;
    } catch (error) {
      if (!(error instanceof PortwayError)) throw error;
      const said = `the return route is wrong: ${error.message}`;
      throw new PortwayError(error.code, said, { ...error.facts, isReturnRoute: true });
    }
  }
}

function checkLength({ byteLength }: Route): void {
  if (byteLength <= maxRouteBytes) return;
  const said = `the route has ${byteLength} bytes; at most ${maxRouteBytes}`;
  throw new PortwayError("bad_route", said, { bytes: byteLength, max: maxRouteBytes });
}

function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
