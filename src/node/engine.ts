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
  /** Accepts nothing new, waits until the open portal sessions have ended or `timeoutMs` have passed. */
  drain(timeoutMs: number): Promise<void>;
  /** Stops and forgets everything. Idempotent. */
  close(): Promise<void>;
}

export interface WaitOptions {
  /** Its end ends the wait, and what was made for it is taken away. */
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
