import type { Clock } from "../base/clock.js";
import type { PortwayError } from "../base/errors.js";
import type {
  MessageGrant,
  OpenedWorker,
  OutgoingMessage,
  OutgoingReply,
  WorkerControl,
  WorkerEvent,
  WorkerMessage,
  WorkerStream,
} from "./engine.js";
import type { QueuedMessage } from "./open-worker-queue.js";

/** The worker behind a stream, as the stream sees it. */
export interface StreamedWorker extends Pick<WorkerControl, "acknowledge" | "send" | "reply" | "close"> {
  /** Messages that were not taken because the queue was full. */
  readonly refusedMessages: number;
  /** What is to be taken next. */
  nextMessage(): QueuedMessage | undefined;
  /** The stream took what `nextMessage` gave. */
  messageTaken(message: QueuedMessage): void;
  /** The client of the stream is gone. */
  detached(stream: ClientStream): void;
}

/** So often at most a client hears that senders are refused. */
const refusedEveryMs = 1_000;

export interface ClientStreamOptions {
  readonly worker: StreamedWorker;
  readonly clock: Clock;
  readonly opened: OpenedWorker;
  /** What an earlier stream took last. */
  readonly redeliveredThroughId: number;
  readonly woken: () => void;
}

/** The client that a worker has at present: what was granted, and what it takes. */
export class ClientStream implements WorkerStream {
  readonly opened: OpenedWorker;
  readonly #worker: StreamedWorker;
  readonly #clock: Clock;
  readonly #redeliveredThroughId: number;
  readonly #woken: () => void;
  #messagesLeft = 0;
  #bytesLeft = 0;
  /** Told that the bytes do not suffice, and no grant came since. */
  #saidStarved = false;
  #saidRefused = 0;
  #refusedPause: Disposable | undefined;
  #ended: { readonly error: PortwayError | undefined } | undefined;
  #saidEnded = false;

  constructor({ worker, clock, opened, redeliveredThroughId, woken }: ClientStreamOptions) {
    this.#worker = worker;
    this.#clock = clock;
    this.opened = opened;
    this.#redeliveredThroughId = redeliveredThroughId;
    this.#woken = woken;
  }

  take(): WorkerEvent | undefined {
    if (this.#saidEnded) return undefined;
    if (this.#ended !== undefined) {
      this.#saidEnded = true;
      return { kind: "ended", error: this.#ended.error };
    }
    return this.#takeRefused() ?? this.#takeMessage();
  }

  /** Something came in, was refused, or ended. */
  wake(): void {
    this.#woken();
  }

  /** The worker ended, or belongs to another stream now. */
  end(error: PortwayError | undefined): void {
    if (this.#ended !== undefined) return;
    this.#ended = { error };
    this.#refusedPause?.[Symbol.dispose]();
    this.#woken();
  }

  grant({ messages, bytes }: MessageGrant): void {
    if (this.#ended !== undefined) return;
    this.#messagesLeft += messages;
    this.#bytesLeft += bytes;
    this.#saidStarved = false;
    this.#woken();
  }

  acknowledge(throughId: number): void {
    if (this.#ended === undefined) this.#worker.acknowledge(throughId);
  }

  send(message: OutgoingMessage): Promise<void> {
    return this.#worker.send(message);
  }

  reply(reply: OutgoingReply): Promise<void> {
    return this.#worker.reply(reply);
  }

  close(): void {
    if (this.#ended === undefined) this.#worker.close();
  }

  detach(): void {
    if (this.#ended !== undefined) return;
    this.#ended = { error: undefined };
    this.#saidEnded = true;
    this.#refusedPause?.[Symbol.dispose]();
    this.#worker.detached(this);
  }

  #takeMessage(): WorkerEvent | undefined {
    const next = this.#worker.nextMessage();
    if (next === undefined || this.#messagesLeft < 1) return undefined;
    const { payloadBytes } = next.message;
    if (payloadBytes > this.#bytesLeft) {
      if (this.#saidStarved) return undefined;
      this.#saidStarved = true;
      return { kind: "starved", payloadBytes, grantedBytes: this.#bytesLeft };
    }
    this.#messagesLeft -= 1;
    this.#bytesLeft -= payloadBytes;
    this.#worker.messageTaken(next);
    return { kind: "message", message: this.#view(next) };
  }

  #takeRefused(): WorkerEvent | undefined {
    const total = this.#worker.refusedMessages;
    if (total === this.#saidRefused || this.#refusedPause !== undefined) return undefined;
    this.#saidRefused = total;
    this.#refusedPause = this.#clock.after(refusedEveryMs, () => {
      this.#refusedPause = undefined;
      if (this.#worker.refusedMessages !== this.#saidRefused) this.#woken();
    });
    return { kind: "refused", total };
  }

  #view({ id, message, receiveTimeMs }: QueuedMessage): WorkerMessage {
    const { onward, return: back, payload, trace } = message;
    return {
      id,
      onward: onward.toString(),
      return: back.toString(),
      payload,
      trace: trace?.toString() ?? "",
      redelivered: id <= this.#redeliveredThroughId,
      receiveTimeMs,
    };
  }
}
