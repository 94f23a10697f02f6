/**
 * What a node has, as plain values that could cross a process boundary: for each kind what was asked (its spec) and
 * what is so (its status). The words and their meaning are those of proto/portway/v1.
 */

import type { Condition, Failure, Liveness, State, Traffic } from "../base/liveness.js";
import type { PortalSessions, TargetOutcome } from "../portal/session-counts.js";
import type { WorkerKind } from "../routing/worker.js";

/** What every resource has. Times are milliseconds since 1970. */
export interface Resource<Spec, Status> {
  /** The node that has it; for a node its own id. */
  readonly node: string;
  /** Unique among its kind on its node. */
  readonly id: string;
  /** Never used again. */
  readonly uid: string;
  readonly createTimeMs: number;
  readonly spec: Spec;
  readonly status: Status;
}

export type { Condition, Failure, Liveness, State, Traffic };

export type Counts = Readonly<Record<string, number>>;

export interface NodeSpec {
  /** `host:port`, `:port` or `port`; empty is 127.0.0.1:0. */
  readonly tcpListenerAddress: string;
  readonly httpServerPort?: number;
}

export interface NodeStatus {
  readonly state: State;
  readonly isDefault: boolean;
  readonly pid: number;
  readonly tcpListenerAddress: string;
  readonly httpServerAddress: string;
  readonly warnings: readonly string[];
  readonly messages: {
    readonly received: number;
    readonly sent: number;
    readonly delivered: number;
    readonly dropped: Counts;
  };
  readonly logPath: string;
}

export type NodeResource = Resource<NodeSpec, NodeStatus>;

export interface TcpListenerSpec {
  readonly bindAddress: string;
}

export interface TcpListenerStatus {
  readonly state: State;
  readonly boundAddress: string;
  readonly address: string;
  readonly isNodeListener: boolean;
  readonly openConnections: number;
  readonly refused: Counts;
}

export type TcpListenerResource = Resource<TcpListenerSpec, TcpListenerStatus>;

/** A UDP listener is the same, but for what its bytes are carried by. */
export type UdpListenerSpec = TcpListenerSpec;
export type UdpListenerStatus = TcpListenerStatus;
export type UdpListenerResource = Resource<UdpListenerSpec, UdpListenerStatus>;

export interface TcpConnectionSpec {
  readonly peerAddress: string;
}

export interface TcpConnectionStatus {
  readonly origin: "created" | "route" | "accepted";
  readonly liveness: Liveness;
  readonly workerAddress: string;
  readonly peerAddress: string;
  readonly localAddress: string;
  readonly links: number;
  readonly received: Traffic;
  readonly sent: Traffic;
  readonly queuedBytes: number;
  /** `relays/{id}` or `inlets/{id}` that it serves; empty if none. */
  readonly owner: string;
  /** Messages and parts of the present link that were lost or left out, by reason; always empty over TCP. */
  readonly lost: Counts;
}

/** The spec of an accepted connection is undefined. */
export type TcpConnectionResource = Resource<TcpConnectionSpec | undefined, TcpConnectionStatus>;

export type UdpConnectionSpec = TcpConnectionSpec;
export type UdpConnectionStatus = TcpConnectionStatus;
export type UdpConnectionResource = Resource<UdpConnectionSpec | undefined, UdpConnectionStatus>;

export type ServiceKind = "echo" | "uppercase" | "hop";

export interface ServiceSpec {
  readonly kind: ServiceKind;
}

export interface ServiceStatus {
  readonly state: State;
  readonly address: string;
  readonly builtIn: boolean;
}

export type ServiceResource = Resource<ServiceSpec, ServiceStatus>;

export type { WorkerKind };

export interface WorkerResource {
  readonly node: string;
  /** The address as text. */
  readonly id: string;
  readonly kind: WorkerKind;
}

export interface RelaySpec {
  /** MultiAddr of the hosting node. */
  readonly at: string;
  /** The name to register; empty takes the relay's id. */
  readonly relayAddress: string;
}

export interface RelayStatus {
  readonly liveness: Liveness;
  /** `forward_to_{name}`; empty while never registered. */
  readonly remoteAddress: string;
  readonly workerAddress: string;
  readonly route: string;
  readonly registrations: number;
}

export type RelayResource = Resource<RelaySpec, RelayStatus>;

export interface RelayRegistrationStatus {
  readonly state: State;
  readonly address: string;
  readonly peerAddress: string;
  readonly connection: string;
  readonly renewTimeMs: number;
  readonly forwarded: Traffic;
  readonly refused: number;
}

export type RelayRegistrationResource = Resource<undefined, RelayRegistrationStatus>;

export interface InletSpec {
  readonly bindAddress: string;
  /** MultiAddr to the outlet. */
  readonly to: string;
  readonly openTimeoutMs?: number;
  readonly retryWaitMs?: number;
}

export type { PortalSessions, TargetOutcome };

export interface InletStatus {
  readonly path: Liveness;
  readonly targetOutcome: TargetOutcome;
  readonly targetTimeMs?: number;
  readonly boundAddress: string;
  readonly route: string;
  readonly workerAddress: string;
  readonly sessions: PortalSessions;
  /** Of the path or at the far end, for people; empty if all is well. */
  readonly lastError: string;
}

export type InletResource = Resource<InletSpec, InletStatus>;

export interface OutletSpec {
  readonly target: string;
  readonly connectTimeoutMs?: number;
}

export interface OutletStatus {
  readonly state: State;
  readonly address: string;
  readonly targetOutcome: TargetOutcome;
  readonly targetTimeMs?: number;
  readonly lastError: string;
  readonly sessions: PortalSessions;
}

export type OutletResource = Resource<OutletSpec, OutletStatus>;
