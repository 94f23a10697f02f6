import type { TcpConnection } from "../../../gen/portway/v1/node_service_pb.js";
import { PortwayError } from "../../base/errors.js";
import { durationArgument, missingArgument, socketAddressArgument } from "../argument.js";
import type { Cli } from "../cli.js";
import { protoDuration } from "../duration.js";
import {
  connectionAddress,
  connectionDetails,
  connectionJson,
  connectionPeer,
  connectionPlain,
} from "../forms/tcp.js";
import { addressValue, idOf } from "../names.js";
import { listAll, pageSize } from "../paging.js";
import { type RetryOptions, withRetries } from "../retry.js";
import { confirmDelete, selectUnnamed } from "../selection.js";
import { targetNode, targetNodeOrNew } from "../target-node.js";
import { untilUp, type WaitOption } from "../until-up.js";

const connectWaitMs = 5000;
const maxWaitMs = 600_000;

interface AtNode {
  readonly at?: string;
}

interface CreateOptions extends RetryOptions {
  readonly from?: string;
  readonly to?: string;
  readonly timeout?: string;
  /** False for `--no-connection-wait`. */
  readonly connectionWait?: boolean;
}

export async function create(cli: Cli, options: CreateOptions): Promise<void> {
  if (options.to === undefined) throw missingArgument("--to", "the host:port where the other node listens");
  const peerAddress = socketAddressArgument("--to", options.to);
  const timeoutMs =
    options.timeout === undefined ? connectWaitMs : durationArgument("--timeout", options.timeout, maxWaitMs);
  const waitMs = options.connectionWait === false ? 0 : timeoutMs;
  const node = await targetNodeOrNew(cli, options.from);
  const { nodes } = await cli.client();
  const connection = await withRetries(cli, options, async () => {
    const creating = nodes.createTcpConnection(
      {
        parent: `nodes/${node}`,
        tcpConnection: { peerAddress },
        requestId: cli.requestId(),
        wait: protoDuration(waitMs),
      },
      cli.call(waitMs),
    );
    return (await cli.notices.during(`Connecting ${node} to ${peerAddress}`, creating)).tcpConnection;
  });
  if (connection === undefined) throw new PortwayError("internal", "the daemon sent no TCP connection");
  const address = `/worker/${connectionAddress(connection)}`;
  await cli.output.print({
    plain: (style) =>
      `${style.green("✔")} Created a TCP connection from the node ${style.bold(node)} to ${peerAddress}\n  ${style.cyan(address)}`,
    machine: address,
    json: () => ({ address, from: node, to: peerAddress }),
  });
}

export async function list(cli: Cli, options: AtNode): Promise<void> {
  const node = await targetNode(cli, options.at);
  const connections = await listConnections(cli, node);
  await cli.output.print({
    plain: (style) =>
      connections.length === 0
        ? `The node ${node} has no TCP connections.`
        : connections.map((connection) => connectionPlain(connection, style)).join("\n"),
    json: () => connections.map(connectionJson),
  });
}

export async function show(cli: Cli, options: AtNode & WaitOption, named: string | undefined): Promise<void> {
  const node = await targetNode(cli, options.at);
  const found = await oneConnection(cli, node, named);
  const { nodes } = await cli.client();
  const connection = await untilUp(cli, options, {
    what: `the TCP connection ${connectionAddress(found)} of the node ${node}`,
    async read() {
      const answer = await nodes.getTcpConnection({ name: found.name }, cli.call());
      if (answer.tcpConnection === undefined) {
        throw new PortwayError("internal", "the daemon sent no TCP connection");
      }
      return answer.tcpConnection;
    },
    livenessOf: ({ status }) => status?.liveness,
  });
  await cli.output.print({
    plain: (style) => connectionDetails(connection, style),
    json: () => connectionJson(connection),
  });
}

export async function remove(
  cli: Cli,
  options: AtNode & { readonly yes?: boolean },
  named: string | undefined,
): Promise<void> {
  const node = await targetNode(cli, options.at);
  const connection = await oneConnection(cli, node, named);
  const address = connectionAddress(connection);
  const what = `the TCP connection ${address} (${connectionPeer(connection)}) of the node ${node}`;
  await confirmDelete(cli, options.yes, what);
  const { nodes } = await cli.client();
  await nodes.deleteTcpConnection({ name: connection.name, requestId: cli.requestId() }, cli.call());
  await cli.output.print({
    plain: (style) => `${style.green("✔")} Deleted ${what}`,
    json: () => ({ address: `/worker/${address}`, node }),
  });
}

async function listConnections(cli: Cli, node: string): Promise<TcpConnection[]> {
  const { nodes } = await cli.client();
  return await listAll(
    (pageToken) => nodes.listTcpConnections({ parent: `nodes/${node}`, pageSize, pageToken }, cli.call()),
    (page) => page.tcpConnections,
  );
}

/** By its worker address or id, or by its peer if no other connection has the same. */
async function oneConnection(cli: Cli, node: string, named: string | undefined): Promise<TcpConnection> {
  const items = await listConnections(cli, node);
  const nameOf = (connection: TcpConnection): string =>
    `${connectionAddress(connection)} (${connectionPeer(connection)})`;
  const found = named === undefined ? items : items.filter((connection) => isNamed(connection, named));
  const [chosen] = await selectUnnamed(cli, { what: "TCP connection", items: found, nameOf });
  if (chosen !== undefined) return chosen;
  const which = named === undefined ? "" : ` ${named}`;
  throw new PortwayError("tcp_connection_not_found", `the node ${node} has no TCP connection${which}`, {
    node,
  });
}

function isNamed(connection: TcpConnection, named: string): boolean {
  const address = addressValue(named);
  const peer = /^:?\d{1,5}$/.test(named) ? socketAddressArgument("ADDRESS", named) : named;
  return (
    connectionAddress(connection) === address ||
    idOf(connection.name) === address ||
    connectionPeer(connection) === peer ||
    connection.spec?.peerAddress === peer
  );
}
