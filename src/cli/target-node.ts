import type { Node } from "../../gen/portway/v1/node_service_pb.js";
import { PortwayError } from "../base/errors.js";
import type { Cli } from "./cli.js";
import { reasonOf } from "./failure.js";
import { idOf, parseNodeId } from "./names.js";
import { listAll, pageSize } from "./paging.js";
import { randomName } from "./random-name.js";

const maxNames = 5;

/** The nodes of the daemon in the order of their creation. */
export async function listNodes(cli: Cli): Promise<Node[]> {
  const { nodes } = await cli.client();
  return await listAll(
    (pageToken) => nodes.listNodes({ pageSize, pageToken }, cli.call()),
    (page) => page.nodes,
  );
}

/** The id of the node that a command is about: the named one, else the default one. */
export async function targetNode(cli: Cli, named: string | undefined): Promise<string> {
  if (named !== undefined) return parseNodeId(named);
  const found = await defaultNode(cli);
  if (found !== undefined) return found;
  throw new PortwayError("node_not_found", "no node was named and there is no default node", {});
}

/**
 * As targetNode; where there is no default node, one with a random name is created, the same by all commands that need
 * it at once.
 */
export async function targetNodeOrNew(cli: Cli, named: string | undefined): Promise<string> {
  if (named !== undefined) return parseNodeId(named);
  return (await defaultNode(cli)) ?? (await createDefaultNode(cli));
}

/** Creates a node under a random name that is free. */
export async function createUnnamedNode(
  cli: Cli,
  spec: { readonly tcpListenerAddress: string; readonly httpServerPort?: number },
): Promise<Node> {
  const { nodes } = await cli.client();
  for (let attempt = 0; attempt < maxNames; attempt += 1) {
    const created = await nodes
      .createNode({ nodeId: randomName(), node: spec, requestId: cli.requestId() }, cli.call())
      .catch(async (error: unknown) => {
        if ((await reasonOf(error)) === "NODE_EXISTS") return undefined;
        throw error;
      });
    if (created?.node !== undefined && !created.alreadyExisted) return created.node;
  }
  throw new PortwayError("already_exists", `${maxNames} random names were all taken: give the node a name`);
}

async function defaultNode(cli: Cli): Promise<string | undefined> {
  const found = (await listNodes(cli)).find((node) => node.status?.isDefault === true);
  return found === undefined ? undefined : idOf(found.name);
}

/** The first node of a daemon is the default: one that is not was created after that of another command. */
async function createDefaultNode(cli: Cli): Promise<string> {
  const node = await createUnnamedNode(cli, { tcpListenerAddress: "" });
  if (node.status?.isDefault === true) {
    cli.notices.info(`Created the node ${idOf(node.name)} and made it the default.`);
    return idOf(node.name);
  }
  const { nodes } = await cli.client();
  await nodes.deleteNode({ name: node.name, requestId: cli.requestId() }, cli.call());
  return await targetNodeOrNew(cli, undefined);
}
