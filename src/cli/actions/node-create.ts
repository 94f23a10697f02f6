import type { Node } from "../../../gen/portway/v1/node_service_pb.js";
import { PortwayError } from "../../base/errors.js";
import { integerArgument, socketAddressArgument } from "../argument.js";
import type { Cli } from "../cli.js";
import type { NodeConfig } from "../config/node-config.js";
import { readConfiguration, sourceOf } from "../config-source.js";
import { createConfigured } from "../configured-resources.js";
import { failureOf, reasonOf } from "../failure.js";
import { foregroundEnd, stayInForeground } from "../foreground.js";
import { isRunning, nodeJson } from "../forms/node.js";
import { idOf, parseName } from "../names.js";
import { createUnnamedNode } from "../target-node.js";
import { nodeDetails, warnOf } from "./node.js";

interface CreateOptions {
  readonly tcpListenerAddress?: string;
  readonly httpServer?: boolean;
  readonly enableHttpServer?: boolean;
  readonly httpServerPort?: string;
  readonly foreground?: boolean;
  readonly exitOnEof?: boolean;
  readonly skipIsRunningCheck?: boolean;
  readonly configuration?: string;
  readonly nodeConfig?: string;
  readonly variable?: readonly string[];
}

interface NewNode {
  /** Empty takes a random name. */
  readonly id: string;
  readonly spec: { readonly tcpListenerAddress: string; readonly httpServerPort?: number };
  /** A node that runs already with the same settings is as good. */
  readonly tolerant: boolean;
}

export async function create(
  cli: Cli,
  options: CreateOptions,
  argument: string | undefined,
): Promise<number> {
  const { config, name } = await configurationOf(cli, options, argument);
  const isForeground = options.foreground ?? config?.foreground ?? false;
  const exitOnEof = options.exitOnEof ?? config?.exitOnEof ?? false;
  if (exitOnEof && !isForeground) throw new PortwayError("bad_argument", "--exit-on-eof needs --foreground");
  // Heard from now on, so that Ctrl-C while the node is being made takes it away as well.
  const end = isForeground ? foregroundEnd(cli, exitOnEof) : undefined;
  const asked = newNode(options, config, name);
  const { node, undo } = await createNode(cli, asked);
  const id = idOf(node.name);
  try {
    warnOf(cli, node);
    if (config === undefined || (await configure(cli, id, config, { asked, end }))) {
      await cli.output.print({
        plain: (style) => `${style.green("✔")} Created the node ${style.bold(id)}`,
        machine: id,
        json: async () => nodeJson(await nodeDetails(cli, id)),
      });
    }
  } catch (error) {
    await undo();
    throw error;
  }
  if (end === undefined) return 0;
  return await stayInForeground(cli, { node, end, remove: () => deleteThis(cli, node) });
}

/** Makes what the configuration asks for. False if `end` came first. Throws `canceled` at Ctrl-C without `end`: a part of a configuration is no use. */
async function configure(
  cli: Cli,
  id: string,
  config: NodeConfig,
  { asked, end }: { readonly asked: NewNode; readonly end: AbortSignal | undefined },
): Promise<boolean> {
  const signal = end ?? cli.io.interruption();
  const isDone = await createConfigured(cli, id, config, { tolerant: asked.tolerant, signal });
  if (isDone || end !== undefined) return isDone;
  throw new PortwayError("canceled", "interrupted: what the configuration made is deleted again");
}

/** The flags win over the configuration. */
function newNode(options: CreateOptions, config: NodeConfig | undefined, name: string | undefined): NewNode {
  const address = options.tcpListenerAddress ?? config?.tcpListenerAddress;
  const port =
    options.httpServerPort === undefined
      ? config?.httpServerPort
      : integerArgument("--http-server-port", options.httpServerPort, 0, 65_535);
  const wantsHttp = options.httpServer ?? options.enableHttpServer ?? config?.httpServer ?? false;
  const httpServerPort = port ?? (wantsHttp ? 0 : undefined);
  return {
    id: name ?? config?.name ?? "",
    spec: {
      tcpListenerAddress:
        address === undefined ? "" : socketAddressArgument("--tcp-listener-address", address),
      ...(httpServerPort === undefined ? {} : { httpServerPort }),
    },
    tolerant: options.skipIsRunningCheck ?? config?.skipIsRunningCheck ?? false,
  };
}

interface MadeNode {
  readonly node: Node;
  /** Leaves of the name what was there before. */
  undo(): Promise<void>;
}

