import { type Clock, systemClock } from "../base/clock.js";
import { PortwayError } from "../base/errors.js";
import { deferred } from "../base/signals.js";
import { Address } from "../model/address.js";
import { type Entrance, Message } from "../model/message.js";
import { Route } from "../model/route.js";
import type { Arrival } from "./arrival.js";
import { Outbox } from "./outbox.js";
import type { Router } from "./router.js";
import type { DropReason } from "./worker.js";

export interface Request {
  readonly onward: Route;
  readonly payload: Uint8Array;
  /** From now to the reply. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  readonly clock?: Clock;
  /** Told on which connection the message left. */
  readonly left?: (entrance: Entrance) => void;
}

/** An answer, with bytes of its own. */
export interface Answer {
  readonly payload: Buffer;
  readonly return: Route;
}

/**
 * Sends a message and waits for one answer, at an address that exists for as long as this takes and hears from the
 * connection alone that the message left on; when that ends, so does the wait. Rejects with `no_reply`,
 * `worker_not_found`, `not_connected`, `queue_full`, `bad_route`, `frame_too_large` or the signal's reason; nothing is
 * left behind then.
 */
export async function request(
  router: Router,
  { onward, payload, timeoutMs, signal, clock = systemClock, left }: Request,
): Promise<Answer> {
  signal?.throwIfAborted();
  const own = Address.random();
  const answered = deferred<Answer>();
  const worker = router.register(
    own,
    {
      handle(message) {
        answered.resolve({ payload: Buffer.from(message.payload), return: message.return.keep() });
        return undefined;
      },
    },
    { kind: "reply", hearsFrom: "here" },
  );
  let linkWatch: Disposable | undefined;
  const message = Message.of({
    onward,
    return: Route.of(own),
    payload: Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength),
    exit: {
      leftOn(entrance: Entrance) {
        worker.hearsFrom = entrance;
        left?.(entrance);
        linkWatch = (entrance as Arrival).onLost(() => answered.reject(linkLost(entrance, onward)));
      },
    },
  });
  const outbox = new Outbox(router, (drop) => {
    if (drop !== undefined) answered.reject(failureOf(drop, onward, router));
  });
  const timer = clock.after(timeoutMs, () => answered.reject(tooLate(outbox.isWaiting, timeoutMs, onward)));
  const onAbort = (): void => answered.reject(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    outbox.put(message);
    return await answered.promise;
  } finally {
    timer[Symbol.dispose]();
    signal?.removeEventListener("abort", onAbort);
    linkWatch?.[Symbol.dispose]();
    outbox.clear();
    worker[Symbol.dispose]();
  }
}

/** An answer could have come from there alone. */
function linkLost({ address }: Entrance, onward: Route): PortwayError {
  const until = `the connection ${address.text} ended before a reply came along ${onward}`;
  const said = `${until}; whether the message arrived is not known`;
  return new PortwayError("not_connected", said, { address: address.text });
}

function tooLate(unsent: boolean, timeoutMs: number, onward: Route): PortwayError {
  const route = onward.toString();
  if (unsent) {
    return new PortwayError(
      "queue_full",
      `the first hop of ${route} took no message within ${timeoutMs} ms`,
      { route },
    );
  }
  const said = `no reply along ${route} within ${timeoutMs} ms (a worker that is not there answers nothing)`;
  return new PortwayError("no_reply", said, { route, timeoutMs });
}

/** A drop on this node, said to whoever sent the message here with `router`. */
export function failureOf(reason: DropReason, onward: Route, router: Pick<Router, "find">): PortwayError {
  const route = onward.toString();
  const first = onward.isEmpty ? "" : onward.first.text;
  switch (reason) {
    case "no_such_worker":
      if (router.find(onward.first) !== undefined) {
        const said = `the worker ${first} took what came along ${route}, and no worker has the address it sent on to`;
        return new PortwayError("worker_not_found", said, { route });
      }
      return new PortwayError("worker_not_found", `no worker has the first address of ${route}`, {
        address: first,
      });
    case "not_connected":
      return new PortwayError("not_connected", `the connection ${first} is not connected at present`, {
        address: first,
      });
    case "too_large":
      return new PortwayError("frame_too_large", "the message does not fit into a frame of 16 MiB", {
        route,
      });
    case "queue_full":
      return new PortwayError("queue_full", `the worker ${first} refuses messages: its queue is full`, {
        address: first,
      });
    case "route_exhausted":
      return new PortwayError(
        "bad_route",
        `the route ${route} ends at a worker that has to pass messages on`,
        { route },
      );
    default:
      return new PortwayError(
        "bad_route",
        `the message was dropped at the first hop of ${route}: ${reason}`,
        {
          route,
          reason,
        },
      );
  }
}
