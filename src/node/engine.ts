import type { PortwayError } from "../base/errors.js";
import type { ChangeLog } from "./change-log.js";
import type {
  InletResource,
  InletSpec,
  NodeResource,
  NodeSpec,
  OutletResource,
  OutletSpec,
  RelayRegistrationResource,
  RelayResource,
  RelaySpec,
  ServiceResource,
  ServiceSpec,
  TcpConnectionResource,
  TcpConnectionSpec,
  TcpListenerResource,
  TcpListenerSpec,
  UdpConnectionResource,
  UdpConnectionSpec,
  UdpListenerResource,
  UdpListenerSpec,
  WorkerKind,
  WorkerResource,
} from "./resources.js";

/**
 * All that can be asked of the nodes of a daemon: asynchronous, with plain values, so that a node may live elsewhere.
 * Every method rejects with a PortwayError for an expected failure. Nothing here knows of the API.
 */
export interface Engine {
  readonly nodes: Nodes;
  readonly tcpListeners: Collection<TcpListenerResource, TcpListenerSpec>;
  readonly tcpConnections: Collection<TcpConnectionResource, TcpConnectionSpec>;
  readonly udpListeners: Collection<UdpListenerResource, UdpListenerSpec>;
  readonly udpConnections: Collection<UdpConnectionResource, UdpConnectionSpec>;
  readonly services: Collection<ServiceResource, ServiceSpec>;
  readonly workers: Readable<WorkerResource>;
  readonly relays: Collection<RelayResource, RelaySpec>;
  readonly relayRegistrations: Readable<RelayRegistrationResource> & Deletable;
  readonly inlets: Collection<InletResource, InletSpec>;
  readonly outlets: Collection<OutletResource, OutletSpec>;
  /** Every change of a resource of any node, in order, each with its revision. */
  readonly changes: ChangeLog;
  /** Sends a message and waits for the reply; see SendMessage in proto/portway/v1. */
  sendMessage(request: SendMessage, options: WaitOptions): Promise<Reply>;
  /** Workers that are programs elsewhere. */
  readonly openWorkers: OpenWorkers;
  /**
   * Events of a node's messages from now on. `woken` is called when `take` may have something again; it must not throw
   * and not call back. Throws `too_many` above maxMessageWatches of a node.
   */
  watchMessages(watch: WatchMessages, woken: () => void): Promise<MessageWatch>;
  /** Accepts nothing new, waits until the open portal sessions have ended or `timeoutMs` have passed. */
  drain(timeoutMs: number): Promise<void>;
  /** Stops and forgets everything. Idempotent. */
  close(): Promise<void>;
}

export interface WaitOptions {
  /** Its end ends the wait, and what was made is taken away, unless another create was answered with it or still waits. */
  readonly signal?: AbortSignal;
  /** How long a create may wait for the resource to be up; absent or 0 does not wait. */
  readonly waitMs?: number;
}

export interface Created<R> {
  readonly resource: R;
  /** It was there already, with an equal spec. */
  readonly existed: boolean;
}

/** The resources of one kind, of all nodes. The order of a list is stable. */
export interface Readable<R> {
  get(node: string, id: string): Promise<R>;
  list(node: string): Promise<readonly R[]>;
}

export interface Deletable {
  delete(node: string, id: string): Promise<void>;
}

export interface Collection<R, Spec> extends Readable<R>, Deletable {
  /** An empty `id` lets the node choose one. */
  create(node: string, id: string, spec: Spec, options?: WaitOptions): Promise<Created<R>>;
}

export interface Nodes {
  create(id: string, spec: NodeSpec): Promise<Created<NodeResource>>;
  get(id: string): Promise<NodeResource>;
  list(): Promise<readonly NodeResource[]>;
  delete(id: string): Promise<void>;
  start(id: string): Promise<NodeResource>;
  stop(id: string): Promise<NodeResource>;
  setDefault(id: string): Promise<NodeResource>;
}

export interface SendMessage {
  /** Empty: a node for this call alone. */
  readonly node: string;
  /** MultiAddr. */
  readonly to: string;
  readonly payload: Uint8Array;
  /** Dialing included. */
  readonly timeoutMs: number;
}

export interface Reply {
  readonly payload: Uint8Array;
  /** Text form. */
  readonly returnRoute: string;
  readonly roundTripMs: number;
}

export interface OpenWorkers {
  /**
   * Throws `address_taken`, `bad_address`, `too_many`. `woken` is called when the stream's `take` may have something
   * again; it must not throw and not call back.
   */
  open(spec: OpenWorkerSpec, woken: () => void): Promise<WorkerStream>;
  /** Takes a worker over from the stream that it had. Throws `worker_not_found`; `bad_argument` as `acknowledge` does. */
  resume(resume: ResumeWorker, woken: () => void): Promise<WorkerStream>;
  /** Throws `worker_not_found`. */
  steer(token: string): Promise<WorkerControl>;
}