async function createNode(cli: Cli, { id, spec, tolerant }: NewNode): Promise<MadeNode> {
  if (id === "") {
    const node = await createUnnamedNode(cli, spec);
    return { node, undo: () => deleteNode(cli, idOf(node.name)) };
  }
  const { nodes } = await cli.client();
  const create = () => nodes.createNode({ nodeId: id, node: spec, requestId: cli.requestId() }, cli.call());
  let replaced: Node | undefined;
  const created = await cli.notices.during(
    `Creating the node ${id}`,
    create().catch(async (error: unknown) => {
      // A stopped node of that name gives way to the new one, and comes back if that can't be made.
      replaced = (await reasonOf(error)) === "NODE_EXISTS" ? await stoppedNode(cli, id) : undefined;
      if (replaced === undefined) throw error;
      await deleteNode(cli, id);
      return await create().catch(async (failed: unknown) => {
        await putBack(cli, replaced!);
        throw failed;
      });
    }),
  );
  const { node, alreadyExisted } = created;
  if (node === undefined) throw new PortwayError("internal", "the daemon sent no node");
  if (!alreadyExisted) {
    return {
      node,
      undo: async () => {
        await deleteNode(cli, id);
        if (replaced !== undefined) await putBack(cli, replaced);
      },
    };
  }
  if (!isRunning(node)) {
    const { name } = node;
    const started = await nodes.startNode({ name, requestId: cli.requestId() }, cli.call());
    const undo = async () => void (await nodes.stopNode({ name, requestId: cli.requestId() }, cli.call()));
    return { node: started.node ?? node, undo };
  }
  if (tolerant) return { node, undo: async () => {} };
  throw new PortwayError("node_exists", `the node ${id} runs already`, { node: id });
}

async function stoppedNode(cli: Cli, id: string): Promise<Node | undefined> {
  const { nodes } = await cli.client();
  const { node } = await nodes.getNode({ name: `nodes/${id}` }, cli.call());
  return node === undefined || isRunning(node) ? undefined : node;
}

/** Makes a stopped node again that was deleted, with its listener address. */
async function putBack(cli: Cli, { name, spec, status }: Node): Promise<void> {
  const { nodes } = await cli.client();
  const httpServerPort = spec?.httpServerPort;
  const node = {
    tcpListenerAddress: status?.tcpListenerAddress ?? "",
    ...(httpServerPort === undefined ? {} : { httpServerPort }),
  };
  try {
    await nodes.createNode({ nodeId: idOf(name), node, requestId: cli.requestId() }, cli.call());
    await nodes.stopNode({ name, requestId: cli.requestId() }, cli.call());
    if (status?.isDefault) await nodes.setDefaultNode({ name, requestId: cli.requestId() }, cli.call());
  } catch (error) {
    cli.notices.warn(`the stopped node ${idOf(name)} is gone: ${(await failureOf(error)).message}`);
  }
}

/** Deletes a node, and leaves one that has its name since another command deleted it. */
async function deleteThis(cli: Cli, { name, uid }: Node): Promise<void> {
  const { nodes } = await cli.client();
  try {
    const { node } = await nodes.getNode({ name }, cli.call());
    if (node?.uid === uid) await deleteNode(cli, idOf(name));
  } catch (error) {
    if ((await reasonOf(error)) !== "NODE_NOT_FOUND") throw error;
  }
}

/** A node that is gone by now counts as deleted. */
async function deleteNode(cli: Cli, id: string): Promise<void> {
  const { nodes } = await cli.client();
  try {
    await nodes.deleteNode({ name: `nodes/${id}`, requestId: cli.requestId() }, cli.call());
  } catch (error) {
    if ((await reasonOf(error)) !== "NODE_NOT_FOUND") throw error;
  }
}

/** What the argument and the flags give: a configuration, a name, both or none. */
async function configurationOf(
  cli: Cli,
  options: CreateOptions,
  argument: string | undefined,
): Promise<{ readonly config: NodeConfig | undefined; readonly name: string | undefined }> {
  const inline = options.configuration ?? options.nodeConfig;
  const source = argument === undefined ? undefined : sourceOf(argument);
  if (inline !== undefined && source !== undefined) {
    throw new PortwayError(
      "bad_argument",
      "the configuration is given twice: as the argument and as --configuration",
    );
  }
  const variables = variablesOf(options.variable ?? []);
  if (inline === undefined && source === undefined) {
    if (options.variable !== undefined) {
      throw new PortwayError("bad_argument", "--variable needs a configuration to put it into");
    }
    return { config: undefined, name: argument === undefined ? undefined : parseName(argument, "a node") };
  }
  const { parseNodeConfig } = await import("../config/node-config.js");
  const read =
    inline === undefined ? readConfiguration(source!) : { text: inline, source: "--configuration" };
  const { text, source: shown } = await cli.notices.during(
    "Reading the configuration",
    Promise.resolve(read),
  );
  const config = parseNodeConfig(text, {
    source: shown,
    variables,
    overridden: new Set([
      ...(options.tcpListenerAddress === undefined ? [] : ["tcp-listener-address"]),
      ...(options.httpServerPort === undefined ? [] : ["http-server-port"]),
    ]),
    environment: cli.io.env,
    ...(options.foreground === undefined ? {} : { foreground: options.foreground }),
  });
  const name = inline !== undefined && argument !== undefined ? parseName(argument, "a node") : undefined;
  return { config, name };
}

function variablesOf(given: readonly string[]): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const text of given) {
    const at = text.indexOf("=");
    if (at <= 0)
      throw new PortwayError("bad_argument", `--variable: "${text}" is not of the form NAME=VALUE`);
    variables[text.slice(0, at)] = text.slice(at + 1);
  }
  return variables;
}
