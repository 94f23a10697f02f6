import type { Gate } from "../base/gate.js";
import type { Entrance, Message } from "../model/message.js";
import type { SocketAddress } from "../model/socket-address.js";

/** Why a connection ended. */
export type CloseReason =
  | "closed_here"
  | "closed_by_peer"
  | "connection_failed"
  | "bad_version"
  | "malformed"
  | "frame_too_large"
  | "receive_budget_exhausted"
  | "handshake_timeout"
  | "too_many_connections"
  | "stalled"
  | "idle";

/** Whoever has a connection: what arrives is told to it, in order. The calls must not throw. */
export interface ConnectionUser {
  /** The entrance of every message that arrives: its address stands in front of the return route. */
  readonly entrance: Entrance;
  /**
   * A message arrived; its bytes are valid until this returns (see Message). A gate means that it was not taken: the
   * connection stops reading, waits there, and offers the message again when it opens.
   */
  received(message: Message): Gate | undefined;
  /** The connection is gone; nothing is called after this. May be called inside `close`. */
  closed(reason: CloseReason, error: Error | undefined): void;
}

/** Counts of one connection. */
export interface ConnectionTraffic {
  readonly receivedMessages: number;
  readonly receivedBytes: number;
  readonly sentMessages: number;
  readonly sentBytes: number;
}

/** One established link between two nodes. */
export interface Connection {
  readonly peer: SocketAddress;
  readonly local: SocketAddress;
  readonly traffic: ConnectionTraffic;
  /** Bytes that are not with the operating system yet. */
  readonly queuedBytes: number;
  /** What was lost or left out, by reason; absent where nothing ever is. */
  readonly lost?: Readonly<Record<string, number>>;
  /**
   * Queues a message; the onward route is written as it is. A gate means that the queue is full and the message was
   * not taken. After the end of the connection, messages are taken and lost. Throws `frame_too_large`.
   */
  send(message: Message): Gate | undefined;
  /** As in Arrival. */
  watchTaking?(): () => Promise<boolean>;
  /** Lets what is queued leave, for at most a second, and ends. Idempotent. */
  close(): void;
}

/** Called when a connection is ready for messages, before the first of them. */
export type Attach = (connection: Connection) => ConnectionUser;

export interface ListenerCounts {
  readonly openConnections: number;
  /** Connections that did not come to be or were ended for what they did, by reason. */
  readonly refused: Readonly<Record<string, number>>;
}

export interface Listener {
  readonly bound: SocketAddress;
  readonly counts: ListenerCounts;
  /** Accepts no more. What was accepted stays. Idempotent. */
  close(): void;
}

export interface DialWaitOptions {
  /** Its end ends the attempt. */
  readonly signal?: AbortSignal;
}

/** A way for messages between nodes. */
export interface Transport {
  /** The transport type of its addresses. */
  readonly type: number;
  /**
   * False: messages may be lost, though none comes damaged, doubled or out of order; and a sender does not wait for a
   * receiver that takes nothing.
   */
  readonly isReliable: boolean;
  /**
   * Connects to a peer. Rejects with `connect_failed` (with the cause in the message), with `timed_out` at the end of
   * a deadline of its own, or with the signal's reason. `attach` is called before the promise resolves.
   */
  dial(peer: SocketAddress, attach: Attach, options?: DialWaitOptions): Promise<Connection>;
  /** Binds and accepts. Rejects with `address_in_use`, `address_not_available`, `port_privileged`. */
  listen(bind: SocketAddress, attach: Attach): Promise<Listener>;
  /** Ends every connection and listener. Idempotent. */
  close(): void;
}
