import type { Clock } from "../base/clock.js";
import type { Log } from "../base/log.js";
import { Roster } from "../base/roster.js";
import { connectReason } from "../base/socket-errors.js";
import { Address } from "../model/address.js";
import { Message } from "../model/message.js";
import { Route } from "../model/route.js";
import { formatSocketAddress, type SocketAddress } from "../model/socket-address.js";
import type { Registration, Router } from "../routing/router.js";
import type { Outcome, Worker } from "../routing/worker.js";
import { disconnect, kind, pong, saysThatItAnswers } from "./portal-message.js";
import { Session, type SessionEnd, type SessionLimits, sessionLimits } from "./session.js";
import { SessionCounts } from "./session-counts.js";
import { TcpStream } from "./tcp-stream.js";

export interface OutletOptions {
  readonly router: Router;
  readonly address: Address;
  /** Resolved and connected anew for each session. */
  readonly target: SocketAddress;
  readonly connectTimeoutMs?: number;
  readonly maxSessions?: number;
  readonly sessionLimits?: SessionLimits;
  readonly plainSockets?: boolean;
  readonly clock: Clock;
  readonly log: Log;
  /** What a session met at the target differs from the one before. */
  readonly changed: () => void;
}

export const defaultConnectTimeoutMs = 10_000;
const defaultMaxSessions = 10_000;

/**
 * The end of a portal that connects to a target. A ping opens a session: its answer is a pong once the target is
 * connected, and a pong followed by a disconnect if it can't be, which is what an inlet that waits for a pong
 * understands. Addresses behind the outlet's own in a ping's route are ignored: an Ockam inlet that has recovered
 * names the outlet twice.
 */
export class Outlet implements Worker, Disposable {
  readonly counts = new SessionCounts();
  readonly #options: OutletOptions;
  readonly #registration: Registration;
  readonly #sessions = new Roster<Session>();
  #accepting = true;

  /** Throws `address_taken`. */
  constructor(options: OutletOptions) {
    this.#options = options;
    this.#registration = options.router.register(options.address, this, { kind: "outlet" });
  }

  handle(message: Message): Outcome {
    if (message.payload[0] !== kind.ping) return "unexpected";
    if (message.return.isEmpty) return "route_exhausted";
    if (isUnreliable(message)) {
      this.counts.sessionFailed("unreliable_route");
      return "refused";
    }
    if (!this.#accepting) return this.#refuse(message);
    if (this.#sessions.size >= (this.#options.maxSessions ?? defaultMaxSessions)) {
      const outcome = this.#refuse(message);
      if (outcome === undefined) this.counts.sessionFailed("too_many_sessions");
      return outcome;
    }
    this.#open(message, message.return.keep());
    return undefined;
  }

  /** Open ones, and those that wait for the target. */
  get hasSessions(): boolean {
    return this.#sessions.size > 0;
  }

  /** Opens no more sessions. */
  drain(): void {
    this.#accepting = false;
  }

  /** Ends the sessions that run. */
  closeSessions(): void {
    for (const session of this.#sessions.items()) session.close();
  }

  /** Takes the address free; sessions that run go on. */
  [Symbol.dispose](): void {
    this.#registration[Symbol.dispose]();
  }

  /**
   * Says what `Outlet` says for a target that can't be connected, and keeps nothing: without room for both, both are said
   * when there is some. An end that has heard a pong passes over another, and without the disconnect it would wait for ever.
   */
  #refuse({ return: onward, entrance }: Message): Outcome {
    const back = Route.of(Address.random());
    for (const payload of [pong, disconnect]) {
      const outcome = this.#options.router.forward(Message.of({ onward, return: back, payload, entrance }));
      if (typeof outcome === "object") return outcome;
    }
    return undefined;
  }

  #open({ entrance, payload }: Message, back: Route): void {
    const farAnswers = saysThatItAnswers(payload);
    const { router, target, log } = this.#options;
    const connectTimeoutMs = this.#options.connectTimeoutMs ?? defaultConnectTimeoutMs;
    const { counts } = this;
    const number = counts.sessionBegan();
    let connected = false;
    const session = new Session({
      router,
      limits: this.#options.sessionLimits ?? sessionLimits,
      hearsFrom: entrance ?? "here",
      user: {
        bytesIn: (count) => counts.bytesIn(count),
        bytesOut: (count) => counts.bytesOut(count),
        lostEarly: (error) =>
          failed(error === undefined ? "it closed the connection" : connectReason(error), "refused"),
        ended: (end) => {
          clearTimeout(timer);
          place[Symbol.dispose]();
          if (connected) this.#ended(end);
        },
      },
    });
    const place = this.#sessions.add(session);
    const failed = (why: string, reason: "refused" | "timed_out"): void => {
      clearTimeout(timer);
      counts.sessionFailed(reason === "refused" ? "target_refused" : "target_timed_out");
      this.#met(number, reason, `can't connect to ${formatSocketAddress(target)}: ${why}`);
      session.signal(pong, back);
      session.open(back, farAnswers);
      session.close();
    };
    const timer = setTimeout(
      () => failed(`no answer within ${connectTimeoutMs} ms`, "timed_out"),
      connectTimeoutMs,
    );
    const opened = (): void => {
      if (session.isEnded) return;
      connected = true;
      clearTimeout(timer);
      counts.sessionOpened();
      this.#met(number, "connected", "");
      if (typeof session.signal(pong, back) === "string") session.close();
      else session.open(back, farAnswers);
    };
    session.attach(TcpStream.dial(target, session, opened, this.#options.plainSockets));
    log.debug("session.opening", { outlet: this.#options.address.text });
  }

  #met(session: number, outcome: "connected" | "refused" | "timed_out", error: string): void {
    const { clock, log, changed, address } = this.#options;
    const differs = outcome !== this.counts.outcome || error !== this.counts.lastError;
    const isNews = this.counts.met(session, outcome, clock.wallMs(), error);
    if (!isNews || !differs) return;
    if (error !== "") log.warn("outlet.target_failed", { outlet: address.text, error });
    changed();
  }

  #ended(end: SessionEnd): void {
    this.counts.sessionEnded(end);
    if (end === "silent") this.counts.sessionFailed("silent");
    if (end === "stalled") this.#options.log.warn("session.stalled", { outlet: this.#options.address.text });
  }
}

/** A lost message would be a hole in a session's bytes: none is opened along a route on which some may be. */
function isUnreliable({ entrance, return: back }: Message): boolean {
  return entrance?.isReliable === false || back.addresses().some((hop) => hop.isUnreliable);
}
