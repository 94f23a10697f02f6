import {
  type Service,
  ServiceKind,
  type Worker,
  WorkerKind,
} from "../../../gen/portway/v1/node_service_pb.js";
import { PortwayError } from "../../base/errors.js";
import { naming } from "../argument.js";
import type { Cli } from "../cli.js";
import { serviceJson, servicePlain } from "../forms/node.js";
import { idOf, parseWorkerAddress } from "../names.js";
import { listAll, pageSize } from "../paging.js";
import { confirmDelete, selectUnnamed, theItems } from "../selection.js";
import { targetNode } from "../target-node.js";

interface AtNode {
  readonly at?: string;
}

export async function start(
  cli: Cli,
  options: AtNode & { readonly addr?: string },
  kind: string | undefined,
): Promise<void> {
  if (kind !== "hop") {
    throw new PortwayError(
      "unsupported",
      `the service "${kind}" can't be started: expected hop (echo and uppercase are there from the start)`,
    );
  }
  const id = naming("--addr", () => parseWorkerAddress(options.addr ?? kind));
  const node = await targetNode(cli, options.at);
  const { nodes } = await cli.client();
  const created = await nodes.createService(
    {
      parent: `nodes/${node}`,
      serviceId: id,
      service: { kind: ServiceKind.HOP },
      requestId: cli.requestId(),
    },
    cli.call(),
  );
  if (created.alreadyExisted) {
    throw new PortwayError("already_exists", `a hop runs already at /service/${id} of the node ${node}`);
  }
  cli.notices.warn(`/service/${id} opens the node ${node} to whoever reaches it: it forwards every message`);
  await cli.output.print({
    plain: (style) =>
      `${style.green("✔")} Started hop at ${style.cyan(`/service/${id}`)} of the node ${node}`,
    json: () => ({ addr: id, type: kind }),
  });
}

export async function list(cli: Cli, options: AtNode): Promise<void> {
  const services = await listServices(cli, await targetNode(cli, options.at));
  await cli.output.print({
    plain: (style) => services.map((service) => servicePlain(service, style)).join("\n"),
    json: () => services.map(serviceJson),
  });
}

export async function remove(
  cli: Cli,
  options: AtNode & { readonly yes?: boolean },
  named: string | undefined,
): Promise<void> {
  const node = await targetNode(cli, options.at);
  const ids = named === undefined ? await unnamed(cli, node) : [parseWorkerAddress(named)];
  await confirmDelete(cli, options.yes, `${theItems("service", ids)} of the node ${node}`);
  const { nodes } = await cli.client();
  for (const id of ids) {
    await nodes.deleteService(
      { name: `nodes/${node}/services/${id}`, requestId: cli.requestId() },
      cli.call(),
    );
  }
  await cli.output.print({
    plain: (style) =>
      `${style.green("✔")} Stopped ${theItems("service", ids)} of the node ${style.bold(node)}`,
    machine: ids.join("\n"),
    json: () => (ids.length === 1 ? { addr: ids[0], node } : ids.map((addr) => ({ addr, node }))),
  });
}

export async function listWorkers(cli: Cli, options: AtNode): Promise<void> {
  const parent = `nodes/${await targetNode(cli, options.at)}`;
  const { nodes } = await cli.client();
  const workers = await listAll(
    (pageToken) => nodes.listWorkers({ parent, pageSize, pageToken }, cli.call()),
    (page) => page.workers,
  );
  await cli.output.print({
    plain: (style) => {
      const width = Math.max(0, ...workers.map(({ address }) => address.length));
      return workers
        .map((worker) => `  ${worker.address.padEnd(width)}  ${style.dim(workerType(worker))}`)
        .join("\n");
    },
    json: () => workers.map((worker) => ({ addr: worker.address, type: workerType(worker) })),
  });
}

async function listServices(cli: Cli, node: string): Promise<Service[]> {
  const { nodes } = await cli.client();
  return await listAll(
    (pageToken) => nodes.listServices({ parent: `nodes/${node}`, pageSize, pageToken }, cli.call()),
    (page) => page.services,
  );
}

async function unnamed(cli: Cli, node: string): Promise<string[]> {
  const started = (await listServices(cli, node)).filter(({ status }) => status?.builtIn !== true);
  const chosen = await selectUnnamed(cli, {
    what: "service",
    items: started.map((service) => service.status?.address || idOf(service.name)),
    nameOf: (address) => address,
    several: true,
  });
  if (chosen.length > 0) return chosen;
  throw new PortwayError("service_not_found", `no service was started on the node ${node}`, { node });
}

/** The words of the API in lower case: `relay_client`. */
function workerType({ kind }: Worker): string {
  const [word] = Object.entries(WorkerKind).find(([, value]) => value === kind) ?? ["UNKNOWN"];
  return word.toLowerCase();
}
