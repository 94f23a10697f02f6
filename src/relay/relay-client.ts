import { Backoff } from "../base/backoff.js";
import type { Clock } from "../base/clock.js";
import { PortwayError } from "../base/errors.js";
import { type Liveness, LivenessRecord } from "../base/liveness.js";
import type { Log } from "../base/log.js";
import { deferred } from "../base/signals.js";
import type { Address } from "../model/address.js";
import { type Entrance, Message } from "../model/message.js";
import { Route } from "../model/route.js";
import type { Link } from "../routing/link.js";
import { Outbox } from "../routing/outbox.js";
import type { Router } from "../routing/router.js";
import type { DropReason } from "../routing/worker.js";
import { RelayEnd } from "./relay-end.js";
import { dropError, noConfirmation, probeLost, refusalError } from "./relay-failures.js";
import { anyName, relayAddress, relayNameProblem, staticRelayService } from "./relay-name.js";
import { RelayProbe } from "./relay-probe.js";
import { firstRelayState, type RelayEvent, type RelayState, retriesSlowly, step } from "./relay-state.js";
import { encodeText, releaseText } from "./relay-text.js";

export interface RelayClientOptions {
  readonly router: Router;
  /** The way to the hosting node. Its owner disposes it, after the client. */
  readonly link: Link;
  /** Without the prefix. */
  readonly name: string;
  readonly log: Log;
  readonly clock: Clock;
  readonly random?: () => number;
  /** The state, a condition, the failure or the address changed. A round trip alone is no change. */
  readonly changed: () => void;
  /** From one probe that came back to the next. */
  readonly probeIntervalMs?: number;
}

export interface RelayClientStatus {
  /** Conditions: Connected, Registered, Probed. */
  readonly liveness: Liveness;
  /** The address on the hosting node; empty while never registered. */
  readonly remoteAddress: string;
  readonly workerAddress: string;
  /** From this node to the relay; empty while never registered. */
  readonly route: string;
  /** Confirmed ones. */
  readonly registrations: number;
}

/** A name at another node that leads to this one, kept for as long as this is not disposed. */
export interface RelayClient extends Disposable {
  status(): RelayClientStatus;
  /** Resolves as soon as the relay is active, has failed or was disposed; rejects with the signal's reason. */
  waitUntilSettled(signal?: AbortSignal): Promise<void>;
}

/**
 * Registers this node at the far end of `link` whenever that is up, and probes the way through the relay and back.
 * Throws `bad_name`.
 */
export function createRelayClient(options: RelayClientOptions): RelayClient {
  const { name } = options;
  const problem = name === anyName ? "it stands for any name" : relayNameProblem(name);
  if (problem === undefined) return new Client(options);
  throw new PortwayError("bad_name", `"${name}" can't be the name of a relay: ${problem}`, { name });
}

const confirmationTimeoutMs = 5_000;
const defaultProbeIntervalMs = 5_000;
const probeTimeoutMs = 3_000;
const firstRetryMs = 100;
const maxRetryMs = 2_000;
/** After a refusal that needs a person: the holder of the name may go away all the same. */
const slowRetryMs = 30_000;

class Client implements RelayClient {
  readonly #options: RelayClientOptions;
  readonly #end: RelayEnd;
  readonly #outbox: Outbox;
  readonly #probe: RelayProbe;
  readonly #backoff: Backoff;
  readonly #slowBackoff: Backoff;
  readonly #liveness: LivenessRecord;
  readonly #watch: Disposable;
  readonly #settled = new Set<() => void>();
  #state: RelayState = firstRelayState;
  #timer: Disposable | undefined;
  #remote: Address | undefined;
  #registrations = 0;
  #heardBefore: number | undefined;
  #isReady = false;
  #shown = "";

