import { PortwayError } from "../base/errors.js";
import { MultiAddr } from "../model/multiaddr.js";
import { naming } from "./argument.js";
import type { Cli } from "./cli.js";
import { isRunning } from "./forms/node.js";
import { localRoute } from "./local-route.js";
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
 * So a command that prints an address can be piped into one that takes a route. Throws `bad_route` for a second one.
 */
async function replaceHyphen(cli: Cli, flag: string, text: string): Promise<string> {
  const segments = text.split("/");
  const at = segments.indexOf("-");
  if (at === -1) return text;
  if (segments.includes("-", at + 1)) {
    const said = `${flag}: "-" stands for a line of standard input: expected one at most in a route`;
    throw new PortwayError("bad_route", said, { given: text });
  }
  const line = (await lineFor(cli, flag))?.trim() ?? "";
  const given = line.split("/").filter((segment) => segment !== "");
  if (given.length === 0) {
    throw new PortwayError("malformed", `${flag}: "-" stands for a line of standard input, and none came`);
  }
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

/** A node that is stopped keeps its address, so that what is made for it now works once it is started. */
async function nodeAddress(cli: Cli, id: string): Promise<MultiAddr> {
  const { nodes } = await cli.client();
  const { node } = await nodes.getNode({ name: `nodes/${id}` }, cli.call());
  const address = node?.status?.tcpListenerAddress ?? "";
  if (address === "") {
    throw new PortwayError("not_connected", `the node ${id} has no TCP listener to reach it by`, {
      node: id,
    });
  }
  if (!isRunning(node!))
    cli.notices.warn(`the node ${id} is stopped: nothing reaches it until it is started`);
  return localRoute(address).short;
}
