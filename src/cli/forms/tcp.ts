import {
  type TcpConnection,
  TcpConnectionOrigin,
  type TcpListener,
} from "../../../gen/portway/v1/node_service_pb.js";
import { idOf } from "../names.js";
import type { Style } from "../style.js";
import { lastFailure, livenessPlain, upOrDown } from "./liveness.js";

/** As `ockam tcp-listener show`. There are no flow control ids here. */
export function listenerJson({ spec, status }: TcpListener): object {
  return {
    flow_control_id: null,
    mode: "Listen",
    processor_address: status?.address ? `0#${status.address}` : null,
    socket_addr: listenerAddress({ spec, status }),
    type: "Tcp",
    worker_addr: "<none>",
  };
}

export function listenerAddress({ spec, status }: Pick<TcpListener, "spec" | "status">): string {
  return status?.boundAddress || spec?.bindAddress || "";
}

export function listenerPlain(listener: TcpListener, style: Style): string {
  const { status } = listener;
  const open = status?.openConnections ?? 0;
  const connections = `${open} connection${open === 1 ? "" : "s"}`;
  const own = status?.isNodeListener ? style.dim(", the node's own") : "";
  return `  ${style.cyan(listenerAddress(listener))}  ${connections}${own}`;
}

/** As the transports of `ockam`, with what is known of the link. */
export function connectionJson(connection: TcpConnection): object {
  const { status } = connection;
  return {
    flow_control_id: null,
    last_failure: lastFailure(status?.liveness),
    mode: isIncoming(connection) ? "Incoming" : "Outgoing",
    processor_address: null,
    socket_addr: connectionPeer(connection),
    status: upOrDown(status?.liveness),
    type: "Tcp",
    worker_addr: `0#${connectionAddress(connection)}`,
  };
}

export function connectionAddress({ name, status }: TcpConnection): string {
  return status?.workerAddress || idOf(name);
}

export function connectionPeer({ spec, status }: TcpConnection): string {
  return status?.peerAddress || spec?.peerAddress || "";
}

export function connectionPlain(connection: TcpConnection, style: Style): string {
  const arrow = isIncoming(connection) ? "from" : "to";
  const owner = connection.status?.owner ? style.dim(` for ${connection.status.owner}`) : "";
  const address = style.cyan(`/worker/${connectionAddress(connection)}`);
  return `  ${address}  ${arrow} ${connectionPeer(connection)}, ${livenessPlain(connection.status?.liveness, style)}${owner}`;
}

export function connectionDetails(connection: TcpConnection, style: Style): string {
  const { status } = connection;
  const lines = [style.bold(`/worker/${connectionAddress(connection)}`)];
  const say = (label: string, text: string): number => lines.push(`  ${label.padEnd(13)} ${text}`);
  say("Mode", isIncoming(connection) ? "incoming" : "outgoing");
  say("Peer", connectionPeer(connection));
  if (status?.localAddress) say("Local", status.localAddress);
  say("Status", livenessPlain(status?.liveness, style));
  say("Links", `${status?.links ?? 0n} so far`);
  say("Received", `${status?.received?.messages ?? 0n} messages, ${status?.received?.bytes ?? 0n} bytes`);
  say("Sent", `${status?.sent?.messages ?? 0n} messages, ${status?.sent?.bytes ?? 0n} bytes`);
  if (status?.owner) say("Serves", status.owner);
  return lines.join("\n");
}

function isIncoming({ status }: TcpConnection): boolean {
  return status?.origin === TcpConnectionOrigin.ACCEPTED;
}