export interface OpenWorkerSpec {
  readonly node: string;
  /** Empty: one that nobody can guess. */
  readonly address: string;
  /** What senders hear when the queue is full; see WhenFull in proto/portway/v1. */
  readonly whenFull: "wait" | "refuse";
  readonly queueMessages: number;
  readonly queueBytes: number;
  /** How long it stays without a stream; 0: not at all, and what was taken counts as acknowledged. */
  readonly resumeWindowMs: number;
}

export interface ResumeWorker {
  readonly node: string;
  readonly token: string;
  /** Acknowledges this message and all before; 0: none. */
  readonly acknowledgedId: number;
}

/** Acts for an open worker. After its end `grant` and `acknowledge` do nothing, the others reject with `stopped`. */
export interface WorkerControl {
  /** What the stream may give in addition to what is left. Throws `stream_detached` if there is none. */
  grant(grant: MessageGrant): void;
  /** Throws `bad_argument` for a message that was not taken yet. */
  acknowledge(throughId: number): void;
  /** Resolves when the first hop took it; rejects as `sendMessage` does, and with `queue_full` after 10 s. */
  send(message: OutgoingMessage): Promise<void>;
  /** Likewise; `message_not_found` if the message was never taken, or its way back is forgotten. */
  reply(reply: OutgoingReply): Promise<void>;
  /** Ends the worker: its address is free. Idempotent. */
  close(): void;
}

/** What a client of a worker reads from. */
export interface WorkerStream extends WorkerControl {
  readonly opened: OpenedWorker;
  /** The next event, or undefined if there is none now. Nothing follows `ended`. */
  take(): WorkerEvent | undefined;
  /** The client is gone: the worker ends, or stays for its resume window. Idempotent. */
  detach(): void;
}

export interface OpenedWorker {
  readonly node: string;
  /** As text. */
  readonly address: string;
  /** Whoever has it can act for the worker. */
  readonly token: string;
  readonly resumed: boolean;
  readonly nextId: number;
}

export interface MessageGrant {
  readonly messages: number;
  /** Of payload. */
  readonly bytes: number;
}

export interface OutgoingMessage {
  /** A MultiAddr without a node to connect to if it begins with `/`, else the text form of a route. */
  readonly onward: string;
  /** Text form; empty: the worker itself. */
  readonly return: string;
  readonly payload: Uint8Array;
  /** Empty: none. */
  readonly trace: string;
}

export interface OutgoingReply {
  readonly toId: number;
  readonly payload: Uint8Array;
  readonly return: string;
}

export interface WorkerMessage {
  /** From 1, without gaps. */
  readonly id: number;
  /** Text form, as `return`. */
  readonly onward: string;
  readonly return: string;
  readonly payload: Uint8Array;
  readonly trace: string;
  /** An earlier stream took it and did not acknowledge it. */
  readonly redelivered: boolean;
  /** Wall clock. */
  readonly receiveTimeMs: number;
}

export type WorkerEvent =
  | { readonly kind: "message"; readonly message: WorkerMessage }
  /** The next message is granted, but not its bytes. Once for each state of the grants. */
  | { readonly kind: "starved"; readonly payloadBytes: number; readonly grantedBytes: number }
  /** So many messages were refused since the worker was opened. At most once a second. */
  | { readonly kind: "refused"; readonly total: number }
  /** Undefined: it was closed. `worker_resumed`, `stopped` else. */
  | { readonly kind: "ended"; readonly error: PortwayError | undefined };

export interface WatchMessages {
  readonly node: string;
  /** Of the worker, as text; empty: any. */
  readonly address: string;
  /** As `onward` of OutgoingMessage; empty: any. */
  readonly onwardPrefix: string;
  /** Empty: all. */
  readonly kinds: readonly MessageEvent["kind"][];
  readonly maxPayloadBytes: number;
}

/** Disposing it ends it. */
export interface MessageWatch extends Disposable {
  /** The next event, or undefined if there is none now. Throws `stopped` if the node is gone. */
  take(): MessageEvent | undefined;
}

export interface MessageEvent {
  /** Wall clock. */
  readonly timeMs: number;
  readonly kind: "received" | "forwarded" | "delivered" | "dropped";
  /** As text; empty if the onward route is. */
  readonly address: string;
  readonly workerKind: WorkerKind | undefined;
  /** Empty unless dropped. */
  readonly dropReason: string;
  /** Text form, as `return`. */
  readonly onward: string;
  readonly return: string;
  /** The beginning of it. */
  readonly payload: Uint8Array;
  readonly payloadBytes: number;
  /** The address of the connection that it entered the node on; empty if it began there. */
  readonly entrance: string;
  /** Events that were left out before this one, because nobody took those before. */
  readonly skipped: number;
}
