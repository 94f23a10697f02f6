import { Backoff } from "../base/backoff.js";
import type { Clock } from "../base/clock.js";
import { messageOf, PortwayError } from "../base/errors.js";
import { type Liveness, LivenessRecord } from "../base/liveness.js";
import type { Log } from "../base/log.js";
import { Route } from "../model/route.js";
import { formatSocketAddress, type SocketAddress } from "../model/socket-address.js";
import type { Arrival } from "../routing/arrival.js";
import type { Link, LinkListener } from "../routing/link.js";
import { PathProbe } from "../routing/path-probe.js";
import type { Router } from "../routing/router.js";
import type { CloseReason, Connection, Transport } from "../transport/transport.js";
import { ConnectionWorker } from "./connection-worker.js";

export interface DialedConnectionOptions {
  readonly peer: SocketAddress;
  readonly by: Arrival["by"];
  readonly router: Router;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly log: Log;
  /** Its state changed. */
  readonly changed: () => void;
  /** It was disposed. */
  readonly disposed: () => void;
  /** The longest wait between two attempts; less than a person's patience by default. */
  readonly maxRetryMs?: number;
  /** Ask the peer's echo now and then: without it, a path that swallows everything looks like a quiet one. */
  readonly probed?: boolean;
}

const firstRetryMs = 100;
export const defaultMaxRetryMs = 3_000;
/** A link that ends sooner than this is no reason to dial again sooner: a peer may end each one at once. */
const lastingMs = 500;

/**
 * A connection that someone wants: it keeps its worker address for life, and whenever it has no link it dials, again
 * and again with backoff, until it is disposed. The name of the peer is resolved anew each time.
 */
export class DialedConnection implements Link {
  readonly route: Route;
  readonly worker: ConnectionWorker;
  readonly #options: DialedConnectionOptions;
  readonly #backoff: Backoff;
  readonly #liveness: LivenessRecord;
  readonly #listeners = new Set<LinkListener>();
  readonly #stop = new AbortController();
  readonly #probe: PathProbe | undefined;
  #links = 0;
  #upSinceMs = 0;
  #lastError: Error | undefined;
  #nextRetryTimeMs: number | undefined;
  #retry: Disposable | undefined;
  #renewal: Error | undefined;

  constructor(options: DialedConnectionOptions) {
    this.#options = options;
    this.#liveness = new LivenessRecord(options.clock);
    this.#backoff = new Backoff({ firstMs: firstRetryMs, maxMs: options.maxRetryMs ?? defaultMaxRetryMs });
    this.worker = new ConnectionWorker({
      router: options.router,
      by: options.by,
      isReliable: options.transport.isReliable,
      lost: (reason, error) => this.#linkLost(reason, error),
    });
    this.route = Route.of(this.worker.address);
    void this.#dial();
    if (options.probed === true) this.#probe = this.#makeProbe(options);
  }

  get isUp(): boolean {
    return this.worker.connection !== undefined && !this.#stop.signal.aborted;
  }

  /** Links that were established. */
  get links(): number {
    return this.#links;
  }

  get liveness(): Liveness {
    return this.#liveness.view();
  }

  watch(listener: LinkListener): Disposable {
    this.#listeners.add(listener);
    const { signal } = this.#stop;
    if (signal.aborted) listener.gone(signal.reason as Error);
    else if (this.isUp) listener.up();
    else listener.down(this.#lastError, this.#nextRetryTimeMs);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  heard(): void {
    if (this.isUp) this.#liveness.succeeded();
  }

  renew(reason: Error): void {
    const { connection } = this.worker;
    if (connection === undefined) return;
    this.#renewal = reason;
    connection.close();
  }

  [Symbol.dispose](): void {
    if (this.#stop.signal.aborted) return;
    const peer = formatSocketAddress(this.#options.peer);
    const error = new PortwayError("not_connected", `the connection to ${peer} was deleted`, { peer });
    this.#stop.abort(error);
    this.#retry?.[Symbol.dispose]();
    this.#probe?.[Symbol.dispose]();
    this.worker[Symbol.dispose]();
    this.#options.disposed();
    for (const listener of [...this.#listeners]) listener.gone(error);
  }

  #makeProbe({ router, clock, changed }: DialedConnectionOptions): PathProbe {
    const record = this.#liveness;
    return new PathProbe({
      router,
      clock,
      towards: this.route,
      succeeded: (roundTripMs) => {
        const before = record.state;
        record.succeeded(roundTripMs);
        if (before !== "active") changed();
      },
      failed: (error, nextMs, { answered, heard }) => {
        if (!answered || heard) return;
        record.failed(error, nextMs);
        changed();
      },
      lost: (error) => this.renew(error),
    });
  }

  async #dial(): Promise<void> {
    const { transport, peer, log } = this.#options;
    const { signal } = this.#stop;
    this.#nextRetryTimeMs = undefined;
    try {
      const connection = await transport.dial(peer, (made) => this.#attach(made), { signal });
      if (signal.aborted) connection.close();
    } catch (error) {
      if (signal.aborted) return;
      log.debug("connection.dial_failed", { peer: formatSocketAddress(peer), error: messageOf(error) });
      this.#failed(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #attach(connection: Connection): ConnectionWorker {
    const { peer, clock, log, changed } = this.#options;
    this.worker.attach(connection);
    this.#links += 1;
    this.#upSinceMs = clock.monotonicMs();
    this.#lastError = undefined;
    this.#liveness.succeeded();
    this.#liveness.condition("Connected", true);
    log.info("connection.opened", {
      peer: formatSocketAddress(peer),
      worker: this.worker.address.text,
      link: this.#links,
    });
    // The user must be in place before anyone sends.
    queueMicrotask(() => {
      if (!this.isUp) return;
      changed();
      this.#probe?.start();
      for (const listener of [...this.#listeners]) listener.up();
    });
    return this.worker;
  }

  #linkLost(reason: CloseReason, cause: Error | undefined): void {
    if (this.#stop.signal.aborted) return;
    const { peer, clock, log } = this.#options;
    if (clock.monotonicMs() - this.#upSinceMs >= lastingMs) this.#backoff.reset();
    const where = formatSocketAddress(peer);
    log.info("connection.lost", { peer: where, reason: this.#renewal?.message ?? reason });
    const said =
      this.#renewal?.message ?? `the connection to ${where} ended: ${cause?.message ?? words(reason)}`;
    this.#renewal = undefined;
    this.#failed(new PortwayError("not_connected", said, { peer: where, reason }));
  }

  #failed(error: Error): void {
    const { clock, changed } = this.#options;
    this.#probe?.stop();
    const delayMs = this.#backoff.nextMs();
    this.#lastError = error;
    this.#nextRetryTimeMs = clock.wallMs() + delayMs;
    this.#liveness.failed(error, this.#nextRetryTimeMs);
    this.#liveness.condition("Connected", false, error);
    this.#retry?.[Symbol.dispose]();
    this.#retry = clock.after(delayMs, () => void this.#dial());
    changed();
    for (const listener of [...this.#listeners]) listener.down(error, this.#nextRetryTimeMs);
  }
}

function words(reason: CloseReason): string {
  return reason.replaceAll("_", " ");
}
