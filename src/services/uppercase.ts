import type { Address } from "../model/address.js";
import { decodeBareBytes, encodeBareBytes } from "../model/bare.js";
import { Route } from "../model/route.js";
import type { Router } from "../routing/router.js";
import type { Outcome, Worker } from "../routing/worker.js";
import { answer } from "./echo.js";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Answers a BARE string with the same in upper case, by the rules of Unicode. Anything else is dropped. */
export function createUppercase(router: Pick<Router, "forward">, own: Address): Worker {
  const back = Route.of(own);
  return {
    handle(message): Outcome {
      if (message.return.isEmpty) return "route_exhausted";
      let text: string;
      try {
        text = utf8.decode(decodeBareBytes(message.payload));
      } catch {
        return "malformed_payload";
      }
      return router.forward(answer(message, back, encodeBareBytes(Buffer.from(text.toUpperCase(), "utf8"))));
    },
  };
}
