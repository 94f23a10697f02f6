import assert from "node:assert/strict";
import { Gate, type GateWaiter } from "../../src/base/gate.js";
import { deferred } from "../../src/base/signals.js";
import { Address } from "../../src/model/address.js";
import type { Entrance, Message } from "../../src/model/message.js";
import type { CloseReason, Connection, ConnectionUser } from "../../src/transport/transport.js";

/** What crosses a transport, in a form that stays and can be compared. */
export interface Kept {
  readonly onward: string;
  readonly return: string;
  readonly payload: Buffer;
  readonly trace: string | undefined;
}

export function kept(message: Message): Kept {
  return {
    onward: message.onward.toString(),
    return: message.return.toString(),
    payload: Buffer.from(message.payload),
    trace: message.trace?.toString("hex"),
  };
}

/** A user that keeps what it gets. `answer` may refuse a message with a gate, which is then not kept. */
export class CollectingUser implements ConnectionUser {
  readonly entrance: Entrance = { address: Address.random() };
  readonly messages: Kept[] = [];
  receivedBytes = 0;
  answer: ((message: Message) => Gate | undefined) | undefined;
  /** False counts only. */
  keeps = true;
  count = 0;
  ended: CloseReason | undefined;
  error: Error | undefined;
  calledAfterEnd = false;
  readonly #end = deferred<CloseReason>();
  readonly #waits: { readonly isTrue: () => boolean; readonly resolve: () => void }[] = [];

  received(message: Message): Gate | undefined {
    if (this.ended !== undefined) this.calledAfterEnd = true;
    const gate = this.answer?.(message);
    if (gate !== undefined) return gate;
    if (this.keeps) this.messages.push(kept(this.#asSent(message)));
    this.count += 1;
    this.receivedBytes += message.payload.byteLength;
    this.#look();
    return undefined;
  }

  /** Without the entrance, which every transport puts in front of the return route. */
  #asSent(message: Message): Message {
    const { onward, return: back } = message;
    assert.equal(message.entrance, this.entrance);
    assert.ok(back.first.equals(this.entrance.address));
    return message.withRoutes(onward, back.rest());
  }

  closed(reason: CloseReason, error: Error | undefined): void {
    if (this.ended !== undefined) this.calledAfterEnd = true;
    this.ended = reason;
    this.error = error;
    this.#end.resolve(reason);
  }

  /** How the connection ended. */
  get end(): Promise<CloseReason> {
    return this.#end.promise;
  }

  /** Waits until `count` messages were taken. */
  has(count: number): Promise<void> {
    return this.becomes(() => this.count >= count);
  }

  /** Waits until something is true after a message was taken. */
  becomes(isTrue: () => boolean): Promise<void> {
    const wait = deferred<void>();
    this.#waits.push({ isTrue, resolve: wait.resolve });
    this.#look();
    return wait.promise;
  }

  #look(): void {
    for (const wait of [...this.#waits]) {
      if (!wait.isTrue()) continue;
      this.#waits.splice(this.#waits.indexOf(wait), 1);
      wait.resolve();
    }
  }
}

/** A gate for a test to open, whose queue is never called stalled. */
export function closedGate(): Gate {
  return new Gate({ stallTimeoutMs: 3_600_000, progress: () => 0, onStalled: () => {} });
}

/** Waits until the gate opens. */
export function opened(gate: Gate): Promise<void> {
  return new Promise((resolve) => {
    const waiter: GateWaiter = { gateOpened: resolve };
    gate.wait(waiter);
  });
}

/** Sends every message, waiting wherever the queue is full. Gives how often that was. */
export async function sendAll(connection: Connection, messages: Iterable<Message>): Promise<number> {
  let waits = 0;
  for (const message of messages) {
    for (let gate = connection.send(message); gate !== undefined; gate = connection.send(message)) {
      waits += 1;
      await opened(gate);
    }
  }
  return waits;
}
