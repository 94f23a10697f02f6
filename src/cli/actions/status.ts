import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { Node } from "../../../gen/portway/v1/node_service_pb.js";
import type { GetServerInfoResponse } from "../../../gen/portway/v1/system_service_pb.js";
import { version } from "../../base/version.js";
import { homeAt } from "../../home/home.js";
import { timeoutArgument } from "../argument.js";
import type { Cli } from "../cli.js";
import { nodeItemJson, nodeItemPlain } from "../forms/node.js";
import { deadLockHolder } from "../lock-holder.js";
import { idOf } from "../names.js";
import { listAll, pageSize } from "../paging.js";
import type { Style } from "../style.js";

const maxTimeoutMs = 600_000;
const defaultTimeoutMs = 10_000;

/** Tells of the daemon without starting one. */
export async function status(cli: Cli, options: { readonly timeout?: string }): Promise<void> {
  const timeoutMs =
    options.timeout === undefined
      ? defaultTimeoutMs
      : timeoutArgument("--timeout", options.timeout, maxTimeoutMs);
  const client = await cli.clientOfRunning();
  if (client === undefined) {
    const deadPid = deadLockHolder(homeAt(cli.home));
    if (deadPid !== undefined) cli.warnOfDead(deadPid);
    return await cli.output.print({
      plain: () => `No daemon runs in ${cli.home}. The next command that needs one starts it.`,
      json: () => ({ home: cli.home, nodes: [], portway_version: version, running: false }),
    });
  }
  const [info, nodes] = await Promise.all([
    client.system.getServerInfo({}, { timeoutMs }),
    listAll(
      (pageToken) => client.nodes.listNodes({ pageSize, pageToken }, { timeoutMs }),
      (page) => page.nodes,
    ),
  ]);
  await cli.output.print({
    plain: (style) => statusPlain(info, nodes, style),
    json: () => statusJson(info, nodes),
  });
}

function statusJson(info: GetServerInfoResponse, nodes: readonly Node[]): object {
  return {
    api_addresses: info.apiAddresses,
    autostarted: info.autostarted,
    draining: info.draining,
    epoch: info.epoch,
    home: info.home,
    nodes: nodes.map(nodeItemJson),
    pid: info.pid,
    portway_version: info.version,
    running: true,
    runtime: info.runtime,
    socket_path: info.socketPath,
    start_time: info.startTime === undefined ? null : timestampDate(info.startTime).toISOString(),
    warnings: info.warnings,
  };
}

function statusPlain(info: GetServerInfoResponse, nodes: readonly Node[], style: Style): string {
  const lines = [style.bold(`Portway ${info.version}`)];
  const say = (label: string, text: string): number => lines.push(`  ${label.padEnd(13)} ${text}`);
  const state = info.draining ? style.yellow("draining") : style.green("running");
  say("Daemon", `${state}, process ${info.pid}${info.autostarted ? ", started by a command" : ""}`);
  if (info.startTime !== undefined) say("Since", timestampDate(info.startTime).toISOString());
  say("Home", info.home);
  say("API", [info.socketPath, ...info.apiAddresses].join(", "));
  for (const warning of info.warnings) lines.push(`  ${style.yellow("!")} ${warning}`);
  lines.push(nodes.length === 0 ? "  No nodes" : "Nodes");
  const width = Math.max(0, ...nodes.map((node) => idOf(node.name).length));
  for (const node of nodes) lines.push(nodeItemPlain(node, style, width));
  return lines.join("\n");
}
