import type { Gate } from "../base/gate.js";
import type { Address } from "../model/address.js";
import type { Entrance, Message } from "../model/message.js";

/** Why a message went no further. It is counted under this name; the sender beyond a transport hears nothing. */
export type DropReason =
  | "no_such_worker"
  | "denied_by_policy"
  | "not_the_bound_connection"
  | "route_exhausted"
  | "route_too_long"
  | "not_connected"
  | "too_large"
  | "unexpected"
  | "malformed_payload"
  | "refused"
  | "queue_full"
  | "internal_error";

/**
 * What became of a message: taken (undefined), dropped for a reason, or not taken because the queue that it needs is
 * full. In the last case whoever offered it keeps it, waits at the gate, and offers it again: a worker must change
 * nothing before it knows that its own message was taken.
 */
export type Outcome = undefined | DropReason | Gate;

/** Has an address and takes messages, one at a time. */
export interface Worker {
  /** The onward route begins with the worker's own address. Must not throw. */
  handle(message: Message): Outcome;
}

/** What an address belongs to. */
export type WorkerKind =
  | "service"
  | "relay_service"
  | "relay"
  | "relay_client"
  | "connection"
  | "reply"
  | "outlet"
  | "portal_session"
  | "listener"
  | "program";

/** What the access policy knows of a worker. */
export interface WorkerInfo {
  readonly address: Address;
  readonly kind: WorkerKind;
  /** The service's name for kind "service": "echo", "uppercase", "hop". */
  readonly service?: string | undefined;
  /**
   * For a worker that hears from one place alone: the connection that its request left on, or "here" while that was
   * none. Undefined: it hears from wherever the policy allows.
   */
  readonly hearsFrom?: Entrance | "here" | undefined;
  /** For kind "program": whether it has itself sent messages on a connection, so that answers are to be expected there. */
  readonly hasSentOn?: ((entrance: Entrance) => boolean) | undefined;
}
