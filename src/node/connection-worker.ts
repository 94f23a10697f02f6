import { PortwayError } from "../base/errors.js";
import type { Gate } from "../base/gate.js";
import { Roster } from "../base/roster.js";
import { Address } from "../model/address.js";
import type { Message } from "../model/message.js";
import { formatSocketAddress } from "../model/socket-address.js";
import { type Arrival, part } from "../routing/arrival.js";
import type { Registration, Router } from "../routing/router.js";
import type { Outcome, Worker } from "../routing/worker.js";
import type { CloseReason, Connection, ConnectionTraffic, ConnectionUser } from "../transport/transport.js";

export interface ConnectionWorkerOptions {
  readonly router: Router;
  readonly by: Arrival["by"];
  /** See Transport. */
  readonly isReliable: boolean;
  /** Told each time the link ends. */
  readonly lost: (reason: CloseReason, error: Error | undefined) => void;
}

/**
 * A connection as a worker: what is sent to its address leaves on it, what arrives on it has its address in front of
 * the return route. It keeps its address from link to link; while there is none, messages are dropped.
 */
export class ConnectionWorker implements Worker, ConnectionUser, Arrival, Disposable {
  readonly address: Address;
  readonly by: Arrival["by"];
  readonly isReliable: boolean;
  readonly hops: ReadonlySet<string>;
  readonly joined = new Set<Arrival>();
  readonly #router: Router;
  readonly #registration: Registration;
  readonly #lost: ConnectionWorkerOptions["lost"];
  readonly #lostListeners = new Roster<() => void>();
  #connection: Connection | undefined;
  #isBlocked = false;
  #past: ConnectionTraffic = { receivedMessages: 0, receivedBytes: 0, sentMessages: 0, sentBytes: 0 };

  constructor({ router, by, isReliable, lost }: ConnectionWorkerOptions) {
    this.#router = router;
    this.by = by;
    this.isReliable = isReliable;
    this.address = isReliable ? Address.random() : Address.randomUnreliable();
    this.#lost = lost;
    this.hops = new Set(
      [...router.workers()].filter(({ service }) => service === "hop").map(({ address }) => address.key),
    );
    this.#registration = router.register(this.address, this, { kind: "connection", hearsFrom: this });
  }

  get entrance(): Arrival {
    return this;
  }

  get connection(): Connection | undefined {
    return this.#connection;
  }

  get peer(): string {
    return this.#connection === undefined ? "" : formatSocketAddress(this.#connection.peer);
  }

  get local(): string {
    return this.#connection === undefined ? "" : formatSocketAddress(this.#connection.local);
  }

  get isBlocked(): boolean {
    return this.#isBlocked;
  }

  /** Of all links together. */
  get traffic(): ConnectionTraffic {
    const past = this.#past;
    const present = this.#connection?.traffic;
    if (present === undefined) return past;
    return {
      receivedMessages: past.receivedMessages + present.receivedMessages,
      receivedBytes: past.receivedBytes + present.receivedBytes,
      sentMessages: past.sentMessages + present.sentMessages,
      sentBytes: past.sentBytes + present.sentBytes,
    };
  }

  /** The transport's attach: from now on messages leave on `connection`. */
  attach(connection: Connection): ConnectionUser {
    this.#connection = connection;
    return this;
  }

  onLost(lost: () => void): Disposable {
    const place = this.#lostListeners.add(lost);
    if (this.#connection === undefined) {
      place[Symbol.dispose]();
      lost();
    }
    return place;
  }

  watchTaking(): () => Promise<boolean> {
    return this.#connection?.watchTaking?.() ?? (() => Promise.resolve(false));
  }

  handle(message: Message): Outcome {
    const connection = this.#connection;
    if (connection === undefined) return "not_connected";
    let gate: Gate | undefined;
    try {
      gate = connection.send(message.withRoutes(message.onward.rest(), message.return));
    } catch (error) {
      if (error instanceof PortwayError && error.code === "frame_too_large") return "too_large";
      throw error;
    }
    if (gate === undefined) message.exit?.leftOn(this);
    return gate;
  }

  received(message: Message): Gate | undefined {
    const outcome = this.#router.receive(message, this);
    this.#isBlocked = typeof outcome === "object";
    return typeof outcome === "object" ? outcome : undefined;
  }

  closed(reason: CloseReason, error: Error | undefined): void {
    this.#past = this.traffic;
    this.#isBlocked = false;
    this.#connection = undefined;
    part(this);
    for (const lost of this.#lostListeners.empty()) lost();
    this.#lost(reason, error);
  }

  /** Takes the address free and ends the link. */
  [Symbol.dispose](): void {
    this.#registration[Symbol.dispose]();
    this.#connection?.close();
  }
}
