import { PortwayError } from "../base/errors.js";

/** The collections of a node, as they stand in names: `nodes/{node}/inlets/{inlet}`. */
export type CollectionName =
  | "tcpListeners"
  | "tcpConnections"
  | "udpListeners"
  | "udpConnections"
  | "services"
  | "workers"
  | "relays"
  | "relayRegistrations"
  | "inlets"
  | "outlets";

export interface ResourceId {
  readonly node: string;
  readonly id: string;
}

export function formatNodeName(node: string): string {
  return `nodes/${node}`;
}

/** In an id that is a worker address, `/` and `%` are written as `%2F` and `%25`. */
export function formatName(collection: CollectionName, node: string, id: string): string {
  const escaped = /[/%]/.test(id) ? id.replaceAll("%", "%25").replaceAll("/", "%2F") : id;
  return `nodes/${node}/${collection}/${escaped}`;
}

/** The id in `nodes/{node}`. Throws `bad_name`. */
export function parseNodeName(name: string): string {
  const match = /^nodes\/([A-Za-z0-9_-]{1,63})$/.exec(name);
  if (match === null) throw badName(name, "nodes/{node}");
  return match[1]!;
}

/** Throws `bad_name` for anything but a name in `collection`. */
export function parseName(collection: CollectionName, name: string): ResourceId {
  const [nodes, node, inside, id, ...rest] = name.split("/");
  if (nodes !== "nodes" || !node || inside !== collection || !id || rest.length > 0) {
    throw badName(name, `nodes/{node}/${collection}/{id}`);
  }
  return { node, id: id.replaceAll(/%2F/gi, "/").replaceAll("%25", "%") };
}

function badName(name: string, expected: string): PortwayError {
  return new PortwayError("bad_name", `"${name}" is not a name of the form ${expected}`, {
    given: name,
    expected,
  });
}
