import type { ErrorCode, PortwayError } from "../base/errors.js";

type Fields = Readonly<Partial<Record<ErrorCode, string>>>;

/**
 * Which field of a request an error of the engine is about. The engine knows no requests, so what it refuses is told
 * apart by its code.
 */
const fields: Readonly<Record<string, Fields>> = {
  "portway.v1.NodeService/CreateNode": {
    bad_socket_address: "node.tcp_listener_address",
    bad_name: "node_id",
    bad_argument: "node",
  },
  "portway.v1.NodeService/WatchNodes": { bad_argument: "start_revision" },
  "portway.v1.NodeService/CreateTcpListener": {
    bad_socket_address: "tcp_listener.bind_address",
    bad_argument: "tcp_listener",
  },
  "portway.v1.NodeService/CreateTcpConnection": {
    bad_socket_address: "tcp_connection.peer_address",
    bad_argument: "tcp_connection",
  },
  "portway.v1.NodeService/CreateUdpListener": {
    bad_socket_address: "udp_listener.bind_address",
    bad_argument: "udp_listener",
  },
  "portway.v1.NodeService/CreateUdpConnection": {
    bad_socket_address: "udp_connection.peer_address",
    bad_argument: "udp_connection",
  },
  "portway.v1.NodeService/CreateService": {
    bad_address: "service_id",
    bad_argument: "service",
  },
  "portway.v1.RelayService/CreateRelay": {
    bad_route: "relay.at",
    bad_socket_address: "relay.at",
    bad_address: "relay.relay_address",
    bad_argument: "relay",
  },
  "portway.v1.RelayService/WatchRelays": { bad_argument: "start_revision" },
  "portway.v1.PortalService/CreateInlet": {
    bad_route: "inlet.to",
    unreliable_route: "inlet.to",
    bad_address: "inlet.to",
    bad_socket_address: "inlet.bind_address",
    bad_argument: "inlet",
  },
  "portway.v1.PortalService/CreateOutlet": {
    bad_socket_address: "outlet.target",
    bad_address: "outlet_id",
    bad_argument: "outlet",
  },
  "portway.v1.PortalService/WatchPortals": { bad_argument: "start_revision" },
  "portway.v1.MessageService/SendMessage": {
    bad_route: "to",
    bad_address: "to",
    bad_socket_address: "to",
    bad_name: "node",
    frame_too_large: "payload",
  },
  "portway.v1.MessageService/OpenWorker": { bad_name: "open.node", bad_address: "open.address" },
  "portway.v1.MessageService/ReceiveMessages": { bad_name: "open.node", bad_address: "open.address" },
  "portway.v1.MessageService/WatchMessages": { bad_name: "node", bad_route: "onward_prefix" },
};

/** Undefined for an error that is about no field that is known. */
export function fieldOf(method: string, error: PortwayError): string | undefined {
  const { field } = error.facts;
  if (typeof field === "string") return field;
  // A part of a route that is understood and not supported is as wrong a value as one that is not understood.
  const known = fields[method]?.[error.code === "unsupported" ? "bad_route" : error.code];
  if (known !== undefined) return known;
  if (error.code === "bad_page_token") return "page_token";
  if (error.code === "bad_name")
    return method.includes("/List") || method.includes("/Create") ? "parent" : "name";
  return undefined;
}
