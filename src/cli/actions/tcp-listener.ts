import type { TcpListener } from "../../../gen/portway/v1/node_service_pb.js";
import { PortwayError } from "../../base/errors.js";
import { isLoopback, parseSocketAddress } from "../../model/socket-address.js";
import { socketAddressArgument } from "../argument.js";
import type { Cli } from "../cli.js";
import { listenerAddress, listenerJson, listenerPlain } from "../forms/tcp.js";
import { addressValue, idOf } from "../names.js";
import { listAll, pageSize } from "../paging.js";
import { localRoute } from "../route-argument.js";
import { confirmDelete, selectUnnamed } from "../selection.js";
import { targetNode, targetNodeOrNew } from "../target-node.js";

interface AtNode {
  readonly at?: string;
}

export async function create(cli: Cli, options: AtNode, address: string | undefined): Promise<void> {
  const bindAddress = socketAddressArgument("ADDRESS", address ?? "");
  const node = await targetNodeOrNew(cli, options.at);
  const { nodes } = await cli.client();
  const { tcpListener: listener } = await nodes.createTcpListener(
    { parent: `nodes/${node}`, tcpListener: { bindAddress }, requestId: cli.requestId() },
    cli.call(),
  );
  if (listener === undefined) throw new PortwayError("internal", "the daemon sent no TCP listener");
  const bound = listenerAddress(listener);
  if (!isLoopback(parseSocketAddress(bound).host)) {
    cli.notices.warn(
      `${bound} can be reached from the network, without encryption and without authentication`,
    );
  }
  const route = localRoute(bound).named;
  await cli.output.print({
    plain: (style) => `${style.green("✔")} The node ${style.bold(node)} listens at ${style.cyan(route)}`,
    machine: route,
    json: () => listenerJson(listener),
  });
}

export async function list(cli: Cli, options: AtNode): Promise<void> {
  const listeners = await listListeners(cli, await targetNode(cli, options.at));
  await cli.output.print({
    plain: (style) => listeners.map((listener) => listenerPlain(listener, style)).join("\n"),
    json: () => listeners.map(listenerJson),
  });
}

export async function show(cli: Cli, options: AtNode, named: string | undefined): Promise<void> {
  const node = await targetNode(cli, options.at);
  const listener = await oneListener(cli, node, named);
  await cli.output.print({
    plain: (style) => listenerPlain(listener, style),
    json: () => listenerJson(listener),
  });
}

export async function remove(
  cli: Cli,
  options: AtNode & { readonly yes?: boolean },
  named: string | undefined,
): Promise<void> {
  const node = await targetNode(cli, options.at);
  const listener = await oneListener(cli, node, named);
  const address = listenerAddress(listener);
  await confirmDelete(cli, options.yes, `the TCP listener ${address} of the node ${node}`);
  const { nodes } = await cli.client();
  await nodes.deleteTcpListener({ name: listener.name, requestId: cli.requestId() }, cli.call());
  await cli.output.print({
    plain: (style) =>
      `${style.green("✔")} Deleted the TCP listener ${address} of the node ${style.bold(node)}`,
    json: () => ({ node }),
  });
}

async function listListeners(cli: Cli, node: string): Promise<TcpListener[]> {
  const { nodes } = await cli.client();
  return await listAll(
    (pageToken) => nodes.listTcpListeners({ parent: `nodes/${node}`, pageSize, pageToken }, cli.call()),
    (page) => page.tcpListeners,
  );
}

/** By the address it is bound at or was asked for, by its address inside the node, or by its id. */
async function oneListener(cli: Cli, node: string, named: string | undefined): Promise<TcpListener> {
  const items = await listListeners(cli, node);
  if (named === undefined) {
    const [chosen] = await selectUnnamed(cli, { what: "TCP listener", items, nameOf: listenerAddress });
    if (chosen !== undefined) return chosen;
    throw new PortwayError("tcp_listener_not_found", `the node ${node} has no TCP listener`, { node });
  }
  const address = addressValue(named);
  const normal = /^:?\d+$/.test(address) ? socketAddressArgument("ADDRESS", address) : address;
  const found = items.find(
    (listener) =>
      listenerAddress(listener) === normal ||
      listener.spec?.bindAddress === named ||
      listener.status?.address === address ||
      idOf(listener.name) === address,
  );
  if (found !== undefined) return found;
  throw new PortwayError("tcp_listener_not_found", `the node ${node} has no TCP listener ${named}`, { node });
}
