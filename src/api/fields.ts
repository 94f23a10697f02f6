import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { type ErrorCode, PortwayError } from "../base/errors.js";

/** What is wrong: the code of the error, or something that has the code of something else. */
type Wrong = ErrorCode | "return_route";
type Fields = Readonly<Partial<Record<Wrong, string>>>;

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
    bad_name: "relay.relay_address",
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
  "portway.v1.MessageService/SteerWorker.send": {
    bad_route: "send.onward_route",
    bad_address: "send.onward_route",
    frame_too_large: "send.payload",
    return_route: "send.return_route",
  },
  "portway.v1.MessageService/SteerWorker.reply": {
    bad_route: "reply.to_id",
    frame_too_large: "reply.payload",
    return_route: "reply.return_route",
  },
  "portway.v1.MessageService/SteerWorker.acknowledge": { bad_argument: "acknowledge.through_id" },
  "portway.v1.MessageService/OpenWorker": {
    bad_name: "open.node",
    bad_address: "open.address",
    bad_argument: "open.acknowledged_id",
  },
  "portway.v1.MessageService/ReceiveMessages": {
    bad_name: "open.node",
    bad_address: "open.address",
    bad_argument: "open.acknowledged_id",
  },
  "portway.v1.MessageService/WatchMessages": {
    bad_name: "node",
    bad_route: "onward_prefix",
    bad_address: "onward_prefix",
  },
  "portway.v1.MessageService/WatchMessages.address": { bad_address: "address" },
};

/**
 * Undefined for an error that is about no field that is known. Behind the name of a method may stand what part of its
 * request the error came from: the command of SteerWorker.
 */
export function fieldOf(method: string, error: PortwayError): string | undefined {
  const { field } = error.facts;
  if (typeof field === "string") return field;
  const known = fields[method]?.[wrongIn(error)];
  if (known !== undefined) return known;
  if (error.code === "bad_page_token") return "page_token";
  if (error.code === "bad_name")
    return method.includes("/List") || method.includes("/Create") ? "parent" : "name";
  return undefined;
}

/** The error that was `thrown` by a part of a request; it names the field, if `method` with that part knows one. */
export function blame(method: string, thrown: unknown): unknown {
  if (!(thrown instanceof PortwayError)) return thrown;
  const field = fieldOf(method, thrown);
  if (field === undefined) return thrown;
  return new PortwayError(thrown.code, thrown.message, { ...thrown.facts, field });
}

function wrongIn({ code, facts }: PortwayError): Wrong {
  if (facts["isReturnRoute"] === true) return "return_route";
  // A part of a route that is understood and not supported is as wrong a value as one that is not understood.
  if (code === "unsupported") return "bad_route";
  // The first hop refused what the message carries, not where it goes.
  return facts["reason"] === "malformed_payload" ? "frame_too_large" : code;
}

/**
 * The field of `request` that the text of protobuf's JSON reader is about. That names a field of some message in it, or
 * the type of the value; undefined if several have that, or none.
 */
export function fieldInJsonError(message: string, request: DescMessage): string | undefined {
  const match = /decode (field|message|enum) ([\w.]+) from JSON(?:: key "([^"]*)" is unknown$)?/.exec(
    message,
  );
  if (match === null) return undefined;
  const [, kind, name, key] = match;
  if (key !== undefined && name === request.typeName) return key;
  const paths = pathsTo(request, (field) => {
    if (kind === "field") return `${field.parent.typeName}.${field.name}` === name;
    return (kind === "message" ? field.message : field.enum)?.typeName === name;
  });
  if (paths.length !== 1) return undefined;
  return key === undefined ? paths[0] : `${paths[0]}.${key}`;
}

/** Of the messages of requests, none lies inside of another of its kind. */
function pathsTo(type: DescMessage, isMeant: (field: DescField) => boolean): string[] {
  return type.fields.flatMap((field) => {
    const inside = field.message === undefined ? [] : pathsTo(field.message, isMeant);
    return [...(isMeant(field) ? [field.name] : []), ...inside.map((path) => `${field.name}.${path}`)];
  });
}
