import type { TcpListener, UdpListener } from "../../../gen/portway/v1/node_service_pb.js";
import { localRoute } from "../local-route.js";
import type { Style } from "../style.js";

/** A listener of any transport. */
export type Listener = TcpListener | UdpListener;

/** As `ockam tcp-listener show`. There are no flow control ids here. */
export function listenerJson(listener: Listener): object {
  const { status } = listener;
  return {
    flow_control_id: null,
    mode: "Listen",
    processor_address: status?.address ? `0#${status.address}` : null,
    socket_addr: listenerAddress(listener),
    type: listenerType(listener),
    worker_addr: "<none>",
  };
}

export function listenerAddress({ spec, status }: Listener): string {
  return status?.boundAddress || spec?.bindAddress || "";
}

/** What a node on this machine reaches the listener by. */
export function listenerRoute(listener: Listener): string {
  const route = localRoute(listenerAddress(listener)).named;
  return listenerType(listener) === "Udp" ? route.replace(/\/tcp\/(\d+)$/, "/udp/$1") : route;
}

export function listenerPlain(listener: Listener, style: Style): string {
  const open = listener.status?.openConnections ?? 0;
  const connections = `${open} connection${open === 1 ? "" : "s"}`;
  const own = isOwn(listener) ? style.dim(", the node's own") : "";
  return `  ${style.cyan(listenerAddress(listener))}  ${connections}${own}`;
}

export function listenerType({ $typeName }: Listener): "Tcp" | "Udp" {
  return $typeName === "portway.v1.UdpListener" ? "Udp" : "Tcp";
}

function isOwn({ status }: Listener): boolean {
  return status?.$typeName === "portway.v1.TcpListenerStatus" && status.isNodeListener;
}
