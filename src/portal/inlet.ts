import type { Clock } from "../base/clock.js";
import { PortwayError } from "../base/errors.js";
import { type Liveness, LivenessRecord } from "../base/liveness.js";
import type { Log } from "../base/log.js";
import { Roster } from "../base/roster.js";
import { deferred } from "../base/signals.js";
import { type AcceptedSocket, ByteServer } from "../base/socket.js";
import { Address } from "../model/address.js";
import type { Message } from "../model/message.js";
import { Route } from "../model/route.js";
import { formatSocketAddress, type SocketAddress } from "../model/socket-address.js";
import type { Link } from "../routing/link.js";
import { PathProbe } from "../routing/path-probe.js";
import type { Router } from "../routing/router.js";
import { type PortalMessage, ping, saysThatItAnswers } from "./portal-message.js";
import { Session, type SessionLimits, sessionLimits } from "./session.js";
import { SessionCounts } from "./session-counts.js";
import { TcpStream } from "./tcp-stream.js";

export interface InletOptions {
  readonly router: Router;
  /** Where to listen. */
  readonly bind: SocketAddress;
  /** The way to the outlet's node. The inlet owns it. */
  readonly link: Link;
  /** The addresses behind the link's: the outlet's is the last. */
  readonly tail: Route;
  /** How long a session may take to open. */
  readonly openTimeoutMs?: number;
  readonly maxSessions?: number;
  readonly sessionLimits?: SessionLimits;
  readonly plainSockets?: boolean;
  readonly probeIntervalMs?: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly changed: () => void;
}

/** Longer than an outlet waits for its target and than a link may stand still, so that those are told apart from it. */
export const defaultOpenTimeoutMs = 15_000;
const defaultMaxSessions = 10_000;
/** A disconnect that comes this soon after the pong, before any data, is how an outlet says that it was refused. */
const refusalMs = 2_000;

/** The end of a portal that accepts connections: each becomes a session with the outlet at the end of the route. */
export class Inlet implements Disposable {
  readonly counts = new SessionCounts();
  /** Names the inlet in lists; nothing is delivered there. */
  readonly address = Address.random();
  readonly route: Route;
  readonly bound: SocketAddress;
  readonly #options: InletOptions;
  readonly #server: ByteServer;
  readonly #probe: PathProbe;
  readonly #watch: Disposable;
  readonly #liveness: LivenessRecord;
  readonly #sessions = new Roster<Session>();
  readonly #settled = deferred<void>();

