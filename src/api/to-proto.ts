import { create } from "@bufbuild/protobuf";
import { type Duration, durationFromMs, type Timestamp, timestampFromMs } from "@bufbuild/protobuf/wkt";
import * as pb from "../../gen/portway/v1/node_service_pb.js";
import * as portal from "../../gen/portway/v1/portal_service_pb.js";
import * as relay from "../../gen/portway/v1/relay_service_pb.js";
import * as common from "../../gen/portway/v1/resource_pb.js";
import type * as engine from "../node/resources.js";
import { formatName, formatNodeName } from "./names.js";

const states: Readonly<Record<engine.State, common.State>> = {
  connecting: common.State.CONNECTING,
  active: common.State.ACTIVE,
  degraded: common.State.DEGRADED,
  draining: common.State.DRAINING,
  failed: common.State.FAILED,
  stopped: common.State.STOPPED,
};

const origins: Readonly<Record<engine.TcpConnectionStatus["origin"], pb.TcpConnectionOrigin>> = {
  created: pb.TcpConnectionOrigin.CREATED,
  route: pb.TcpConnectionOrigin.ROUTE,
  accepted: pb.TcpConnectionOrigin.ACCEPTED,
};

const udpOrigins: Readonly<Record<engine.UdpConnectionStatus["origin"], pb.UdpConnectionOrigin>> = {
  created: pb.UdpConnectionOrigin.CREATED,
  route: pb.UdpConnectionOrigin.ROUTE,
  accepted: pb.UdpConnectionOrigin.ACCEPTED,
};

const serviceKinds: Readonly<Record<engine.ServiceKind, pb.ServiceKind>> = {
  echo: pb.ServiceKind.ECHO,
  uppercase: pb.ServiceKind.UPPERCASE,
  hop: pb.ServiceKind.HOP,
};

const workerKinds: Readonly<Record<engine.WorkerKind, pb.WorkerKind>> = {
  service: pb.WorkerKind.SERVICE,
  relay_service: pb.WorkerKind.RELAY_SERVICE,
  relay: pb.WorkerKind.RELAY,
  relay_client: pb.WorkerKind.RELAY_CLIENT,
  connection: pb.WorkerKind.CONNECTION,
  reply: pb.WorkerKind.REPLY,
  outlet: pb.WorkerKind.OUTLET,
  portal_session: pb.WorkerKind.PORTAL_SESSION,
  listener: pb.WorkerKind.LISTENER,
  program: pb.WorkerKind.PROGRAM,
};

const targetOutcomes: Readonly<Record<engine.TargetOutcome, portal.TargetOutcome>> = {
  none: portal.TargetOutcome.UNSPECIFIED,
  connected: portal.TargetOutcome.CONNECTED,
  refused: portal.TargetOutcome.REFUSED,
  timed_out: portal.TargetOutcome.TIMED_OUT,
  unroutable: portal.TargetOutcome.UNROUTABLE,
};

export function toNode({ id, uid, createTimeMs, spec, status }: engine.NodeResource): pb.Node {
  return create(pb.NodeSchema, {
    name: formatNodeName(id),
    uid,
    createTime: toTimestamp(createTimeMs),
    spec: {
      tcpListenerAddress: spec.tcpListenerAddress,
      ...(spec.httpServerPort !== undefined && { httpServerPort: spec.httpServerPort }),
    },
    status: {
      state: states[status.state],
      isDefault: status.isDefault,
      pid: status.pid,
      tcpListenerAddress: status.tcpListenerAddress,
      httpServerAddress: status.httpServerAddress,
      warnings: [...status.warnings],
      messages: {
        received: toUint64(status.messages.received),
        sent: toUint64(status.messages.sent),
        delivered: toUint64(status.messages.delivered),
        dropped: toCounts(status.messages.dropped),
      },
      logPath: status.logPath,
    },
  });
}

export function toTcpListener(resource: engine.TcpListenerResource): pb.TcpListener {
  const { status } = resource;
  return create(pb.TcpListenerSchema, {
    ...collected("tcpListeners", resource),
    spec: { bindAddress: resource.spec.bindAddress },
    status: {
      state: states[status.state],
      boundAddress: status.boundAddress,
      address: status.address,
      isNodeListener: status.isNodeListener,
      openConnections: status.openConnections,
      refused: toCounts(status.refused),
    },
  });
}

