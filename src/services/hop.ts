import type { Address } from "../model/address.js";
import type { Router } from "../routing/router.js";
import type { Outcome, Worker } from "../routing/worker.js";

/**
 * Passes every message on to the next address of its route, with itself on the way back. It opens the node to whoever
 * reaches it, so it is there only where someone started it.
 */
export function createHop(router: Pick<Router, "forward">, own: Address): Worker {
  return {
    handle(message): Outcome {
      if (message.onward.length < 2) return "route_exhausted";
      return router.forward(message.hop(own));
    },
  };
}
