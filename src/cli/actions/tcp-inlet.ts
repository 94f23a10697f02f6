import type { Inlet } from "../../../gen/portway/v1/portal_service_pb.js";
import { PortwayError } from "../../base/errors.js";
import { MultiAddr } from "../../model/multiaddr.js";
import { isLoopback, parseSocketAddress } from "../../model/socket-address.js";
import { durationArgument, missingArgument, socketAddressArgument, timeoutArgument } from "../argument.js";
import type { Cli } from "../cli.js";
import { deprecated } from "../command.js";
import { protoDuration } from "../duration.js";
import { isUp } from "../forms/liveness.js";
import { inletJson, inletPlain, inletShowJson } from "../forms/portal.js";
import { idOf, parseName } from "../names.js";
import { listAll, pageSize } from "../paging.js";
import { type RetryOptions, withRetries } from "../retry.js";
import { resolveRoute } from "../route-argument.js";
import { confirmDelete, deleteEach, selectUnnamed, theItems } from "../selection.js";
import { targetNode, targetNodeOrNew } from "../target-node.js";
import { untilUp, type WaitOption } from "../until-up.js";

export const defaultConnectionWaitMs = 5000;
const defaultTimeoutMs = 10_000;
const maxWaitMs = 600_000;
const maxRetryWaitMs = 3_600_000;

interface AtNode {
  readonly at?: string;
}

interface CreateOptions extends AtNode, RetryOptions {
  readonly from?: string;
  readonly to?: string;
  readonly alias?: string;
  /** A duration; false for `--no-connection-wait`. */
  readonly connectionWait?: string | boolean;
  readonly retryWait?: string;
  readonly timeout?: string;
}

export async function create(cli: Cli, options: CreateOptions, named: string | undefined): Promise<void> {
  const id = inletName(cli, named, options.alias);
  const { waitMs, retryWaitMs, timeoutMs } = waitsOf(options);
  const bindAddress = options.from === undefined ? "" : socketAddressArgument("--from", options.from);
  if (options.to === undefined) throw missingArgument("--to", "the route to the outlet");
  if (!options.to.includes("/") && options.to !== "-") {
    throw new PortwayError(
      "bad_route",
      `--to: "${options.to}" is no route: write /service/${options.to} for an outlet of the same node, or the route to another node before it`,
    );
  }
  const to = await resolveRoute(cli, "--to", options.to);
  if (!endsAtWorker(to)) {
    const said = `--to: the route ${options.to} ends at a node: expected the outlet as its last part, /service/ADDRESS`;
    throw new PortwayError("bad_route", said, { given: options.to });
  }
  const node = await targetNodeOrNew(cli, options.at);
  const { inlet } = await withRetries(cli, options, () =>
    createInlet(cli, { node, id, bindAddress, to, waitMs, timeoutMs, retryWaitMs }),
  );
  tellInlet(cli, node, inlet, waitMs > 0);
  const bound = inlet.status?.boundAddress ?? "";
  await cli.output.print({
    plain: (style) =>
      `${style.green("✔")} Created a TCP inlet on the node ${style.bold(node)} at ${style.cyan(bound)}\n  to the outlet at ${to}`,
    machine: bound,
    json: () => inletJson(inlet),
  });
}

function endsAtWorker(route: string): boolean {
  const last = MultiAddr.parse(route).parts.at(-1)?.protocol;
  return last === "service" || last === "worker";
}

export interface NewInlet {
  readonly node: string;
  /** Empty lets the daemon choose one. */
  readonly id: string;
  /** Empty takes a free port on 127.0.0.1. */
  readonly bindAddress: string;
  /** Without `/node` parts. */
  readonly to: string;
  /** 0 does not wait. */
  readonly waitMs: number;
  readonly timeoutMs?: number;
  readonly retryWaitMs: number | undefined;
  /** One that is there with the same settings is as good. */
  readonly tolerant?: boolean;
  /** Cancels the call. */
  readonly signal?: AbortSignal | undefined;
}

/** Throws if the inlet is there already, or can't work as it was asked for: then nothing is left. */
export async function createInlet(cli: Cli, inlet: NewInlet): Promise<{ inlet: Inlet; isNew: boolean }> {
  const { node, id, bindAddress, to, waitMs, timeoutMs = defaultTimeoutMs, retryWaitMs, signal } = inlet;
  const { portals } = await cli.client();
  const creating = portals.createInlet(
    {
      parent: `nodes/${node}`,
      inletId: id,
      inlet: {
        bindAddress,
        to,
        ...(retryWaitMs === undefined ? {} : { retryWait: protoDuration(retryWaitMs) }),
      },
      requestId: cli.requestId(),
      wait: protoDuration(waitMs),
    },
    { timeoutMs: timeoutMs + waitMs, ...(signal === undefined ? {} : { signal }) },
  );
  const { inlet: created, alreadyExisted } = await cli.notices.during(
    `Waiting for the path to ${to}`,
    creating,
  );
  if (created === undefined) throw new PortwayError("internal", "the daemon sent no inlet");
  if (alreadyExisted && inlet.tolerant) return { inlet: created, isNew: false };
  if (alreadyExisted) {
    throw new PortwayError("already_exists", `the node ${node} has an inlet ${id} already`, {
      node,
      inlet: id,
    });
  }
  return { inlet: created, isNew: true };
}