export function toUdpListener(resource: engine.UdpListenerResource): pb.UdpListener {
  const { status } = resource;
  return create(pb.UdpListenerSchema, {
    ...collected("udpListeners", resource),
    spec: { bindAddress: resource.spec.bindAddress },
    status: {
      state: states[status.state],
      boundAddress: status.boundAddress,
      address: status.address,
      openConnections: status.openConnections,
      refused: toCounts(status.refused),
    },
  });
}

export function toTcpConnection(resource: engine.TcpConnectionResource): pb.TcpConnection {
  const { spec, status } = resource;
  return create(pb.TcpConnectionSchema, {
    ...collected("tcpConnections", resource),
    ...(spec !== undefined && { spec: { peerAddress: spec.peerAddress } }),
    status: { ...connectionStatus(resource), origin: origins[status.origin] },
  });
}

export function toUdpConnection(resource: engine.UdpConnectionResource): pb.UdpConnection {
  const { spec, status } = resource;
  return create(pb.UdpConnectionSchema, {
    ...collected("udpConnections", resource),
    ...(spec !== undefined && { spec: { peerAddress: spec.peerAddress } }),
    status: {
      ...connectionStatus(resource),
      origin: udpOrigins[status.origin],
      lost: toCounts(status.lost),
    },
  });
}

/** What the status of a connection says over every transport. */
function connectionStatus({ node, status }: engine.TcpConnectionResource) {
  return {
    liveness: toLiveness(status.liveness),
    workerAddress: status.workerAddress,
    peerAddress: status.peerAddress,
    localAddress: status.localAddress,
    links: toUint64(status.links),
    received: toTraffic(status.received),
    sent: toTraffic(status.sent),
    queuedBytes: toUint64(status.queuedBytes),
    owner: status.owner === "" ? "" : `${formatNodeName(node)}/${status.owner}`,
  };
}

export function toService(resource: engine.ServiceResource): pb.Service {
  const { spec, status } = resource;
  return create(pb.ServiceSchema, {
    ...collected("services", resource),
    spec: { kind: serviceKinds[spec.kind] },
    status: { state: states[status.state], address: status.address, builtIn: status.builtIn },
  });
}

export function toWorker({ node, id, kind }: engine.WorkerResource): pb.Worker {
  return create(pb.WorkerSchema, {
    name: formatName("workers", node, id),
    address: id,
    kind: toWorkerKind(kind),
  });
}

export function toRelay(resource: engine.RelayResource): relay.Relay {
  const { spec, status } = resource;
  return create(relay.RelaySchema, {
    ...collected("relays", resource),
    spec: { at: spec.at, relayAddress: spec.relayAddress },
    status: {
      liveness: toLiveness(status.liveness),
      remoteAddress: status.remoteAddress,
      workerAddress: status.workerAddress,
      route: status.route,
      registrations: toUint64(status.registrations),
    },
  });
}

export function toRelayRegistration(resource: engine.RelayRegistrationResource): relay.RelayRegistration {
  const { status } = resource;
  return create(relay.RelayRegistrationSchema, {
    ...collected("relayRegistrations", resource),
    status: {
      state: states[status.state],
      address: status.address,
      peerAddress: status.peerAddress,
      connection: status.connection,
      renewTime: toTimestamp(status.renewTimeMs),
      forwarded: toTraffic(status.forwarded),
      refused: toUint64(status.refused),
    },
  });
}

export function toInlet(resource: engine.InletResource): portal.Inlet {
  const { spec, status } = resource;
  return create(portal.InletSchema, {
    ...collected("inlets", resource),
    spec: {
      bindAddress: spec.bindAddress,
      to: spec.to,
      ...(spec.openTimeoutMs !== undefined && { openTimeout: toDuration(spec.openTimeoutMs) }),
      ...(spec.retryWaitMs !== undefined && { retryWait: toDuration(spec.retryWaitMs) }),
    },
    status: {
      path: toLiveness(status.path),
      targetOutcome: targetOutcomes[status.targetOutcome],
      ...(status.targetTimeMs !== undefined && { targetTime: toTimestamp(status.targetTimeMs) }),
      boundAddress: status.boundAddress,
      route: status.route,
      workerAddress: status.workerAddress,
      sessions: toPortalSessions(status.sessions),
      lastError: status.lastError,
    },
  });
}

