import { messageOf, PortwayError } from "../base/errors.js";
import { atRoute, createRelay, defaultRelayWaitMs, tellRelay } from "./actions/relay.js";
import { createInlet, defaultConnectionWaitMs, listInlets, tellInlet } from "./actions/tcp-inlet.js";
import { createOutlet, listOutlets } from "./actions/tcp-outlet.js";
import { socketAddressArgument } from "./argument.js";
import type { Cli } from "./cli.js";
import type { NodeConfig } from "./config/node-config.js";
import { failureOf } from "./failure.js";
import { idOf } from "./names.js";
import { resolveRoute } from "./route-argument.js";

/**
 * Creates what a configuration asks for: relays, inlets, outlets, in this order. When one can't be created, those that
 * were are deleted again, newest first, and the error names the place in the configuration. `tolerant`: one that is
 * there with the same settings is as good, and stays. When `signal` ends before all is there, the call that is under way
 * is canceled, those that were created are deleted too, and the answer is false.
 */
export async function createConfigured(
  cli: Cli,
  node: string,
  config: NodeConfig,
  { tolerant, signal }: { readonly tolerant: boolean; readonly signal: AbortSignal },
): Promise<boolean> {
  const undo: (() => Promise<unknown>)[] = [];
  const client = await cli.client();
  let place = "";
  try {
    for (const relay of config.relays) {
      place = relay.place;
      signal.throwIfAborted();
      const waitMs = relay.noConnectionWait ? 0 : (relay.connectionWaitMs ?? defaultRelayWaitMs);
      const to = relay.to ?? node;
      const { relay: created, isNew } = await createRelay(cli, {
        node: to,
        id: relay.name ?? "default",
        at: await resolveRoute(cli, "at", atRoute(relay.at)),
        relayAddress: relay.relayAddress ?? "",
        waitMs,
        tolerant,
        signal,
      });
      if (!isNew) continue;
      undo.push(() =>
        client.relays.deleteRelay({ name: created.name, requestId: cli.requestId() }, cli.call()),
      );
      tellRelay(cli, to, created, waitMs > 0);
    }
    for (const inlet of config.inlets) {
      place = inlet.place;
      signal.throwIfAborted();
      const waitMs = inlet.noConnectionWait ? 0 : (inlet.connectionWaitMs ?? defaultConnectionWaitMs);
      const at = inlet.at ?? node;
      const bindAddress = inlet.from === undefined ? "" : socketAddressArgument("from", inlet.from);
      const to = await resolveRoute(cli, "to", inlet.to);
      const equal = async () =>
        (await listInlets(cli, at)).find(({ spec }) => spec?.bindAddress === bindAddress && spec.to === to);
      const { inlet: created, isNew } = await createInlet(cli, {
        node: at,
        id: inlet.alias ?? (await idOfEqual(tolerant, equal)),
        bindAddress,
        to,
        waitMs,
        ...(inlet.timeoutMs === undefined ? {} : { timeoutMs: inlet.timeoutMs }),
        retryWaitMs: inlet.retryWaitMs,
        tolerant,
        signal,
      });
      if (!isNew) continue;
      undo.push(() =>
        client.portals.deleteInlet({ name: created.name, requestId: cli.requestId() }, cli.call()),
      );
      tellInlet(cli, at, created, waitMs > 0);
    }
    for (const outlet of config.outlets) {
      place = outlet.place;
      signal.throwIfAborted();
      const at = outlet.at ?? node;
      const target = socketAddressArgument("to", outlet.to);
      const equal = async () => (await listOutlets(cli, at)).find(({ spec }) => spec?.target === target);
      const { outlet: created, isNew } = await createOutlet(cli, {
        node: at,
        id: outlet.from ?? (await idOfEqual(tolerant, equal)),
        target,
        tolerant,
      });
      if (!isNew) continue;
      undo.push(() =>
        client.portals.deleteOutlet({ name: created.name, requestId: cli.requestId() }, cli.call()),
      );
    }
    return true;
  } catch (error) {
    for (const step of undo.reverse()) {
      await step().catch((failed: unknown) => cli.notices.trace(1, `could not undo: ${messageOf(failed)}`));
    }
    if (signal.aborted) return false;
    throw await placed(error, place);
  }
}

/** The name that something without one got the time before; empty if it is to get one. */
async function idOfEqual(
  tolerant: boolean,
  equal: () => Promise<{ readonly name: string } | undefined>,
): Promise<string> {
  const found = tolerant ? await equal() : undefined;
  return found === undefined ? "" : idOf(found.name);
}

/** The same failure, naming the place in the configuration that asked for what failed. */
async function placed(error: unknown, place: string): Promise<Error> {
  const { reason, message, details } = await failureOf(error);
  const text = [`${place}: ${message}`, ...details].join("\n  ");
  return new PortwayError(reason.toLowerCase() as PortwayError["code"], text, {}, { cause: error });
}
