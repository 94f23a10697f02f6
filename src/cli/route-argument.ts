import { isIPv4, isIPv6 } from "node:net";
import { PortwayError } from "../base/errors.js";
import { MultiAddr } from "../model/multiaddr.js";
import { parseSocketAddress, type SocketAddress } from "../model/socket-address.js";
import { naming } from "./argument.js";
import type { Cli } from "./cli.js";
import { refuseParts } from "./refusals.js";

/**
 * A route that was given on the command line, as the API takes it: `-` filled in from standard input, and `/node/x`
 * replaced by the address of the node's listener. `flag` is named in errors.
 */
export async function resolveRoute(cli: Cli, flag: string, text: string): Promise<string> {
  const route = parseRoute(flag, await replaceHyphen(cli, flag, text));
  const addresses = new Map<string, MultiAddr>();
  for (const { protocol, value } of route.parts) {
    if (protocol === "node" && !addresses.has(value)) addresses.set(value, await nodeAddress(cli, value));
  }
  return route
    .replace(({ protocol, value }) => (protocol === "node" ? addresses.get(value) : undefined))
    .toString();
}

/** Throws, naming the flag, for a text that is no route or has parts that are not supported. */
function parseRoute(flag: string, text: string): MultiAddr {
  refuseParts(text);
  const route = naming(flag, () => MultiAddr.parse(text));
  if (route.parts.length > 0) return route;
  throw new PortwayError("bad_route", `${flag}: an empty route leads nowhere`);
}

/**
 * A segment `-` of a route stands for one line of standard input: `-/service/echo`, `/node/n2/-/service/echo`, `-`.
 * So a command that prints an address can be piped into one that takes a route.
 */
async function replaceHyphen(cli: Cli, flag: string, text: string): Promise<string> {
  const segments = text.split("/");
  if (!segments.includes("-")) return text;
  const line = (await lineFor(cli, flag))?.trim() ?? "";
  const given = line.split("/").filter((segment) => segment !== "");
  if (given.length === 0) {
    throw new PortwayError("malformed", `${flag}: "-" stands for a line of standard input, and none came`);
  }
  const at = segments.indexOf("-");
  const before = segments.slice(0, at).filter((segment) => segment !== "");
  const after = segments.slice(at + 1).filter((segment) => segment !== "");
  return `/${[...before, ...given, ...after].join("/")}`;
}

/** Where a person types the line, it is asked for, and nothing moves in the way. */
async function lineFor(cli: Cli, flag: string): Promise<string | undefined> {
  const { stdin } = cli.io;
  if (!stdin.isTerminal)
    return await cli.notices.during("Waiting for a line of standard input", stdin.readLine());
  cli.notices.info(`${flag}: type the line that "-" stands for.`);
  return await stdin.readLine();
}

/** How a listener that is bound at `address` (`ip:port`) is reached from this machine. */
export function localRoute(address: string): { readonly short: MultiAddr; readonly named: string } {
  const { host, port } = reachable(parseSocketAddress(address));
  const protocol = isIPv4(host) ? "ip4" : isIPv6(host) ? "ip6" : "dnsaddr";
  const short = new MultiAddr([
    { protocol, value: host },
    { protocol: "tcp", value: String(port) },
  ]);
  return { short, named: host === "127.0.0.1" ? `/dnsaddr/localhost/tcp/${port}` : short.toString() };
}

/** A wildcard address can be bound and not be dialed. */
function reachable({ host, port }: SocketAddress): SocketAddress {
  if (host === "0.0.0.0") return { host: "127.0.0.1", port };
  return host === "::" ? { host: "::1", port } : { host, port };
}

async function nodeAddress(cli: Cli, id: string): Promise<MultiAddr> {
  const { nodes } = await cli.client();
  const { node } = await nodes.getNode({ name: `nodes/${id}` }, cli.call());
  const address = node?.status?.tcpListenerAddress ?? "";
  if (address === "") {
    throw new PortwayError("not_connected", `the node ${id} has no TCP listener to reach it by`, {
      node: id,
    });
  }
  return localRoute(address).short;
}