export function toOutlet(resource: engine.OutletResource): portal.Outlet {
  const { spec, status } = resource;
  return create(portal.OutletSchema, {
    ...collected("outlets", resource),
    spec: {
      target: spec.target,
      ...(spec.connectTimeoutMs !== undefined && { connectTimeout: toDuration(spec.connectTimeoutMs) }),
    },
    status: {
      state: states[status.state],
      address: status.address,
      targetOutcome: targetOutcomes[status.targetOutcome],
      ...(status.targetTimeMs !== undefined && { targetTime: toTimestamp(status.targetTimeMs) }),
      lastError: status.lastError,
      sessions: toPortalSessions(status.sessions),
    },
  });
}

export function toWorkerKind(kind: engine.WorkerKind): pb.WorkerKind {
  return workerKinds[kind];
}

/** Whole milliseconds: Timestamp has no room for parts of a microsecond that a clock may give. */
export function toTimestamp(timeMs: number): Timestamp {
  return timestampFromMs(Math.round(timeMs));
}

export function toDuration(durationMs: number): Duration {
  const nanos = Math.round((durationMs % 1) * 1e6);
  const whole = durationFromMs(Math.trunc(durationMs));
  whole.nanos += nanos;
  if (whole.nanos >= 1e9) {
    whole.seconds += 1n;
    whole.nanos -= 1e9;
  }
  return whole;
}

type Collected = Pick<engine.Resource<unknown, unknown>, "node" | "id" | "uid" | "createTimeMs">;

function collected(collection: Parameters<typeof formatName>[0], { node, id, uid, createTimeMs }: Collected) {
  return { name: formatName(collection, node, id), uid, createTime: toTimestamp(createTimeMs) };
}

function toLiveness(liveness: engine.Liveness): common.Liveness {
  const { failure, lastSuccessTimeMs, roundTripMs } = liveness;
  return create(common.LivenessSchema, {
    state: states[liveness.state],
    reconciling: liveness.reconciling,
    conditions: liveness.conditions.map(toCondition),
    ...(failure !== undefined && { failure: toFailure(failure) }),
    ...(lastSuccessTimeMs !== undefined && { lastSuccessTime: toTimestamp(lastSuccessTimeMs) }),
    ...(roundTripMs !== undefined && { roundTripTime: toDuration(roundTripMs) }),
  });
}

function toCondition(condition: engine.Condition): common.Condition {
  return create(common.ConditionSchema, {
    type: condition.type,
    ...(condition.holds !== undefined && { holds: condition.holds }),
    reason: condition.reason,
    message: condition.message,
    lastTransitionTime: toTimestamp(condition.lastTransitionTimeMs),
  });
}

function toFailure(failure: engine.Failure): common.Failure {
  return create(common.FailureSchema, {
    count: failure.count,
    lastError: failure.lastError,
    lastErrorTime: toTimestamp(failure.lastErrorTimeMs),
    ...(failure.nextRetryTimeMs !== undefined && { nextRetryTime: toTimestamp(failure.nextRetryTimeMs) }),
  });
}

function toPortalSessions(sessions: engine.PortalSessions): portal.PortalSessions {
  return create(portal.PortalSessionsSchema, {
    open: sessions.open,
    opened: toUint64(sessions.opened),
    failed: toCounts(sessions.failed),
    stalled: toUint64(sessions.stalled),
    bytesIn: toUint64(sessions.bytesIn),
    bytesOut: toUint64(sessions.bytesOut),
  });
}

function toTraffic({ messages, bytes }: engine.Traffic): common.Traffic {
  return create(common.TrafficSchema, { messages: toUint64(messages), bytes: toUint64(bytes) });
}

function toCounts(counts: engine.Counts): Record<string, bigint> {
  return Object.fromEntries(Object.entries(counts).map(([reason, count]) => [reason, toUint64(count)]));
}

function toUint64(count: number): bigint {
  return BigInt(Math.trunc(count));
}
