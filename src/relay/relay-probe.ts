import { randomBytes } from "node:crypto";
import type { Clock } from "../base/clock.js";
import { Address } from "../model/address.js";
import { Message } from "../model/message.js";
import { Route } from "../model/route.js";
import { Outbox } from "../routing/outbox.js";
import type { Registration, Router } from "../routing/router.js";
import type { Outcome, Worker } from "../routing/worker.js";

export interface RelayProbeOptions {
  readonly router: Router;
  readonly clock: Clock;
  /** A probe is back, and it took so long from here to here. */
  readonly back: (roundTripMs: number) => void;
}

/**
 * Sends messages through a relay to itself. One counts as back only on the connection that the last one left on, and
 * only until the probes are cleared.
 */
export class RelayProbe implements Worker, Disposable {
  readonly #options: RelayProbeOptions;
  readonly #own = Address.random();
  readonly #worker: Registration;
  readonly #outbox: Outbox;
  /** When each one that is out was sent, by its payload in hex. */
  readonly #sentAtMs = new Map<string, number>();

  constructor(options: RelayProbeOptions) {
    this.#options = options;
    this.#worker = options.router.register(this.#own, this, { kind: "reply", hearsFrom: "here" });
    this.#outbox = new Outbox(options.router);
  }

  /** The last one waits for room in a queue of this node. */
  get isUnsent(): boolean {
    return this.#outbox.isWaiting;
  }

  /** `relay` is the route from this node to the relay, its address included. Earlier probes still count. */
  send(relay: Route): void {
    const nonce = randomBytes(8);
    this.#sentAtMs.set(nonce.toString("hex"), this.#options.clock.monotonicMs());
    this.#outbox.put(
      Message.of({
        onward: Route.of(...relay.addresses(), this.#own),
        // A relay of Ockam's drops what has no way back.
        return: Route.of(this.#own),
        payload: nonce,
        exit: {
          leftOn: (entrance) => {
            this.#worker.hearsFrom = entrance;
          },
        },
      }),
    );
  }

  /** Forgets what is out. */
  clear(): void {
    this.#outbox.clear();
    this.#sentAtMs.clear();
  }

  handle({ onward, payload }: Message): Outcome {
    if (onward.length !== 1) return "unexpected";
    const sentAtMs = this.#sentAtMs.get(payload.toString("hex", 0, 64));
    if (sentAtMs === undefined) return "unexpected";
    this.#options.back(this.#options.clock.monotonicMs() - sentAtMs);
    return undefined;
  }

  [Symbol.dispose](): void {
    this.clear();
    this.#worker[Symbol.dispose]();
  }
}
