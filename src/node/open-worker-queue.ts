import type { Message } from "../model/message.js";

/** A message that arrived at an open worker. */
export interface QueuedMessage {
  readonly id: number;
  /** With bytes of its own. */
  readonly message: Message;
  /** Wall clock. */
  readonly receiveTimeMs: number;
}

export interface QueueLimits {
  readonly maxMessages: number;
  /** Of payloads, routes and traces. A larger message is taken when nothing else is there. */
  readonly maxBytes: number;
}

export function messageBytes({ onward, return: back, payloadBytes, trace }: Message): number {
  return onward.byteLength + back.byteLength + payloadBytes + (trace?.length ?? 0);
}

/**
 * What came in at a worker, numbered from 1: in front what was sent to its client and not acknowledged yet, behind it
 * what was not sent yet. Both count for the limits.
 */
export class OpenWorkerQueue {
  readonly #limits: QueueLimits;
  readonly #messages = new Map<number, QueuedMessage>();
  #oldestId = 1;
  /** To be sent next. */
  #nextId = 1;
  #lastId = 0;
  #sentId = 0;
  #bytes = 0;
  #removed = 0;

  constructor(limits: QueueLimits) {
    this.#limits = limits;
  }

  /** Changes whenever something left the queue. */
  get removed(): number {
    return this.#removed;
  }

  /** The last id that was ever sent to a client; 0 for none. */
  get sentId(): number {
    return this.#sentId;
  }

  get oldestId(): number {
    return this.#oldestId;
  }

  hasRoomFor(bytes: number): boolean {
    const { maxMessages, maxBytes } = this.#limits;
    if (this.#messages.size === 0) return true;
    return this.#messages.size < maxMessages && this.#bytes + bytes <= maxBytes;
  }

  /** Copies what the message lies in. */
  add(message: Message, receiveTimeMs: number): void {
    this.#lastId += 1;
    this.#bytes += messageBytes(message);
    this.#messages.set(this.#lastId, { id: this.#lastId, message: message.keep(), receiveTimeMs });
  }

  /** The one to be sent next. */
  peek(): QueuedMessage | undefined {
    return this.#messages.get(this.#nextId);
  }

  /** The one that `peek` gave was sent. */
  sent(): void {
    this.#sentId = Math.max(this.#sentId, this.#nextId);
    this.#nextId += 1;
  }

  /** Whether a client could acknowledge it: it was sent once. */
  wasSent(id: number): boolean {
    return id <= this.#sentId;
  }

  /** Removes all messages up to `id`, which was sent. */
  acknowledge(id: number): void {
    for (; this.#oldestId <= id; this.#oldestId += 1) {
      const queued = this.#messages.get(this.#oldestId);
      if (queued === undefined) continue;
      this.#messages.delete(this.#oldestId);
      this.#bytes -= messageBytes(queued.message);
      this.#removed += 1;
    }
    this.#nextId = Math.max(this.#nextId, this.#oldestId);
  }

  /** For another client: everything that is still there is to be sent again. */
  rewind(): void {
    this.#nextId = this.#oldestId;
  }

  clear(): void {
    this.#messages.clear();
    this.#bytes = 0;
  }
}
