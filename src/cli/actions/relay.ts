import type { Relay } from "../../../gen/portway/v1/relay_service_pb.js";
import { State } from "../../../gen/portway/v1/resource_pb.js";
import { PortwayError } from "../../base/errors.js";
import { maxAddressBytes } from "../../model/address.js";
import { durationArgument, missingArgument } from "../argument.js";
import type { Cli } from "../cli.js";
import { protoDuration } from "../duration.js";
import { isUp } from "../forms/liveness.js";
import { registrationJson, registrationPlain, relayJson, relayPlain, relayShowJson } from "../forms/relay.js";
import { idOf, isRelayAddress, parseName } from "../names.js";
import { listAll, pageSize } from "../paging.js";
import { type RetryOptions, withRetries } from "../retry.js";
import { resolveRoute } from "../route-argument.js";
import { confirmDelete, selectUnnamed, theItems } from "../selection.js";
import type { Style } from "../style.js";
import { targetNode, targetNodeOrNew } from "../target-node.js";
import { untilUp, type WaitOption } from "../until-up.js";

const defaultName = "default";
export const defaultRelayWaitMs = 5000;
const maxWaitMs = 600_000;

interface CreateOptions extends RetryOptions {
  readonly at?: string;
  readonly to?: string;
  readonly relayAddress?: string;
  /** A duration; false for `--no-connection-wait`. */
  readonly connectionWait?: string | boolean;
}

export async function create(cli: Cli, options: CreateOptions, name = defaultName): Promise<void> {
  if (options.at === undefined) {
    throw missingArgument(
      "--at",
      "the node that hosts the relay, a route such as /dnsaddr/HOST/tcp/PORT or a node here",
    );
  }
  const id = parseName(name, "a relay");
  const relayAddress = relayAddressOf(options.relayAddress);
  const at = await resolveRoute(cli, "--at", atRoute(options.at));
  const waitMs = waitOf(options.connectionWait);
  const node = await targetNodeOrNew(cli, options.to);
  const { relay } = await withRetries(cli, options, () =>
    createRelay(cli, { node, id, at, relayAddress, waitMs }),
  );
  tellRelay(cli, node, relay, waitMs > 0);
  await cli.output.print({
    plain: (style) => createdPlain(style, { node, at: options.at ?? "", relay, waited: waitMs > 0 }),
    ...(isUp(relay.status?.liveness) ? { machine: `/service/${relay.status?.remoteAddress}` } : {}),
    json: () => relayJson(relay),
  });
}

export interface NewRelay {
  readonly node: string;
  readonly id: string;
  /** Without `/node` parts. */
  readonly at: string;
  readonly relayAddress: string;
  /** 0 does not wait. */
  readonly waitMs: number;
  /** One that is there with the same settings is as good. */
  readonly tolerant?: boolean;
  /** Cancels the call. */
  readonly signal?: AbortSignal | undefined;
}

/** Throws if the relay is there already, or can't come up by itself: then nothing is left. */
export async function createRelay(cli: Cli, relay: NewRelay): Promise<{ relay: Relay; isNew: boolean }> {
  const { node, id, at, relayAddress, waitMs, signal } = relay;
  const { relays } = await cli.client();
  const creating = relays.createRelay(
    {
      parent: `nodes/${node}`,
      relayId: id,
      relay: { at, relayAddress },
      requestId: cli.requestId(),
      wait: protoDuration(waitMs),
    },
    cli.call(waitMs, signal),
  );
  const { relay: created, alreadyExisted } = await cli.notices.during(
    `Waiting for the relay ${id} at ${at}`,
    creating,
  );
  if (created === undefined) throw new PortwayError("internal", "the daemon sent no relay");
  if (alreadyExisted && relay.tolerant) return { relay: created, isNew: false };
  if (alreadyExisted) {
    throw new PortwayError("already_exists", `the node ${node} has a relay ${id} at ${at} already`, {
      node,
      relay: id,
    });
  }
  if (created.status?.liveness?.state === State.FAILED) {
    await relays.deleteRelay({ name: created.name, requestId: cli.requestId() }, cli.call());
    const why = created.status.liveness.failure?.lastError ?? "it failed";
    throw new PortwayError("already_exists", `the relay ${id} of the node ${node} can't be created: ${why}`);
  }
  return { relay: created, isNew: true };
}

/** A bare word is the name of a node here. */
export function atRoute(at: string): string {
  return at.includes("/") || at === "-" ? at : `/node/${at}`;
}

/** Empty takes the relay's name. */
function relayAddressOf(given = ""): string {
  if (given === "" || isRelayAddress(given)) return given;
  const expected = `at most ${maxAddressBytes} bytes without "/" and "#"`;
  const said = `--relay-address: "${given}" can't be registered: expected ${expected}`;
  throw new PortwayError("bad_address", said, { given });
}

function waitOf(given: string | boolean | undefined): number {
  if (given === false) return 0;
  return typeof given === "string"
    ? durationArgument("--connection-wait", given, maxWaitMs)
    : defaultRelayWaitMs;
}

/** Says of a new relay that it is not up, if that was waited for. */
export function tellRelay(cli: Cli, node: string, { name, status }: Relay, waited: boolean): void {
  if (!waited || isUp(status?.liveness)) return;
  const why = status?.liveness?.failure?.lastError;
  cli.notices.warn(
    `the relay ${idOf(name)} of the node ${node} is not up${why ? `: ${why}` : ""}; it is tried again by itself`,
  );
}

interface Created {
  readonly node: string;
  /** As it was given. */
  readonly at: string;
  readonly relay: Relay;
  readonly waited: boolean;
}

