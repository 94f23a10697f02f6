import { messageOf, PortwayError } from "../base/errors.js";
import { atRoute, createRelay } from "./actions/relay.js";
import { createInlet, defaultConnectionWaitMs, tellInlet } from "./actions/tcp-inlet.js";
import { createOutlet } from "./actions/tcp-outlet.js";
import { socketAddressArgument } from "./argument.js";
import type { Cli } from "./cli.js";
import type { NodeConfig } from "./config/node-config.js";
import { failureOf } from "./failure.js";
import { resolveRoute } from "./route-argument.js";

const relayWaitMs = 5_000;

/**
 * Creates what a configuration asks for: relays, inlets, outlets, in this order. When one can't be created, those that
 * were are deleted again, newest first, and the error names the place in the configuration. When `signal` ends before
 * all is there, the call that is under way is canceled, they are deleted too, and the answer is false.
 */
export async function createConfigured(
  cli: Cli,
  node: string,
  config: NodeConfig,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const undo: (() => Promise<unknown>)[] = [];
  const client = await cli.client();
  let place = "";
  try {
    for (const relay of config.relays) {
      place = relay.place;
      signal?.throwIfAborted();
      const { name } = await createRelay(cli, {
        node: relay.to ?? node,
        id: relay.name ?? "default",
        at: await resolveRoute(cli, "at", atRoute(relay.at)),
        relayAddress: relay.relayAddress ?? "",
        waitMs: relay.noConnectionWait ? 0 : (relay.connectionWaitMs ?? relayWaitMs),
        signal,
      });
      undo.push(() => client.relays.deleteRelay({ name, requestId: cli.requestId() }, cli.call()));
    }
    for (const inlet of config.inlets) {
      place = inlet.place;
      signal?.throwIfAborted();
      const waitMs = inlet.noConnectionWait ? 0 : (inlet.connectionWaitMs ?? defaultConnectionWaitMs);
      const at = inlet.at ?? node;
      const created = await createInlet(cli, {
        node: at,
        id: inlet.alias ?? "",
        bindAddress: inlet.from === undefined ? "" : socketAddressArgument("from", inlet.from),
        to: await resolveRoute(cli, "to", inlet.to),
        waitMs,
        ...(inlet.timeoutMs === undefined ? {} : { timeoutMs: inlet.timeoutMs }),
        retryWaitMs: inlet.retryWaitMs,
        signal,
      });
      const { name } = created;
      undo.push(() => client.portals.deleteInlet({ name, requestId: cli.requestId() }, cli.call()));
      tellInlet(cli, at, created, waitMs > 0);
    }
    for (const outlet of config.outlets) {
      place = outlet.place;
      signal?.throwIfAborted();
      const { name } = await createOutlet(cli, {
        node: outlet.at ?? node,
        id: outlet.from ?? "",
        target: socketAddressArgument("to", outlet.to),
      });
      undo.push(() => client.portals.deleteOutlet({ name, requestId: cli.requestId() }, cli.call()));
    }
    return true;
  } catch (error) {
    for (const step of undo.reverse()) {
      await step().catch((failed: unknown) => cli.notices.trace(1, `could not undo: ${messageOf(failed)}`));
    }
    if (signal?.aborted) return false;
    throw await placed(error, place);
  }
}

/** The same failure, naming the place in the configuration that asked for what failed. */
async function placed(error: unknown, place: string): Promise<Error> {
  const { reason, message, details } = await failureOf(error);
  const text = [`${place}: ${message}`, ...details].join("\n  ");
  return new PortwayError(reason.toLowerCase() as PortwayError["code"], text, {}, { cause: error });
}