  private constructor(options: InletOptions, server: ByteServer) {
    this.#options = options;
    this.#server = server;
    this.bound = { host: server.host, port: server.port };
    this.route = Route.of(...options.link.route.addresses(), ...options.tail.addresses());
    this.#liveness = new LivenessRecord(options.clock);
    this.#liveness.condition("Bound", true);
    this.#probe = new PathProbe({
      router: options.router,
      clock: options.clock,
      towards: this.route.withoutLast(),
      succeeded: (roundTripMs) => this.#pathIsGood(roundTripMs),
      failed: (error, nextMs) => this.#pathIsBad(error, nextMs),
      lost: (error) => options.link.renew(error),
      ...(options.probeIntervalMs !== undefined && { intervalMs: options.probeIntervalMs }),
    });
    this.#watch = options.link.watch({
      up: () => {
        this.#liveness.condition("Connected", true);
        this.#probe.start();
        options.changed();
      },
      down: (error, retryAtMs) => {
        this.#probe.stop();
        if (error === undefined) return;
        this.#liveness.condition("Connected", false, error);
        this.#pathIsBad(error, retryAtMs);
      },
      gone: (error) => this.#linkGone(error),
    });
  }

  /**
   * Binds, and accepts from then on. Rejects with `address_in_use`, `address_not_available`, `port_privileged`; the
   * link is then left to the caller.
   */
  static async listen(options: InletOptions): Promise<Inlet> {
    const { bind, plainSockets } = options;
    let inlet: Inlet | undefined;
    const server = await ByteServer.listen({ ...bind, plainSockets: plainSockets === true }, (accepted) =>
      inlet?.accept(accepted),
    );
    inlet = new Inlet(options, server);
    return inlet;
  }

  get liveness(): Liveness {
    return this.#liveness.view();
  }

  /** Resolves once the path is known to be good, or never to be. */
  get settled(): Promise<void> {
    return this.#settled.promise;
  }

  /** Accepts no more; sessions that run go on. */
  drain(): void {
    this.#server.close();
  }

  /** Ends the listener, its sessions and the link. */
  [Symbol.dispose](): void {
    this.#server.close();
    this.#watch[Symbol.dispose]();
    this.#probe[Symbol.dispose]();
    for (const session of this.#sessions.items()) session.close();
    this.#options.link[Symbol.dispose]();
  }

  private accept(accepted: AcceptedSocket): void {
    const { router, clock } = this.#options;
    const openTimeoutMs = this.#options.openTimeoutMs ?? defaultOpenTimeoutMs;
    const { counts } = this;
    const number = counts.sessionBegan();
    let openedAtMs: number | undefined;
    let place: Disposable | undefined;
    const session = new Session({
      router,
      limits: this.#options.sessionLimits ?? sessionLimits,
      hearsFrom: "here",
      user: {
        bytesIn: (count) => counts.bytesIn(count),
        bytesOut: (count) => counts.bytesOut(count),
        opening: (said: PortalMessage, received: Message) => {
          if (said.kind !== "pong" || received.return.isEmpty) return false;
          clearTimeout(timer);
          openedAtMs = clock.monotonicMs();
          counts.sessionOpened();
          this.#probe.used();
          this.#pathIsGood(undefined);
          this.#met(number, "connected");
          session.open(received.return.keep(), saysThatItAnswers(received.payload));
          return true;
        },
        remoteEnded: (hadData) => {
          if (hadData || openedAtMs === undefined || clock.monotonicMs() - openedAtMs >= refusalMs)
            return "end";
          this.#failed(number, "refused", "target_refused");
          return "reset";
        },
        ended: (end) => {
          clearTimeout(timer);
          place?.[Symbol.dispose]();
          if (openedAtMs !== undefined) counts.sessionEnded(end);
          else if (end === "remote_ended") this.#failed(number, "refused", "target_refused");
          if (end === "silent") counts.sessionFailed("silent");
          if (end === "stalled")
            this.#options.log.warn("session.stalled", { inlet: formatSocketAddress(this.bound) });
        },
      },
    });
    const stream = TcpStream.accepted(accepted, session);
    session.attach(stream);
    const timer = setTimeout(() => {
      this.#failed(number, "timed_out", "timed_out");
      session.close();
    }, openTimeoutMs);
    if (this.#sessions.size >= (this.#options.maxSessions ?? defaultMaxSessions)) {
      counts.sessionFailed("too_many_sessions");
      session.close();
      return;
    }
    place = this.#sessions.add(session);
    const outcome = session.signal(ping, this.route);
    if (typeof outcome !== "string") return;
    this.#failed(number, "unroutable", "unroutable");
    session.close();
  }

  #failed(session: number, outcome: "refused" | "timed_out" | "unroutable", reason: string): void {
    this.counts.sessionFailed(reason);
    this.#met(session, outcome);
  }

  #met(session: number, outcome: "connected" | "refused" | "timed_out" | "unroutable"): void {
    const differs = outcome !== this.counts.outcome;
    const isNews = this.counts.met(session, outcome, this.#options.clock.wallMs());
    if (!isNews || !differs) return;
    const error = new PortwayError("connect_failed", explained[outcome]);
    this.#liveness.condition("TargetReachable", outcome === "connected", error);
    this.#options.changed();
  }

  #linkGone(error: Error): void {
    this.#probe.stop();
    this.#liveness.condition("Connected", false, error);
    this.#liveness.condition("PathReachable", false, error);
    this.#liveness.gaveUp(error);
    this.#settled.resolve();
    this.#options.changed();
  }

  #pathIsGood(roundTripMs: number | undefined): void {
    const before = this.#liveness.state;
    this.#liveness.succeeded(roundTripMs);
    this.#liveness.condition("PathReachable", true);
    this.#options.link.heard();
    this.#settled.resolve();
    if (before !== "active") this.#options.changed();
  }

  #pathIsBad(error: Error, nextMs: number | undefined): void {
    this.#liveness.failed(error, nextMs);
    this.#liveness.condition("PathReachable", false, error);
    this.#options.changed();
  }
}

const explained = {
  connected: "",
  refused: "the outlet could not connect to its target",
  timed_out: "the outlet did not answer in time",
  unroutable: "the route could not be taken",
} as const;
