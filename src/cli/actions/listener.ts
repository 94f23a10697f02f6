import type { CallOptions } from "@connectrpc/connect";
import { type ErrorCode, PortwayError } from "../../base/errors.js";
import type { PortwayClient } from "../../client/client.js";
import { isLoopback, parseSocketAddress } from "../../model/socket-address.js";
import { socketAddressArgument } from "../argument.js";
import type { Cli } from "../cli.js";
import {
  type Listener,
  listenerAddress,
  listenerJson,
  listenerPlain,
  listenerRoute,
} from "../forms/listener.js";
import { addressValue, idOf } from "../names.js";
import { listAll, pageSize } from "../paging.js";
import { confirmDelete, selectUnnamed } from "../selection.js";
import { targetNode, targetNodeOrNew } from "../target-node.js";

/** The calls for the listeners of one transport. */
export interface ListenerCalls {
  /** `TCP listener` */
  readonly noun: string;
  readonly notFound: ErrorCode;
  create(
    nodes: PortwayClient["nodes"],
    request: { readonly parent: string; readonly bindAddress: string; readonly requestId: string },
    options: CallOptions,
  ): Promise<Listener | undefined>;
  list(
    nodes: PortwayClient["nodes"],
    request: { readonly parent: string; readonly pageSize: number; readonly pageToken: string },
    options: CallOptions,
  ): Promise<{ readonly items: readonly Listener[]; readonly nextPageToken: string }>;
  delete(
    nodes: PortwayClient["nodes"],
    request: { readonly name: string; readonly requestId: string },
    options: CallOptions,
  ): Promise<unknown>;
}

export interface AtNode {
  readonly at?: string;
}

/** The actions of `tcp-listener` and `udp-listener`. */
export function listenerActions(calls: ListenerCalls) {
  const { noun } = calls;

  async function create(cli: Cli, options: AtNode, address: string | undefined): Promise<void> {
    const bindAddress = socketAddressArgument("ADDRESS", address ?? "");
    const node = await targetNodeOrNew(cli, options.at);
    const { nodes } = await cli.client();
    const request = { parent: `nodes/${node}`, bindAddress, requestId: cli.requestId() };
    const listener = await calls.create(nodes, request, cli.call());
    if (listener === undefined) throw new PortwayError("internal", `the daemon sent no ${noun}`);
    const bound = listenerAddress(listener);
    if (!isLoopback(parseSocketAddress(bound).host)) {
      cli.notices.warn(
        `${bound} can be reached from the network, without encryption and without authentication`,
      );
    }
    const route = listenerRoute(listener);
    await cli.output.print({
      plain: (style) => `${style.green("✔")} The node ${style.bold(node)} listens at ${style.cyan(route)}`,
      machine: route,
      json: () => listenerJson(listener),
    });
  }

  async function list(cli: Cli, options: AtNode): Promise<void> {
    const node = await targetNode(cli, options.at);
    const listeners = await all(cli, node);
    await cli.output.print({
      plain: (style) =>
        listeners.map((listener) => listenerPlain(listener, style)).join("\n") ||
        `The node ${node} has no ${noun}s.`,
      json: () => listeners.map(listenerJson),
    });
  }

  async function show(cli: Cli, options: AtNode, named: string | undefined): Promise<void> {
    const node = await targetNode(cli, options.at);
    const listener = await one(cli, node, named);
    await cli.output.print({
      plain: (style) => listenerPlain(listener, style),
      json: () => listenerJson(listener),
    });
  }

  async function remove(
    cli: Cli,
    options: AtNode & { readonly yes?: boolean },
    named: string | undefined,
  ): Promise<void> {
    const node = await targetNode(cli, options.at);
    const listener = await one(cli, node, named);
    const what = `the ${noun} ${listenerAddress(listener)} of the node`;
    await confirmDelete(cli, options.yes, `${what} ${node}`);
    const { nodes } = await cli.client();
    await calls.delete(nodes, { name: listener.name, requestId: cli.requestId() }, cli.call());
    await cli.output.print({
      plain: (style) => `${style.green("✔")} Deleted ${what} ${style.bold(node)}`,
      json: () => ({ node }),
    });
  }

  async function all(cli: Cli, node: string): Promise<Listener[]> {
    const { nodes } = await cli.client();
    return await listAll(
      (pageToken) => calls.list(nodes, { parent: `nodes/${node}`, pageSize, pageToken }, cli.call()),
      ({ items }) => items,
    );
  }

  /** By the address it is bound at or was asked for, by its address inside the node, or by its id. */
  async function one(cli: Cli, node: string, named: string | undefined): Promise<Listener> {
    const items = await all(cli, node);
    if (named === undefined) {
      const [chosen] = await selectUnnamed(cli, { what: noun, items, nameOf: listenerAddress });
      if (chosen !== undefined) return chosen;
      throw new PortwayError(calls.notFound, `the node ${node} has no ${noun}`, { node });
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
    throw new PortwayError(calls.notFound, `the node ${node} has no ${noun} ${named}`, { node });
  }

  return { create, list, show, remove };
}
