import { randomBytes } from "node:crypto";
import type { Clock } from "../base/clock.js";
import { PortwayError } from "../base/errors.js";
import { Address } from "../model/address.js";
import type { Entrance } from "../model/message.js";
import { Route } from "../model/route.js";
import type { Arrival } from "./arrival.js";
import { request } from "./request.js";
import type { Router } from "./router.js";

export interface PathProbeOptions {
  readonly router: Router;
  readonly clock: Clock;
  /** The addresses in front of the echo that is asked. */
  readonly towards: Route;
  readonly intervalMs?: number;
  readonly timeoutMs?: number;
  /** The echo answered. */
  readonly succeeded: (roundTripMs: number) => void;
  /**
   * It did not; the next attempt is at `nextMs` (wall clock). `answered` tells whether it has since the probe was
   * started: a node need not have an echo that answers us. `heard` tells whether something else came in meanwhile on
   * the connection that the question left on: then the neighbour lives.
   */
  readonly failed: (
    error: Error,
    nextMs: number,
    facts: { readonly answered: boolean; readonly heard: boolean },
  ) => void;
  /** It did once and then failed several times in a row, and the neighbour was silent: nothing comes through any more. */
  readonly lost: (error: Error) => void;
}

const defaultIntervalMs = 10_000;
const defaultTimeoutMs = 4_000;
const retryMs = 1_000;
const failuresBeforeLost = 2;
/** The service that answers with what it is sent, on each node. */
export const echo = Address.local("echo");

/** Asks an echo, again and again, whether a route carries messages there and back. */
export class PathProbe implements Disposable {
  readonly #options: PathProbeOptions;
  readonly #onward: Route;
  #run: AbortController | undefined;
  #timer: Disposable | undefined;
  #failures = 0;
  #usedSince = false;
  #answered = false;

  constructor(options: PathProbeOptions) {
    this.#options = options;
    this.#onward = Route.of(...options.towards.addresses(), echo);
  }

  /** Begins anew, with a probe at once. */
  start(): void {
    this.stop();
    const run = new AbortController();
    this.#run = run;
    this.#failures = 0;
    this.#answered = false;
    void this.#probe(run.signal);
  }

  stop(): void {
    this.#run?.abort(new PortwayError("canceled", "the probe was stopped"));
    this.#run = undefined;
    this.#timer?.[Symbol.dispose]();
  }

  /** The route was used with success: a probe that fails meanwhile tells nothing. */
  used(): void {
    this.#usedSince = true;
  }

  [Symbol.dispose](): void {
    this.stop();
  }

  async #probe(signal: AbortSignal): Promise<void> {
    const { router, clock, succeeded, failed, lost } = this.#options;
    const timeoutMs = this.#options.timeoutMs ?? defaultTimeoutMs;
    const startMs = clock.monotonicMs();
    this.#usedSince = false;
    let failure: Error | undefined;
    let arrival: Arrival | undefined;
    let heardBefore = 0;
    const left = (entrance: Entrance): void => {
      arrival = entrance as Arrival;
      heardBefore = arrival.traffic?.receivedMessages ?? 0;
    };
    try {
      // As Ockam's sessions do: a random number in CBOR.
      const payload = Buffer.concat([Buffer.of(0x1b), randomBytes(8)]);
      const answer = await request(router, { onward: this.#onward, payload, timeoutMs, signal, left });
      if (!answer.payload.equals(payload))
        failure = new PortwayError("bad_reply", "the echo answered something else");
    } catch (error) {
      failure = error instanceof Error ? error : new Error(String(error));
    }
    if (signal.aborted) return;
    if (failure === undefined) {
      this.#failures = 0;
      this.#answered = true;
      this.#again(signal, (this.#options.intervalMs ?? defaultIntervalMs) * (0.9 + Math.random() / 5));
      succeeded(clock.monotonicMs() - startMs);
      return;
    }
    this.#again(signal, retryMs);
    // A full queue of ours has a limit of its own; and while we do not read a connection, no answer can come in.
    const isHeldUp = failure instanceof PortwayError && failure.code === "queue_full";
    if (this.#usedSince || isHeldUp || arrival?.isBlocked === true) return;
    const heard = (arrival?.traffic?.receivedMessages ?? heardBefore) > heardBefore;
    this.#failures = heard ? 0 : this.#failures + 1;
    failed(failure, clock.wallMs() + retryMs, { answered: this.#answered, heard });
    if (this.#answered && this.#failures >= failuresBeforeLost) lost(failure);
  }

  #again(signal: AbortSignal, delayMs: number): void {
    this.#timer = this.#options.clock.after(delayMs, () => void this.#probe(signal));
  }
}
