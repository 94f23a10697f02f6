import type { TcpConnection, UdpConnection } from "../../../gen/portway/v1/node_service_pb.js";
import { idOf } from "../names.js";
import type { Style } from "../style.js";
import { lastFailure, livenessPlain, upOrDown } from "./liveness.js";

/** A connection over any transport. */
export type Connection = TcpConnection | UdpConnection;

/** As the transports of `ockam`, with what is known of the link. */
export function connectionJson(connection: Connection): object {
  const { status } = connection;
  const lost = lostCounts(connection);
  return {
    flow_control_id: null,
    last_failure: lastFailure(status?.liveness),
    ...(lost !== undefined && { lost }),
    mode: isIncoming(connection) ? "Incoming" : "Outgoing",
    processor_address: null,
    socket_addr: connectionPeer(connection),
    status: upOrDown(status?.liveness),
    type: lost === undefined ? "Tcp" : "Udp",
    worker_addr: `0#${connectionAddress(connection)}`,
  };
}

export function connectionAddress({ name, status }: Connection): string {
  return status?.workerAddress || idOf(name);
}

export function connectionPeer({ spec, status }: Connection): string {
  return status?.peerAddress || spec?.peerAddress || "";
}

export function connectionPlain(connection: Connection, style: Style): string {
  const arrow = isIncoming(connection) ? "from" : "to";
  const owner = connection.status?.owner ? style.dim(` for ${connection.status.owner}`) : "";
  const address = style.cyan(`/worker/${connectionAddress(connection)}`);
  return `  ${address}  ${arrow} ${connectionPeer(connection)}, ${livenessPlain(connection.status?.liveness, style)}${owner}`;
}

export function connectionDetails(connection: Connection, style: Style): string {
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
  const lost = Object.entries(lostCounts(connection) ?? {}).map(([reason, count]) => `${count} ${reason}`);
  if (lost.length > 0) say("Lost", lost.join(", "));
  if (status?.owner) say("Serves", status.owner);
  return lines.join("\n");
}

/** Undefined over a transport that loses nothing. */
function lostCounts({ $typeName, status }: Connection): Record<string, number> | undefined {
  if ($typeName !== "portway.v1.UdpConnection") return undefined;
  return Object.fromEntries(
    Object.entries((status as UdpConnection["status"])?.lost ?? {}).map(([reason, count]) => [
      reason,
      Number(count),
    ]),
  );
}

function isIncoming({ spec }: Connection): boolean {
  return spec === undefined;
}