function createdPlain(style: Style, { node, at, relay, waited }: Created): string {
  const { status } = relay;
  const from = style.cyan(`${atRoute(at)}/service/${status?.remoteAddress}`);
  const to = style.cyan(`/node/${node}/service/${status?.workerAddress}`);
  if (isUp(status?.liveness)) return `${style.green("✔")} Now relaying messages from ${from} → ${to}`;
  if (waited) return `Created the relay ${style.bold(idOf(relay.name))} of the node ${node}`;
  return `The relay from ${style.cyan(atRoute(at))} → ${style.cyan(`/node/${node}`)} will be up as soon as a connection can be made`;
}

interface ListOptions {
  readonly to?: string;
  readonly hosted?: boolean;
}

export async function list(cli: Cli, options: ListOptions): Promise<void> {
  const node = await targetNode(cli, options.to);
  const { plain, json } = options.hosted
    ? forms(await listRegistrations(cli, node), registrationPlain, registrationJson)
    : forms(await listRelays(cli, node), relayPlain, relayJson);
  await cli.output.print({
    plain: (style) =>
      plain(style) ||
      (options.hosted
        ? `The node ${node} hosts no relays.`
        : `The node ${node} has no relays. With --hosted: those that it hosts for others.`),
    json,
  });
}

function forms<T>(
  items: readonly T[],
  plainOf: (item: T, style: Style) => string,
  jsonOf: (item: T) => object,
) {
  return {
    plain: (style: Style) => items.map((item) => plainOf(item, style)).join("\n"),
    json: () => items.map(jsonOf),
  };
}

interface OneOptions {
  readonly at?: string;
  readonly hosted?: boolean;
}

export async function show(
  cli: Cli,
  options: OneOptions & WaitOption,
  named: string | undefined,
): Promise<void> {
  if (options.hosted && options.wait !== undefined) {
    throw new PortwayError(
      "bad_argument",
      "--wait is for the relays that the node holds: leave out --hosted",
    );
  }
  const node = await targetNode(cli, options.at);
  const [id] = named === undefined ? await unnamed(cli, node, { ...options, several: false }) : [named];
  const { relays } = await cli.client();
  if (options.hosted) {
    const name = `nodes/${node}/relayRegistrations/${withoutPrefix(id!)}`;
    const { relayRegistration: registration } = await relays.getRelayRegistration({ name }, cli.call());
    if (registration === undefined)
      throw new PortwayError("internal", "the daemon sent no relay registration");
    return await cli.output.print({
      plain: (style) => registrationPlain(registration, style),
      machine: idOf(registration.name),
      json: () => registrationJson(registration),
    });
  }
  const relayId = parseName(id!, "a relay");
  const relay = await untilUp(cli, options, {
    what: `the relay ${relayId} of the node ${node}`,
    async read() {
      const answer = await relays.getRelay({ name: `nodes/${node}/relays/${relayId}` }, cli.call());
      if (answer.relay === undefined) throw new PortwayError("internal", "the daemon sent no relay");
      return answer.relay;
    },
    livenessOf: ({ status }) => status?.liveness,
  });
  await cli.output.print({
    plain: (style) => relayPlain(relay, style),
    machine: idOf(relay.name),
    json: () => relayShowJson(relay),
  });
}

export async function remove(
  cli: Cli,
  options: OneOptions & { readonly yes?: boolean },
  named: string | undefined,
): Promise<void> {
  const node = await targetNode(cli, options.at);
  const ids = named === undefined ? await unnamed(cli, node, { ...options, several: true }) : [named];
  const what = `${theItems(options.hosted ? "hosted relay" : "relay", ids)} of the node ${node}`;
  await confirmDelete(cli, options.yes, what);
  const { relays } = await cli.client();
  for (const id of ids) {
    if (options.hosted) {
      const name = `nodes/${node}/relayRegistrations/${withoutPrefix(id)}`;
      await relays.deleteRelayRegistration({ name, requestId: cli.requestId() }, cli.call());
    } else {
      const name = `nodes/${node}/relays/${parseName(id, "a relay")}`;
      await relays.deleteRelay({ name, requestId: cli.requestId() }, cli.call());
    }
  }
  await cli.output.print({
    plain: (style) => `${style.green("✔")} Deleted ${what}`,
    json: () => (ids.length === 1 ? { name: ids[0], node } : ids.map((name) => ({ name, node }))),
  });
}

async function listRelays(cli: Cli, node: string) {
  const { relays } = await cli.client();
  return await listAll(
    (pageToken) => relays.listRelays({ parent: `nodes/${node}`, pageSize, pageToken }, cli.call()),
    (page) => page.relays,
  );
}

async function listRegistrations(cli: Cli, node: string) {
  const { relays } = await cli.client();
  return await listAll(
    (pageToken) =>
      relays.listRelayRegistrations({ parent: `nodes/${node}`, pageSize, pageToken }, cli.call()),
    (page) => page.relayRegistrations,
  );
}

async function unnamed(
  cli: Cli,
  node: string,
  { hosted = false, several }: { readonly hosted?: boolean; readonly several: boolean },
): Promise<string[]> {
  const items = hosted ? await listRegistrations(cli, node) : await listRelays(cli, node);
  const names = items.map(({ name }: { readonly name: string }) => idOf(name));
  const chosen = await selectUnnamed(cli, { what: "relay", items: names, nameOf: (name) => name, several });
  if (chosen.length > 0) return chosen;
  throw new PortwayError(
    hosted ? "relay_registration_not_found" : "relay_not_found",
    `the node ${node} ${hosted ? "hosts" : "has"} no relays`,
    { node },
  );
}

/** A hosted relay is named without `forward_to_`; people copy it with that. */
function withoutPrefix(id: string): string {
  return id.replace(/^(?:\/service\/)?forward_to_/, "");
}
