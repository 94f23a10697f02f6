import type { Address } from "../model/address.js";
import { Message } from "../model/message.js";
import { Route } from "../model/route.js";
import type { Router } from "../routing/router.js";
import type { Outcome, Worker } from "../routing/worker.js";

/** Sends every payload back as it is; the answer's return route is the echo alone. */
export function createEcho(router: Pick<Router, "forward">, own: Address): Worker {
  const back = Route.of(own);
  return {
    handle(message): Outcome {
      if (message.return.isEmpty) return "route_exhausted";
      return router.forward(answer(message, back, message.payload));
    },
  };
}

/** A message from here to where `request` came from. */
export function answer(request: Message, back: Route, payload: Buffer): Message {
  const { trace, entrance } = request;
  const backing = payload === request.payload ? request.backing : undefined;
  return Message.of({ onward: request.return, return: back, payload, trace, backing, entrance });
}
