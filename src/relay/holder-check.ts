import { randomBytes } from "node:crypto";
import type { Clock } from "../base/clock.js";
import { PortwayError } from "../base/errors.js";
import { Route } from "../model/route.js";
import type { Arrival } from "../routing/arrival.js";
import { echo } from "../routing/path-probe.js";
import { request } from "../routing/request.js";
import type { Router } from "../routing/router.js";
import { aliveText, encodeText } from "./relay-text.js";

/** How long a holder may be silent. */
export const silenceMs = 2_000;

export interface HolderCheck {
  readonly router: Router;
  readonly clock: Clock;
  /** The way to the holder's client, its own address last. */
  readonly back: Route;
  /** The connection that it begins with. */
  readonly arrival: Arrival;
  /** Its end ends the check; what it gives then means nothing. */
  readonly signal: AbortSignal;
}

/**
 * Whether the holder of a name still answers: its node's echo, or the client itself, which answers where a policy
 * keeps the echo out of reach. An answer counts only from the connection that the question left on. A holder whose
 * connection is too full to be asked counts as alive, as does one that takes what is sent and has not got all of it yet:
 * a connection that takes nothing is cut off by itself, and otherwise whoever fills a relay could have its name. Never
 * rejects.
 */
export async function holderAnswers({ router, clock, back, arrival, signal }: HolderCheck): Promise<boolean> {
  const over = new AbortController();
  const end = (): void => over.abort(new PortwayError("canceled", "the check is over"));
  signal.addEventListener("abort", end, { once: true });
  if (signal.aborted) end();
  const hasTaken = arrival.watchTaking?.();
  const nonce = randomBytes(8).toString("hex");
  const ask = (onward: Route, payload: Buffer): Promise<unknown> =>
    request(router, { onward, payload, timeoutMs: silenceMs, signal: over.signal, clock });
  try {
    const way = back.addresses().slice(0, -1);
    await Promise.any([
      ask(Route.of(...way, echo), Buffer.from(nonce, "hex")),
      ask(back, encodeText(aliveText(nonce))),
    ]);
    return true;
  } catch (error) {
    const failures: readonly unknown[] = error instanceof AggregateError ? error.errors : [error];
    if (failures.some((failure) => failure instanceof PortwayError && failure.code === "queue_full"))
      return true;
    return !signal.aborted && ((await hasTaken?.()) ?? false);
  } finally {
    end();
    signal.removeEventListener("abort", end);
  }
}