  constructor(options: RelayClientOptions) {
    const { router, link, clock, random = Math.random } = options;
    this.#options = options;
    this.#liveness = new LivenessRecord(clock);
    this.#backoff = new Backoff({ firstMs: firstRetryMs, maxMs: maxRetryMs, random });
    this.#slowBackoff = new Backoff({ firstMs: slowRetryMs, maxMs: slowRetryMs, random });
    this.#end = new RelayEnd({
      router,
      name: options.name,
      confirmed: (remote) => this.#confirmed(remote),
      refused: (refusal) => this.#refused(refusal),
    });
    this.#outbox = new Outbox(router, (drop) => this.#registrationSent(drop));
    this.#probe = new RelayProbe({ router, clock, back: (roundTripMs) => this.#probeBack(roundTripMs) });
    this.#watch = link.watch({
      up: () => this.#linkUp(),
      down: (error, retryAtMs) => {
        if (error !== undefined) this.#linkDown(error, retryAtMs);
      },
      gone: (error) => this.#linkGone(error),
    });
    this.#isReady = true;
  }

  status(): RelayClientStatus {
    const remote = this.#remote;
    const liveness = this.#liveness.view();
    const { link } = this.#options;
    return {
      liveness:
        this.#state.at === "stopped" ? { ...liveness, state: "stopped", reconciling: false } : liveness,
      remoteAddress: remote?.text ?? "",
      workerAddress: this.#end.address.text,
      route: remote === undefined ? "" : Route.of(remote).prependRoute(link.route).toString(),
      registrations: this.#registrations,
    };
  }

  async waitUntilSettled(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (this.#isSettled) return;
    const { promise, resolve, reject } = deferred<void>();
    const onAbort = (): void => reject(signal?.reason);
    this.#settled.add(resolve);
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      await promise;
    } finally {
      signal?.removeEventListener("abort", onAbort);
      this.#settled.delete(resolve);
    }
  }

  [Symbol.dispose](): void {
    const { at } = this.#state;
    if (at === "stopped") return;
    this.#enter(step(this.#state, { is: "stop" }));
    this.#watch[Symbol.dispose]();
    if (at !== "down") this.#release();
    this.#outbox[Symbol.dispose]();
    this.#probe[Symbol.dispose]();
    this.#end[Symbol.dispose]();
    this.#settle();
  }

  get #isSettled(): boolean {
    const { state } = this.#liveness;
    return state === "active" || state === "failed" || this.#state.at === "stopped";
  }

  #linkUp(): void {
    if (this.#state.at === "stopped") return;
    this.#liveness.condition("Connected", true);
    this.#backoff.reset();
    this.#apply({ is: "linkUp" });
  }

  #linkDown(error: Error, retryAtMs: number | undefined): void {
    if (this.#state.at === "stopped") return;
    this.#disconnected(error);
    this.#noteFailure(error, retryAtMs);
    this.#apply({ is: "linkDown" });
  }

  #linkGone(error: Error): void {
    if (this.#state.at === "stopped") return;
    this.#disconnected(error);
    this.#liveness.gaveUp(error);
    const { log, name } = this.#options;
    log.warn("relay.failed", { name, error: error.message });
    this.#apply({ is: "linkDown" });
  }

  #disconnected(error: Error): void {
    const wasRegistered = this.#remote !== undefined;
    this.#liveness.condition("Connected", false, error);
    if (wasRegistered) {
      this.#liveness.condition("Registered", false, error);
      this.#liveness.condition("Probed", false, error);
    }
    this.#end.unbind();
  }

  #confirmed(remote: Address): void {
    const next = step(this.#state, { is: "confirmed" });
    if (next === this.#state) return;
    const { log, name } = this.#options;
    this.#remote = remote;
    this.#registrations += 1;
    log.info("relay.registered", { name, remote: remote.text, registrations: this.#registrations });
    this.#liveness.condition("Registered", true);
    this.#enter(next);
  }

  #refused(refusal: string): void {
    if (this.#state.at !== "registering") return;
    const { log, name } = this.#options;
    const error = refusalError(refusal, name);
    const lasting = error.code !== "too_many";
    const next = step(this.#state, { is: "refused", lasting });
    const delayMs = this.#retryDelayMs(next);
    log.warn("relay.refused", { name, reason: refusal, retryInMs: delayMs });
    this.#liveness.condition("Registered", false, error);
    if (next.needsPerson) this.#liveness.gaveUp(error, this.#retryAtMs(delayMs));
    else this.#noteFailure(error, this.#retryAtMs(delayMs));
    this.#enter(next, delayMs);
  }

  #registrationSent(drop: DropReason | undefined): void {
    if (drop !== undefined) this.#unanswered(dropError(drop, this.#options.link.route), true);
  }

  #confirmationLate(): void {
    const { name, link } = this.#options;
    const error = noConfirmation(name, link.route, confirmationTimeoutMs);
    this.#unanswered(error, this.#outbox.isWaiting || this.#hasHeard);
  }

  /** Nothing came of a registration. `heard`: the link is not dead for that. */
  #unanswered(error: Error, heard: boolean): void {
    if (this.#state.at !== "registering") return;
    const next = step(this.#state, { is: "unanswered", heard });
    const delayMs = this.#retryDelayMs(next);
    this.#liveness.condition("Registered", false, error);
    this.#noteFailure(error, this.#retryAtMs(delayMs));
    this.#enter(next, delayMs, error);
  }

  #probeBack(roundTripMs: number): void {
    if (this.#state.at !== "probing") return;
    this.#backoff.reset();
    const { log, name } = this.#options;
    if (this.#liveness.state !== "active") log.info("relay.active", { name, roundTripMs });
    this.#liveness.condition("Probed", true);
    this.#liveness.succeeded(roundTripMs);
    this.#options.link.heard();
    this.#apply({ is: "probeBack" });
  }

  #probeLate(): void {
    // One that is still in the queue says as little of the link as one that is late while others arrive.
    const heard = this.#probe.isUnsent || this.#hasHeard;
    const next = step(this.#state, { is: "probeLost", heard });
    const delayMs = this.#retryDelayMs(next);
    const { name, link } = this.#options;
    const error = probeLost(name, link.route, probeTimeoutMs);
    this.#liveness.condition("Probed", false, error);
    this.#noteFailure(error, this.#retryAtMs(delayMs));
    this.#enter(next, delayMs, error);
  }

  #noteFailure(error: Error, retryAtMs: number | undefined): void {
    const wasActive = this.#liveness.state === "active";
    this.#liveness.failed(error, retryAtMs);
    const { log, name } = this.#options;
    if (wasActive) log.warn("relay.degraded", { name, error: error.message });
  }

  #apply(event: RelayEvent): void {
    this.#enter(step(this.#state, event));
  }

  /** Goes to a state and does what it asks for. What is sent may come back in this very call, so it is sent last. */
  #enter(next: RelayState, delayMs?: number, reason?: Error): void {
    const before = this.#state;
    this.#state = next;
    if (next !== before) {
      this.#timer?.[Symbol.dispose]();
      this.#timer = undefined;
      this.#outbox.clear();
      if (next.at !== "probing") this.#probe.clear();
    }
    this.#announce();
    // Nothing that was told of the change may have brought about another one.
    if (next !== before && this.#state === next) this.#begin(next, delayMs, reason);
  }

  #begin({ at }: RelayState, delayMs: number | undefined, reason: Error | undefined): void {
    switch (at) {
      case "registering":
        this.#after(confirmationTimeoutMs, () => this.#confirmationLate());
        this.#register();
        return;
      case "waiting":
        this.#after(delayMs ?? maxRetryMs, () => this.#apply({ is: "due" }));
        return;
      case "renewing":
        this.#after(delayMs ?? maxRetryMs, () => this.#apply({ is: "due" }));
        this.#options.link.renew(reason ?? new Error("nothing comes through"));
        return;
      case "probing":
        this.#after(probeTimeoutMs, () => this.#probeLate());
        this.#sendProbe();
        return;
      case "idle":
        this.#after(this.#options.probeIntervalMs ?? defaultProbeIntervalMs, () =>
          this.#apply({ is: "due" }),
        );
        return;
      default:
    }
  }

  #register(): void {
    const { name, link } = this.#options;
    this.#noteHeard();
    this.#outbox.put(
      Message.of({
        onward: Route.of(staticRelayService).prependRoute(link.route),
        return: Route.of(this.#end.address),
        payload: encodeText(name),
        exit: { leftOn: (entrance) => this.#boundTo(entrance) },
      }),
    );
  }

  #boundTo(entrance: Entrance): void {
    if (this.#end.bind(entrance)) this.#noteHeard();
  }

  #sendProbe(): void {
    if (this.#remote === undefined) return;
    this.#noteHeard();
    this.#probe.send(Route.of(this.#remote).prependRoute(this.#options.link.route));
  }

  /**
   * A host of ours takes the name free at once, also if its confirmation is still on its way. To one of Ockam's this
   * is a heartbeat.
   */
  #release(): void {
    const { router, link, name } = this.#options;
    const onward = Route.of(this.#remote ?? relayAddress(name)).prependRoute(link.route);
    // No matter what becomes of it: the registration ends with the connection in any case.
    router.send(Message.of({ onward, return: Route.empty, payload: encodeText(releaseText) }));
  }

  #after(delayMs: number, run: () => void): void {
    this.#timer = this.#options.clock.after(delayMs, run);
  }

  #retryDelayMs(next: RelayState): number | undefined {
    if (next.at !== "waiting" && next.at !== "renewing") return undefined;
    return retriesSlowly(next) ? this.#slowBackoff.nextMs() : this.#backoff.nextMs();
  }

  #retryAtMs(delayMs: number | undefined): number | undefined {
    return delayMs === undefined ? undefined : this.#options.clock.wallMs() + delayMs;
  }

  get #hasHeard(): boolean {
    const { received, isBlocked } = this.#end;
    // While we do not read it ourselves, its silence says nothing.
    if (isBlocked) return true;
    return received !== undefined && received !== this.#heardBefore;
  }

  #noteHeard(): void {
    this.#heardBefore = this.#end.received;
  }

  #announce(): void {
    if (this.#state.at === "stopped") return;
    const { liveness, remoteAddress, registrations } = this.status();
    const { state, conditions, failure } = liveness;
    const facts = conditions.map(({ type, holds, message }) => [type, holds, message]);
    const shown = JSON.stringify([state, facts, failure, remoteAddress, registrations]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    if (this.#isSettled) this.#settle();
    // Whoever makes it can't know of it yet.
    if (this.#isReady) this.#options.changed();
  }

  #settle(): void {
    for (const resolve of [...this.#settled]) resolve();
  }
}
