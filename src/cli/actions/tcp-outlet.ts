import type { Outlet } from "../../../gen/portway/v1/portal_service_pb.js";
import { PortwayError } from "../../base/errors.js";
import { missingArgument, naming, peerAddressArgument } from "../argument.js";
import type { Cli } from "../cli.js";
import { outletItemJson, outletJson, outletPlain, outletShowJson } from "../forms/portal.js";
import { idOf, parseWorkerAddress } from "../names.js";
import { listAll, pageSize } from "../paging.js";
import { type RetryOptions, withRetries } from "../retry.js";
import { confirmDelete, deleteEach, selectUnnamed, theItems } from "../selection.js";
import { targetNode, targetNodeOrNew } from "../target-node.js";

interface AtNode {
  readonly at?: string;
}

interface CreateOptions extends AtNode, RetryOptions {
  readonly from?: string;
  readonly to?: string;
}

export async function create(cli: Cli, options: CreateOptions): Promise<void> {
  if (options.to === undefined) throw missingArgument("--to", "the host:port of the TCP server");
  const target = peerAddressArgument("--to", options.to);
  const { from } = options;
  const id = from === undefined ? "" : naming("--from", () => parseWorkerAddress(from));
  const node = await targetNodeOrNew(cli, options.at);
  const { outlet } = await withRetries(cli, options, () => createOutlet(cli, { node, id, target }));
  const address = `/service/${outlet.status?.address || idOf(outlet.name)}`;
  await cli.output.print({
    plain: (style) =>
      `${style.green("✔")} Created a TCP outlet on the node ${style.bold(node)} at ${style.cyan(address)} to ${target}`,
    machine: address,
    json: () => outletJson(outlet),
  });
}

export interface NewOutlet {
  readonly node: string;
  /** Empty lets the daemon choose one. */
  readonly id: string;
  readonly target: string;
  /** One that is there with the same settings is as good. */
  readonly tolerant?: boolean;
}

/** Throws if the outlet is there already. */
export async function createOutlet(
  cli: Cli,
  { node, id, target, tolerant }: NewOutlet,
): Promise<{ outlet: Outlet; isNew: boolean }> {
  const { portals } = await cli.client();
  const { outlet, alreadyExisted } = await portals.createOutlet(
    { parent: `nodes/${node}`, outletId: id, outlet: { target }, requestId: cli.requestId() },
    cli.call(),
  );
  if (outlet === undefined) throw new PortwayError("internal", "the daemon sent no outlet");
  if (alreadyExisted && !tolerant) {
    throw new PortwayError("address_taken", `the node ${node} has an outlet at /service/${id} already`, {
      node,
    });
  }
  return { outlet, isNew: !alreadyExisted };
}

export async function list(cli: Cli, options: AtNode): Promise<void> {
  const node = await targetNode(cli, options.at);
  const outlets = await listOutlets(cli, node);
  await cli.output.print({
    plain: (style) =>
      outlets.map((outlet) => outletPlain(outlet, style)).join("\n") || `The node ${node} has no outlets.`,
    json: () => outlets.map(outletItemJson),
  });
}

export async function show(cli: Cli, options: AtNode, named: string | undefined): Promise<void> {
  const node = await targetNode(cli, options.at);
  const [id] = named === undefined ? await unnamed(cli, node, false) : [parseWorkerAddress(named)];
  const { portals } = await cli.client();
  const { outlet } = await portals.getOutlet({ name: `nodes/${node}/outlets/${id}` }, cli.call());
  if (outlet === undefined) throw new PortwayError("internal", "the daemon sent no outlet");
  await cli.output.print({
    plain: (style) => outletPlain(outlet, style),
    json: () => outletShowJson(outlet),
  });
}

interface DeleteOptions extends AtNode {
  readonly all?: boolean;
  readonly yes?: boolean;
}

export async function remove(cli: Cli, options: DeleteOptions, named: string | undefined): Promise<void> {
  const node = await targetNode(cli, options.at);
  const ids = await outletsToDelete(cli, node, options, named);
  if (ids.length > 0) await confirmDelete(cli, options.yes, `${theItems("outlet", ids)} of the node ${node}`);
  const { portals } = await cli.client();
  await deleteEach(ids, { all: options.all, gone: "OUTLET_NOT_FOUND" }, (id) =>
    portals.deleteOutlet({ name: `nodes/${node}/outlets/${id}`, requestId: cli.requestId() }, cli.call()),
  );
  await cli.output.print({
    plain: (style) =>
      ids.length === 0
        ? `The node ${node} has no outlets.`
        : `${style.green("✔")} Deleted ${theItems("outlet", ids)} of the node ${style.bold(node)}`,
    ...(ids.length === 0 ? {} : { machine: ids.join("\n") }),
    json: () =>
      options.all || ids.length !== 1 ? ids.map((name) => ({ name, node })) : { name: ids[0], node },
  });
}

async function outletsToDelete(
  cli: Cli,
  node: string,
  { all = false }: DeleteOptions,
  named: string | undefined,
): Promise<string[]> {
  if (named !== undefined && all) {
    throw new PortwayError("bad_argument", `--all deletes every outlet: leave out the address ${named}`);
  }
  if (named !== undefined) return [parseWorkerAddress(named)];
  if (all) return (await listOutlets(cli, node)).map(({ name }) => idOf(name));
  return await unnamed(cli, node, true);
}

export async function listOutlets(cli: Cli, node: string): Promise<Outlet[]> {
  const { portals } = await cli.client();
  return await listAll(
    (pageToken) => portals.listOutlets({ parent: `nodes/${node}`, pageSize, pageToken }, cli.call()),
    (page) => page.outlets,
  );
}

async function unnamed(cli: Cli, node: string, several: boolean): Promise<string[]> {
  const items = (await listOutlets(cli, node)).map(({ name }) => idOf(name));
  const chosen = await selectUnnamed(cli, { what: "outlet", items, nameOf: (id) => id, several });
  if (chosen.length > 0) return chosen;
  throw new PortwayError("outlet_not_found", `the node ${node} has no outlets`, { node });
}
