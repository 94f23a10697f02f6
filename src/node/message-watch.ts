import type { PortwayError } from "../base/errors.js";
import { Address } from "../model/address.js";
import type { Message } from "../model/message.js";
import type { WorkerInfo } from "../routing/worker.js";
import type { MessageEvent, MessageWatch, WatchMessages } from "./engine.js";
import { parseLocalRoute } from "./route-resolver.js";

/** What waits for a watcher; what comes beyond that is skipped. */
const maxWaitingEvents = 1024;
const maxWaitingBytes = 4 * 1024 * 1024;
/** What an event takes up beside its texts and its payload. */
const eventBytes = 256;

export interface Watched {
  readonly kind: MessageEvent["kind"];
  readonly message: Message;
  readonly worker: WorkerInfo | undefined;
  readonly dropReason: string;
  readonly timeMs: number;
}

/** One watcher: what it wants to see, and the events that wait for it. */
export class QueuedMessageWatch implements MessageWatch {
  readonly #kinds: ReadonlySet<string>;
  readonly #address: Address | undefined;
  readonly #prefix: readonly Address[];
  readonly #maxPayloadBytes: number;
  readonly #woken: () => void;
  readonly #closed: (watch: QueuedMessageWatch) => void;
  /** What was taken leaves a gap in front, so that it is not kept for as long as something waits. */
  #waiting: (MessageEvent | undefined)[] = [];
  #taken = 0;
  #waitingBytes = 0;
  #skipped = 0;
  #error: PortwayError | undefined;

  /** Throws `bad_address` and `bad_route`. */
  constructor(
    { address, onwardPrefix, kinds, maxPayloadBytes }: WatchMessages,
    woken: () => void,
    closed: (watch: QueuedMessageWatch) => void,
  ) {
    this.#kinds = new Set(kinds);
    this.#address = address === "" ? undefined : Address.parse(address);
    this.#prefix = parseLocalRoute(onwardPrefix).addresses();
    this.#maxPayloadBytes = maxPayloadBytes;
    this.#woken = woken;
    this.#closed = closed;
  }

  offer(watched: Watched): void {
    if (!this.#wants(watched)) return;
    if (this.#waiting.length - this.#taken >= maxWaitingEvents || this.#waitingBytes >= maxWaitingBytes) {
      this.#skipped += 1;
      return;
    }
    const event = viewOf(watched, this.#maxPayloadBytes, this.#skipped);
    this.#skipped = 0;
    this.#waiting.push(event);
    this.#waitingBytes += bytesOf(event);
    this.#woken();
  }

  take(): MessageEvent | undefined {
    const event = this.#waiting[this.#taken];
    if (event === undefined) {
      if (this.#error !== undefined) throw this.#error;
      return undefined;
    }
    this.#waiting[this.#taken] = undefined;
    this.#taken += 1;
    this.#waitingBytes -= bytesOf(event);
    if (this.#taken === this.#waiting.length || this.#taken >= maxWaitingEvents) {
      this.#waiting = this.#waiting.slice(this.#taken);
      this.#taken = 0;
    }
    return event;
  }

  /** The node is gone. */
  end(error: PortwayError): void {
    this.#error = error;
    this.#closed(this);
    this.#woken();
  }

  [Symbol.dispose](): void {
    this.#closed(this);
    this.#waiting = [];
    this.#taken = 0;
  }

  #wants({ kind, message }: Watched): boolean {
    if (this.#kinds.size > 0 && !this.#kinds.has(kind)) return false;
    const { onward } = message;
    if (this.#address !== undefined && (onward.isEmpty || !onward.firstIs(this.#address))) return false;
    let rest = onward;
    for (const address of this.#prefix) {
      if (rest.isEmpty || !rest.firstIs(address)) return false;
      rest = rest.rest();
    }
    return true;
  }
}

function viewOf(
  { kind, message, worker, dropReason, timeMs }: Watched,
  maxPayloadBytes: number,
  skipped: number,
): MessageEvent {
  const { onward, return: back, payloadBytes, entrance } = message;
  const { memory, payloadStart } = message.cargo;
  const shown = Math.min(payloadBytes, maxPayloadBytes);
  return {
    timeMs,
    kind,
    address: onward.isEmpty ? "" : onward.first.text,
    workerKind: worker?.kind,
    dropReason,
    onward: onward.toString(),
    return: back.toString(),
    payload: Uint8Array.prototype.slice.call(memory, payloadStart, payloadStart + shown),
    payloadBytes,
    entrance: entrance?.address.text ?? "",
    skipped,
  };
}

function bytesOf({ onward, return: back, payload }: MessageEvent): number {
  return eventBytes + onward.length + back.length + payload.length;
}
