import { PortwayError } from "../base/errors.js";
import type { Log } from "../base/log.js";
import type { Address } from "../model/address.js";
import type { Entrance, Message } from "../model/message.js";
import { maxRouteAddresses, maxRouteBytes } from "../model/route.js";
import type { AccessPolicy } from "./access-policy.js";
import type { Arrival } from "./arrival.js";
import type { DropReason, Outcome, Worker, WorkerInfo, WorkerKind } from "./worker.js";
import { WorkerTable } from "./worker-table.js";

/** A worker at its address. Disposing it takes the address free; disposing it again does nothing. */
export interface Registration extends WorkerInfo, Disposable {
  readonly worker: Worker;
  hearsFrom?: Entrance | "here" | undefined;
}

export interface RegisterOptions {
  readonly kind: WorkerKind;
  readonly service?: string;
  readonly hearsFrom?: Entrance | "here";
  readonly hasSentOn?: (entrance: Entrance) => boolean;
}

export interface MessageCounts {
  readonly received: number;
  readonly delivered: number;
  readonly dropped: Readonly<Record<string, number>>;
}

/** Sees every delivery and every drop. Must not throw, and must not keep the message's bytes. */
export interface Tap {
  /**
   * A message came in on a connection: before it is handled, and again each time that it is offered anew; its entrance
   * is blocked then.
   */
  received?(message: Message, worker: WorkerInfo | undefined): void;
  /** `worker` is undefined if none was found; `outcome` is a reason if the message was dropped. */
  message(message: Message, worker: WorkerInfo | undefined, outcome: DropReason | undefined): void;
}

export interface RouterOptions {
  readonly policy: AccessPolicy;
  readonly log: Log;
}

/**
 * Delivery inside a node: finds the worker at the head of a message's onward route. It neither pops nor pushes; that
 * is what workers do that forward.
 */
export class Router {
  /** The one place from which messages can be watched. */
  tap: Tap | undefined;
  readonly #policy: AccessPolicy;
  readonly #log: Log;
  readonly #workers = new WorkerTable<Registration>();
  readonly #dropped: Record<string, number> = {};
  #received = 0;
  #delivered = 0;

  constructor(options: RouterOptions) {
    this.#policy = options.policy;
    this.#log = options.log;
  }

  /** Throws `address_taken`. */
  register(address: Address, worker: Worker, options: RegisterOptions): Registration {
    if (this.#workers.has(address)) {
      const said = `a worker has the address "${address.text}" already`;
      throw new PortwayError("address_taken", said, { address: address.text });
    }
    const registration = new Registered(address, worker, options, this.#workers);
    this.#workers.add(registration);
    return registration;
  }

  find(address: Address): WorkerInfo | undefined {
    return this.#workers.get(address);
  }

  /** All workers in the order of their registration. */
  workers(): Iterable<WorkerInfo> {
    return this.#workers.values();
  }

  get counts(): MessageCounts {
    return { received: this.#received, delivered: this.#delivered, dropped: { ...this.#dropped } };
  }

  /** A message that came in on a connection: the policy is asked, and drops are counted here. */
  receive(message: Message, arrival: Arrival): Outcome {
    this.tap?.received?.(message, this.#workers.firstOf(message.onward));
    const outcome = this.#receive(message, arrival);
    if (typeof outcome !== "object") this.#received += 1;
    return this.#settle(message, outcome);
  }

  /** A message that begins on this node. */
  send(message: Message): Outcome {
    return this.#settle(message, this.forward(message));
  }

  /** A message that a worker passes on while it handles one: whoever offered that one counts what becomes of it. */
  forward(message: Message): Outcome {
    const { onward, entrance } = message;
    if (onward.isEmpty) return "route_exhausted";
    const worker = this.#workers.firstOf(onward);
    if (worker === undefined) return "no_such_worker";
    if (worker.hearsFrom !== undefined && worker.kind !== "connection" && entrance !== undefined) {
      const denied = this.#policy.decide(entrance as Arrival, undefined, worker);
      if (denied !== undefined) return denied;
    }
    return this.#deliver(worker, message);
  }

  /**
   * As `forward`, for a message that its sender wrapped in the address of a worker: it reaches what it would have
   * reached without, because the policy is asked about the new head as it was about the old one.
   */
  unwrap(message: Message): Outcome {
    const { onward, entrance } = message;
    if (entrance === undefined || onward.isEmpty) return this.forward(message);
    const worker = this.#workers.firstOf(onward);
    if (worker === undefined) return "no_such_worker";
    return this.#policy.decide(entrance as Arrival, undefined, worker) ?? this.#deliver(worker, message);
  }

  #receive(message: Message, arrival: Arrival): Outcome {
    const { onward, return: back } = message;
    if (onward.length > maxRouteAddresses || back.length > maxRouteAddresses) return "route_too_long";
    if (onward.byteLength > maxRouteBytes || back.byteLength > maxRouteBytes) return "route_too_long";
    const worker = this.#workers.firstOf(onward);
    if (worker === undefined) return "no_such_worker";
    return this.#policy.decide(arrival, undefined, worker) ?? this.#deliver(worker, message);
  }

  #deliver(registration: Registration, message: Message): Outcome {
    return this.tap === undefined
      ? this.#handle(registration, message)
      : this.#handleWatched(registration, message);
  }

  #handle(registration: Registration, message: Message): Outcome {
    try {
      const outcome = registration.worker.handle(message);
      if (outcome === undefined) this.#delivered += 1;
      return outcome;
    } catch (error) {
      return this.#failed(registration, error);
    }
  }

  // What is rare stands apart: V8 makes one piece of what runs for each message, if that is short.

  #handleWatched(registration: Registration, message: Message): Outcome {
    // Once it is taken, the routes may lie in a buffer that is used again.
    const seen = message.withRoutes(message.onward.keep(), message.return.keep());
    const outcome = this.#handle(registration, message);
    if (outcome === undefined) this.tap?.message(seen, registration, undefined);
    return outcome;
  }

  /** A fault of ours must not end the connection, let alone the process. */
  #failed({ address }: Registration, error: unknown): DropReason {
    this.#log.error("worker.failed", { worker: address.text, error });
    return "internal_error";
  }

  #settle(message: Message, outcome: Outcome): Outcome {
    return typeof outcome === "string" ? this.#drop(message, outcome) : outcome;
  }

  #drop(message: Message, reason: DropReason): DropReason {
    this.#dropped[reason] = (this.#dropped[reason] ?? 0) + 1;
    const { onward } = message;
    this.tap?.message(message, onward.isEmpty ? undefined : this.find(onward.first), reason);
    this.#log.debug("message.dropped", { reason, onward: onward.length });
    return reason;
  }
}

class Registered implements Registration {
  readonly address: Address;
  readonly worker: Worker;
  readonly kind: WorkerKind;
  readonly service: string | undefined;
  readonly hasSentOn: ((entrance: Entrance) => boolean) | undefined;
  hearsFrom: Entrance | "here" | undefined;
  readonly #table: WorkerTable<Registration>;

  constructor(
    address: Address,
    worker: Worker,
    { kind, service, hearsFrom, hasSentOn }: RegisterOptions,
    table: WorkerTable<Registration>,
  ) {
    this.address = address;
    this.worker = worker;
    this.kind = kind;
    this.service = service;
    this.hasSentOn = hasSentOn;
    this.hearsFrom = hearsFrom;
    this.#table = table;
  }

  [Symbol.dispose](): void {
    this.#table.remove(this);
  }
}
