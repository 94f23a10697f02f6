import { randomUUID } from "node:crypto";
import type { Clock } from "../base/clock.js";
import type { State, Traffic } from "../base/liveness.js";
import type { Address } from "../model/address.js";
import { Message } from "../model/message.js";
import { Route } from "../model/route.js";
import { type Arrival, join } from "../routing/arrival.js";
import { Outbox } from "../routing/outbox.js";
import type { Registration, Router } from "../routing/router.js";
import type { Outcome, Worker } from "../routing/worker.js";
import { Announcement } from "./announcement.js";
import { relayAddress } from "./relay-name.js";
import { decodeText, encodeText, releaseText } from "./relay-text.js";

/** A wish to hold a name, with bytes of its own. */
export interface Claim {
  /** Without the prefix. */
  readonly name: string;
  readonly arrival: Arrival;
  /** The way to the client: the connection, what is between, and the client's own address at the end. */
  readonly back: Route;
  readonly trace: Buffer | undefined;
  /** The client left the name to us. */
  readonly isAnyName: boolean;
}

/** What is so with a registration, as plain values. */
export interface RelayRegistrationView {
  /** The name without the prefix. */
  readonly id: string;
  /** Differs between two holders of a name. */
  readonly uid: string;
  /** Since when the present holder holds it. */
  readonly createTimeMs: number;
  readonly status: {
    readonly state: State;
    readonly address: string;
    readonly peerAddress: string;
    readonly connection: string;
    readonly renewTimeMs: number;
    readonly forwarded: Traffic;
    readonly refused: number;
  };
}

export interface RelayRegistrationOptions {
  readonly router: Router;
  readonly clock: Clock;
  readonly claim: Claim;
  /** A renewal or a refusal has changed what the view shows; at most once a second. */
  readonly modified: () => void;
  /** The holder gives the name back. */
  readonly released: () => void;
}

const announcementIntervalMs = 1_000;

/**
 * The relay `forward_to_{name}`: passes what is sent to it on to the client that registered it, and adds nothing to
 * the way back. Throws `address_taken` if another worker has the address.
 */
export class RelayRegistration implements Worker, Disposable {
  readonly name: string;
  readonly uid = randomUUID();
  readonly address: Address;
  readonly arrival: Arrival;
  /** As it was at the registration: a connection that is lost has none. */
  readonly peer: string;
  readonly createTimeMs: number;
  /** Until when (monotonic) the holder counts as alive because it answered a moment ago. */
  aliveUntilMs = Number.NEGATIVE_INFINITY;
  readonly #options: RelayRegistrationOptions;
  readonly #worker: Registration;
  readonly #confirmation: Outbox;
  readonly #announcement: Announcement;
  #back: Route = Route.empty;
  /** The way to the client's node, last hop first: the order in which the addresses are pushed in front. */
  #hopsFromLast: readonly Address[] = [];
  #renewTimeMs = 0;
  #messages = 0;
  #bytes = 0;
  #refused = 0;

  constructor(options: RelayRegistrationOptions) {
    const { router, clock, claim, modified } = options;
    this.#options = options;
    this.name = claim.name;
    this.address = relayAddress(claim.name);
    this.arrival = claim.arrival;
    this.peer = claim.arrival.peer;
    this.createTimeMs = clock.wallMs();
    this.#confirmation = new Outbox(router);
    this.#announcement = new Announcement(clock, announcementIntervalMs, modified);
    this.#worker = router.register(this.address, this, { kind: "relay" });
    this.#take(claim);
  }

  /** The whole way to the client, its own address included. */
  get back(): Route {
    return this.#back;
  }

  get view(): RelayRegistrationView {
    return {
      id: this.name,
      uid: this.uid,
      createTimeMs: this.createTimeMs,
      status: {
        state: "active",
        address: this.address.text,
        peerAddress: this.peer,
        connection: this.arrival.address.text,
        renewTimeMs: this.#renewTimeMs,
        forwarded: { messages: this.#messages, bytes: this.#bytes },
        refused: this.#refused,
      },
    };
  }

  /** The holder claims the name again: its newest route counts, and is confirmed. */
  renew(claim: Claim): void {
    this.#take(claim);
    this.#announcement.changed();
  }

  /** Somebody else claimed the name, in vain. */
  countRefusal(): void {
    this.#refused += 1;
    this.#announcement.changed();
  }

  handle(message: Message): Outcome {
    const { entrance, payloadBytes } = message;
    if (message.onward.length < 2) return this.#handleOwn(message);
    if (message.return.isEmpty) return "route_exhausted";
    let onward = message.onward.rest();
    for (const hop of this.#hopsFromLast) onward = onward.prepend(hop);
    const outcome = this.#options.router.forward(message.withRoutes(onward, message.return));
    if (outcome !== undefined) return outcome;
    this.#messages += 1;
    this.#bytes += payloadBytes;
    if (entrance !== undefined) join(entrance as Arrival, this.arrival);
    return undefined;
  }

  [Symbol.dispose](): void {
    this.#announcement[Symbol.dispose]();
    this.#confirmation[Symbol.dispose]();
    this.#worker[Symbol.dispose]();
  }

  /** A message to the relay itself. */
  #handleOwn({ payload, entrance }: Message): Outcome {
    if (entrance !== this.arrival || decodeText(payload) !== releaseText) return "route_exhausted";
    this.#options.released();
    return undefined;
  }

  #take({ back, trace }: Claim): void {
    this.#back = back;
    this.#hopsFromLast = back.addresses().slice(0, -1).reverse();
    this.#renewTimeMs = this.#options.clock.wallMs();
    const payload = encodeText(this.address.text);
    // Waits if the connection is full: at most one, and no longer than the connection lasts.
    this.#confirmation.put(Message.of({ onward: back, return: Route.of(this.address), payload, trace }));
  }
}
