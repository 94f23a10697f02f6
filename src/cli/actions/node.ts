import type { Node } from "../../../gen/portway/v1/node_service_pb.js";
import { PortwayError } from "../../base/errors.js";
import type { Cli } from "../cli.js";
import { deprecated } from "../command.js";
import {
  isRunning,
  type NodeDetails,
  nodeItemJson,
  nodeItemPlain,
  nodeJson,
  nodePlain,
} from "../forms/node.js";
import { idOf, parseNodeId } from "../names.js";
import { listAll, pageSize } from "../paging.js";
import { confirmDelete, deleteEach, selectUnnamed, theItems } from "../selection.js";
import { listNodes, targetNode } from "../target-node.js";

export async function list(cli: Cli): Promise<void> {
  const nodes = await listNodes(cli);
  await cli.output.print({
    plain: (style) => {
      if (nodes.length === 0) return "There are no nodes. `portway node create` makes one.";
      const width = Math.max(...nodes.map((node) => idOf(node.name).length));
      return nodes.map((node) => nodeItemPlain(node, style, width)).join("\n");
    },
    json: () => nodes.map(nodeItemJson),
  });
}

export async function show(cli: Cli, _options: object, named: string | undefined): Promise<void> {
  const id = named === undefined ? await unnamed(cli) : parseNodeId(named);
  const details = await nodeDetails(cli, id);
  await cli.output.print({ plain: (style) => nodePlain(details, style), json: () => nodeJson(details) });
}

interface DeleteOptions {
  readonly all?: boolean;
  readonly yes?: boolean;
  readonly force?: boolean;
}

export async function remove(cli: Cli, options: DeleteOptions, named: string | undefined): Promise<void> {
  if (options.force) cli.notices.warn(deprecated("--force", "it has no effect"));
  const ids = await nodesToDelete(cli, options, named);
  if (ids.length > 0) await confirmDelete(cli, options.yes, theItems("node", ids));
  const { nodes } = await cli.client();
  await deleteEach(ids, { all: options.all, gone: "NODE_NOT_FOUND" }, (id) =>
    nodes.deleteNode({ name: `nodes/${id}`, requestId: cli.requestId() }, cli.call()),
  );
  const [only] = ids;
  await cli.output.print({
    plain: (style) =>
      ids.length === 0
        ? "There are no nodes."
        : ids.map((id) => `${style.green("✔")} Deleted the node ${style.bold(id)}`).join("\n"),
    ...(ids.length === 0 ? {} : { machine: ids.join("\n") }),
    json: () => (options.all || only === undefined ? ids.map((name) => ({ name })) : { name: only }),
  });
}

async function nodesToDelete(cli: Cli, options: DeleteOptions, named: string | undefined): Promise<string[]> {
  if (named !== undefined && options.all) {
    throw new PortwayError("bad_argument", `--all deletes every node: leave out the name ${named}`);
  }
  if (named !== undefined) return [parseNodeId(named)];
  const items = await listNodes(cli);
  // The newest first, so that what was built on another is gone before that.
  if (options.all) return items.map((node) => idOf(node.name)).reverse();
  const chosen = await selectUnnamed(cli, {
    what: "node",
    items,
    nameOf: (node) => idOf(node.name),
    several: true,
  });
  if (chosen.length === 0) throw new PortwayError("node_not_found", "there are no nodes to delete");
  return chosen.map((node) => idOf(node.name));
}

export async function makeDefault(cli: Cli, _options: object, named: string | undefined): Promise<void> {
  if (named === undefined) return await showDefault(cli);
  const id = parseNodeId(named);
  const { nodes } = await cli.client();
  await nodes.setDefaultNode({ name: `nodes/${id}`, requestId: cli.requestId() }, cli.call());
  await cli.output.print({
    plain: (style) => `${style.green("✔")} The default node is now ${style.bold(id)}`,
    machine: id,
    json: () => ({ name: id }),
  });
}