/** Says what a person should know of a new inlet: that its path is not there yet, that it is open to the network. */
export function tellInlet(cli: Cli, node: string, { name, status }: Inlet, waited: boolean): void {
  const bound = status?.boundAddress ?? "";
  if (bound !== "" && !isLoopback(parseSocketAddress(bound).host)) {
    cli.notices.warn(`the inlet ${idOf(name)} at ${bound} can be used by whoever reaches it on the network`);
  }
  if (!waited || isUp(status?.path)) return;
  const why = status?.path?.failure?.lastError;
  cli.notices.warn(
    `the inlet ${idOf(name)} of the node ${node} does not reach its outlet's node yet${why ? `: ${why}` : ""}; it is tried again by itself`,
  );
}

function inletName(cli: Cli, named: string | undefined, alias: string | undefined): string {
  if (alias !== undefined) {
    if (named !== undefined)
      throw new PortwayError("bad_argument", "the name is given twice: leave out --alias");
    cli.notices.warn(deprecated("--alias", "give the name as an argument, `tcp-inlet create NAME`"));
  }
  const name = named ?? alias;
  return name === undefined ? "" : parseName(name, "an inlet");
}

function waitsOf({ connectionWait, retryWait, timeout }: CreateOptions) {
  const waitMs =
    connectionWait === false
      ? 0
      : typeof connectionWait === "string"
        ? durationArgument("--connection-wait", connectionWait, maxWaitMs)
        : defaultConnectionWaitMs;
  const retryWaitMs =
    retryWait === undefined ? undefined : durationArgument("--retry-wait", retryWait, maxRetryWaitMs);
  if (retryWaitMs === 0) {
    throw new PortwayError(
      "unsupported",
      "--retry-wait 0 is not supported: an inlet never gives up its outlet",
    );
  }
  const timeoutMs =
    timeout === undefined ? defaultTimeoutMs : timeoutArgument("--timeout", timeout, maxWaitMs);
  return { waitMs, retryWaitMs, timeoutMs };
}

export async function list(cli: Cli, options: AtNode): Promise<void> {
  const node = await targetNode(cli, options.at);
  const inlets = await listInlets(cli, node);
  await cli.output.print({
    plain: (style) =>
      inlets.map((inlet) => inletPlain(inlet, style)).join("\n") || `The node ${node} has no inlets.`,
    json: () => inlets.map(inletJson),
  });
}

export async function show(cli: Cli, options: AtNode & WaitOption, named: string | undefined): Promise<void> {
  const node = await targetNode(cli, options.at);
  const [id] = named === undefined ? await unnamed(cli, node, false) : [parseName(named, "an inlet")];
  const { portals } = await cli.client();
  const inlet = await untilUp(cli, options, {
    what: `the path of the inlet ${id} of the node ${node}`,
    async read() {
      const answer = await portals.getInlet({ name: `nodes/${node}/inlets/${id}` }, cli.call());
      if (answer.inlet === undefined) throw new PortwayError("internal", "the daemon sent no inlet");
      return answer.inlet;
    },
    livenessOf: ({ status }) => status?.path,
  });
  await cli.output.print({ plain: (style) => inletPlain(inlet, style), json: () => inletShowJson(inlet) });
}

interface DeleteOptions extends AtNode {
  readonly all?: boolean;
  readonly yes?: boolean;
}

export async function remove(cli: Cli, options: DeleteOptions, named: string | undefined): Promise<void> {
  const node = await targetNode(cli, options.at);
  const ids = await inletsToDelete(cli, node, options, named);
  if (ids.length > 0) await confirmDelete(cli, options.yes, `${theItems("inlet", ids)} of the node ${node}`);
  const { portals } = await cli.client();
  await deleteEach(ids, { all: options.all, gone: "INLET_NOT_FOUND" }, (id) =>
    portals.deleteInlet({ name: `nodes/${node}/inlets/${id}`, requestId: cli.requestId() }, cli.call()),
  );
  await cli.output.print({
    plain: (style) =>
      ids.length === 0
        ? `The node ${node} has no inlets.`
        : `${style.green("✔")} Deleted ${theItems("inlet", ids)} of the node ${style.bold(node)}`,
    json: () =>
      options.all || ids.length !== 1 ? ids.map((alias) => ({ alias, node })) : { alias: ids[0], node },
  });
}

async function inletsToDelete(
  cli: Cli,
  node: string,
  { all = false }: DeleteOptions,
  named: string | undefined,
): Promise<string[]> {
  if (named !== undefined && all) {
    throw new PortwayError("bad_argument", `--all deletes every inlet: leave out the name ${named}`);
  }
  if (named !== undefined) return [parseName(named, "an inlet")];
  if (all) return (await listInlets(cli, node)).map(({ name }) => idOf(name));
  return await unnamed(cli, node, true);
}

export async function listInlets(cli: Cli, node: string): Promise<Inlet[]> {
  const { portals } = await cli.client();
  return await listAll(
    (pageToken) => portals.listInlets({ parent: `nodes/${node}`, pageSize, pageToken }, cli.call()),
    (page) => page.inlets,
  );
}

async function unnamed(cli: Cli, node: string, several: boolean): Promise<string[]> {
  const items = (await listInlets(cli, node)).map(({ name }) => idOf(name));
  const chosen = await selectUnnamed(cli, { what: "inlet", items, nameOf: (id) => id, several });
  if (chosen.length > 0) return chosen;
  throw new PortwayError("inlet_not_found", `the node ${node} has no inlets`, { node });
}
