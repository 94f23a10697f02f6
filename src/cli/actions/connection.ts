import type { MessageInitShape } from "@bufbuild/protobuf";
import type { DurationSchema } from "@bufbuild/protobuf/wkt";
import type { CallOptions } from "@connectrpc/connect";
import { type ErrorCode, PortwayError } from "../../base/errors.js";
import type { PortwayClient } from "../../client/client.js";
import {
  durationArgument,
  missingArgument,
  peerAddressArgument,
  socketAddressArgument,
} from "../argument.js";
import type { Cli } from "../cli.js";
import { protoDuration } from "../duration.js";
import {
  type Connection,
  connectionAddress,
  connectionDetails,
  connectionJson,
  connectionPeer,
  connectionPlain,
} from "../forms/connection.js";
import { addressValue, idOf } from "../names.js";
import { listAll, pageSize } from "../paging.js";
import { type RetryOptions, withRetries } from "../retry.js";
import { confirmDelete, selectUnnamed } from "../selection.js";
import { targetNode, targetNodeOrNew } from "../target-node.js";
import { untilUp, type WaitOption } from "../until-up.js";

/** The calls for the connections over one transport. */
export interface ConnectionCalls {
  /** `TCP connection` */
  readonly noun: string;
  readonly notFound: ErrorCode;
  create(
    nodes: PortwayClient["nodes"],
    request: {
      readonly parent: string;
      readonly peerAddress: string;
      readonly requestId: string;
      readonly wait: MessageInitShape<typeof DurationSchema>;
    },
    options: CallOptions,
  ): Promise<Connection | undefined>;
  get(
    nodes: PortwayClient["nodes"],
    request: { readonly name: string },
    options: CallOptions,
  ): Promise<Connection | undefined>;
  list(
    nodes: PortwayClient["nodes"],
    request: { readonly parent: string; readonly pageSize: number; readonly pageToken: string },
    options: CallOptions,
  ): Promise<{ readonly items: readonly Connection[]; readonly nextPageToken: string }>;
  delete(
    nodes: PortwayClient["nodes"],
    request: { readonly name: string; readonly requestId: string },
    options: CallOptions,
  ): Promise<unknown>;
}

const connectWaitMs = 5000;
const maxWaitMs = 600_000;

export interface AtNode {
  readonly at?: string;
}

export interface CreateOptions extends RetryOptions {
  readonly from?: string;
  readonly to?: string;
  readonly timeout?: string;
  /** False for `--no-connection-wait`. */
  readonly connectionWait?: boolean;
}

/** The actions of `tcp-connection` and `udp-connection`. */
export function connectionActions(calls: ConnectionCalls) {
  const { noun } = calls;

  async function create(cli: Cli, options: CreateOptions): Promise<void> {
    if (options.to === undefined) throw missingArgument("--to", "the host:port where the other node listens");
    const peerAddress = peerAddressArgument("--to", options.to);
    const timeoutMs =
      options.timeout === undefined
        ? connectWaitMs
        : durationArgument("--timeout", options.timeout, maxWaitMs);
    const waitMs = options.connectionWait === false ? 0 : timeoutMs;
    const node = await targetNodeOrNew(cli, options.from);
    const { nodes } = await cli.client();
    const connection = await withRetries(cli, options, () => {
      const requestId = cli.requestId();
      const request = { parent: `nodes/${node}`, peerAddress, requestId, wait: protoDuration(waitMs) };
      const creating = calls.create(nodes, request, cli.call(waitMs));
      return cli.notices.during(`Connecting ${node} to ${peerAddress}`, creating);
    });
    if (connection === undefined) throw new PortwayError("internal", `the daemon sent no ${noun}`);
    const address = `/worker/${connectionAddress(connection)}`;
    await cli.output.print({
      plain: (style) =>
        `${style.green("✔")} Created a ${noun} from the node ${style.bold(node)} to ${peerAddress}\n  ${style.cyan(address)}`,
      machine: address,
      json: () => ({ address, from: node, to: peerAddress }),
    });
  }

  async function list(cli: Cli, options: AtNode): Promise<void> {
    const node = await targetNode(cli, options.at);
    const connections = await all(cli, node);
    await cli.output.print({
      plain: (style) =>
        connections.length === 0
          ? `The node ${node} has no ${noun}s.`
          : connections.map((connection) => connectionPlain(connection, style)).join("\n"),
      json: () => connections.map(connectionJson),
    });
  }

  async function show(cli: Cli, options: AtNode & WaitOption, named: string | undefined): Promise<void> {
    const node = await targetNode(cli, options.at);
    const found = await one(cli, node, named);
    const { nodes } = await cli.client();
    const connection = await untilUp(cli, options, {
      what: `the ${noun} ${connectionAddress(found)} of the node ${node}`,
      async read() {
        const connection = await calls.get(nodes, { name: found.name }, cli.call());
        if (connection === undefined) throw new PortwayError("internal", `the daemon sent no ${noun}`);
        return connection;
      },
      livenessOf: ({ status }) => status?.liveness,
    });
    await cli.output.print({
      plain: (style) => connectionDetails(connection, style),
      json: () => connectionJson(connection),
    });
  }

  async function remove(
    cli: Cli,
    options: AtNode & { readonly yes?: boolean },
    named: string | undefined,
  ): Promise<void> {
    const node = await targetNode(cli, options.at);
    const connection = await one(cli, node, named);
    const address = connectionAddress(connection);
    const what = `the ${noun} ${address} (${connectionPeer(connection)}) of the node ${node}`;
    await confirmDelete(cli, options.yes, what);
    const { nodes } = await cli.client();
    await calls.delete(nodes, { name: connection.name, requestId: cli.requestId() }, cli.call());
    await cli.output.print({
      plain: (style) => `${style.green("✔")} Deleted ${what}`,
      json: () => ({ address: `/worker/${address}`, node }),
    });
  }

  async function all(cli: Cli, node: string): Promise<Connection[]> {
    const { nodes } = await cli.client();
    return await listAll(
      (pageToken) => calls.list(nodes, { parent: `nodes/${node}`, pageSize, pageToken }, cli.call()),
      ({ items }) => items,
    );
  }

  /** By its worker address or id, or by its peer if no other connection has the same. */
  async function one(cli: Cli, node: string, named: string | undefined): Promise<Connection> {
    const items = await all(cli, node);
    const nameOf = (connection: Connection): string =>
      `${connectionAddress(connection)} (${connectionPeer(connection)})`;
    const found = named === undefined ? items : items.filter((connection) => isNamed(connection, named));
    const [chosen] = await selectUnnamed(cli, { what: noun, items: found, nameOf });
    if (chosen !== undefined) return chosen;
    const which = named === undefined ? "" : ` ${named}`;
    throw new PortwayError(calls.notFound, `the node ${node} has no ${noun}${which}`, { node });
  }

  return { create, list, show, remove };
}

function isNamed(connection: Connection, named: string): boolean {
  const address = addressValue(named);
  const peer = /^:?\d{1,5}$/.test(named) ? socketAddressArgument("ADDRESS", named) : named;
  return (
    connectionAddress(connection) === address ||
    idOf(connection.name) === address ||
    connectionPeer(connection) === peer ||
    connection.spec?.peerAddress === peer
  );
}