async function showDefault(cli: Cli): Promise<void> {
  const id = await targetNode(cli, undefined);
  await cli.output.print({
    plain: (style) => `The default node is ${style.bold(id)}`,
    machine: id,
    json: () => ({ name: id }),
  });
}

export async function stop(cli: Cli, options: { force?: boolean }, named: string | undefined): Promise<void> {
  if (options.force) cli.notices.warn(deprecated("--force", "it has no effect"));
  const id = await targetNode(cli, named);
  const { nodes } = await cli.client();
  const stopping = nodes.stopNode({ name: `nodes/${id}`, requestId: cli.requestId() }, cli.call());
  const { node } = await cli.notices.during(`Stopping the node ${id}`, stopping);
  await cli.output.print({
    plain: (style) => `${style.green("✔")} The node ${style.bold(id)} was stopped`,
    machine: `The node ${id} was stopped`,
    json: () => (node === undefined ? { node_name: id } : nodeItemJson(node)),
  });
}

export async function start(cli: Cli, _options: object, named: string | undefined): Promise<void> {
  const id = await targetNode(cli, named);
  const { nodes } = await cli.client();
  const { node } = await nodes.startNode({ name: `nodes/${id}`, requestId: cli.requestId() }, cli.call());
  warnOf(cli, node);
  await cli.output.print({
    plain: (style) => `${style.green("✔")} The node ${style.bold(id)} was started`,
    machine: id,
    json: async () => nodeJson(await nodeDetails(cli, id)),
  });
}

export async function logs(cli: Cli, _options: object, named: string | undefined): Promise<void> {
  const id = await targetNode(cli, named);
  const { nodes } = await cli.client();
  const { node } = await nodes.getNode({ name: `nodes/${id}` }, cli.call());
  const path = node?.status?.logPath ?? "";
  await cli.output.print({ plain: () => path, machine: path, json: () => ({ path }) });
}

/** A node with its listeners, services, inlets and outlets; of a stopped one only itself. */
export async function nodeDetails(cli: Cli, id: string): Promise<NodeDetails> {
  const client = await cli.client();
  const parent = `nodes/${id}`;
  const { node } = await client.nodes.getNode({ name: parent }, cli.call());
  if (node === undefined) throw new PortwayError("internal", `the daemon sent no node for ${id}`);
  const none = { node, listeners: [], services: [], inlets: [], outlets: [] };
  if (!isRunning(node)) return none;
  const page = (pageToken: string) => ({ parent, pageSize, pageToken });
  const [tcpListeners, udpListeners, services, inlets, outlets] = await Promise.all([
    listAll(
      (token) => client.nodes.listTcpListeners(page(token), cli.call()),
      (answer) => answer.tcpListeners,
    ),
    listAll(
      (token) => client.nodes.listUdpListeners(page(token), cli.call()),
      (answer) => answer.udpListeners,
    ),
    listAll(
      (token) => client.nodes.listServices(page(token), cli.call()),
      (answer) => answer.services,
    ),
    listAll(
      (token) => client.portals.listInlets(page(token), cli.call()),
      (answer) => answer.inlets,
    ),
    listAll(
      (token) => client.portals.listOutlets(page(token), cli.call()),
      (answer) => answer.outlets,
    ),
  ]);
  return { node, listeners: [...tcpListeners, ...udpListeners], services, inlets, outlets };
}

/** Says on standard error what a person should know of a node: that it is open to the network. */
export function warnOf(cli: Cli, node: Node | undefined): void {
  for (const warning of node?.status?.warnings ?? []) cli.notices.warn(warning);
}

/** On a terminal a person chooses of several nodes; elsewhere it is the default one. */
async function unnamed(cli: Cli): Promise<string> {
  if (!cli.prompt.canAsk) return await targetNode(cli, undefined);
  const items = await listNodes(cli);
  const [chosen] = await selectUnnamed(cli, { what: "node", items, nameOf: (node) => idOf(node.name) });
  if (chosen !== undefined) return idOf(chosen.name);
  throw new PortwayError("node_not_found", "there are no nodes");
}
