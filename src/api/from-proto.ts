import type { Duration } from "@bufbuild/protobuf/wkt";
import * as pb from "../../gen/portway/v1/node_service_pb.js";
import type * as portal from "../../gen/portway/v1/portal_service_pb.js";
import type * as relay from "../../gen/portway/v1/relay_service_pb.js";
import { PortwayError } from "../base/errors.js";
import type * as engine from "../node/resources.js";

/** An absent spec asks for the defaults. */
export function toNodeSpec(spec: pb.NodeSpec | undefined): engine.NodeSpec {
  return {
    tcpListenerAddress: spec?.tcpListenerAddress ?? "",
    ...(spec?.httpServerPort !== undefined && { httpServerPort: spec.httpServerPort }),
  };
}

export function toListenerSpec({
  bindAddress,
}: pb.TcpListenerSpec | pb.UdpListenerSpec): engine.TcpListenerSpec {
  return { bindAddress };
}

export function toConnectionSpec({
  peerAddress,
}: pb.TcpConnectionSpec | pb.UdpConnectionSpec): engine.TcpConnectionSpec {
  return { peerAddress };
}

export function toServiceSpec({ kind }: pb.ServiceSpec): engine.ServiceSpec {
  switch (kind) {
    case pb.ServiceKind.ECHO:
      return { kind: "echo" };
    case pb.ServiceKind.UPPERCASE:
      return { kind: "uppercase" };
    case pb.ServiceKind.HOP:
      return { kind: "hop" };
    default:
      throw new PortwayError("bad_argument", `${kind} is not a kind of service`, { field: "service.kind" });
  }
}

export function toRelaySpec({ at, relayAddress }: relay.RelaySpec): engine.RelaySpec {
  return { at, relayAddress };
}

export function toInletSpec(spec: portal.InletSpec): engine.InletSpec {
  return {
    bindAddress: spec.bindAddress,
    to: spec.to,
    ...(spec.openTimeout !== undefined && { openTimeoutMs: toMs(spec.openTimeout) }),
    ...(spec.retryWait !== undefined && { retryWaitMs: toMs(spec.retryWait) }),
  };
}

export function toOutletSpec(spec: portal.OutletSpec): engine.OutletSpec {
  return {
    target: spec.target,
    ...(spec.connectTimeout !== undefined && { connectTimeoutMs: toMs(spec.connectTimeout) }),
  };
}

/** Never 0 for a duration that is longer than 0: a timer has no shorter time than a millisecond. */
export function toMs(duration: Duration): number {
  return Number(duration.seconds) * 1000 + Math.ceil(duration.nanos / 1e6);
}
