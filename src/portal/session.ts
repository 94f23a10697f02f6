import { Gate, type GateWaiter } from "../base/gate.js";
import { Address } from "../model/address.js";
import { type Backing, type Entrance, Message } from "../model/message.js";
import { Route } from "../model/route.js";
import type { Arrival } from "../routing/arrival.js";
import { echo } from "../routing/path-probe.js";
import { request } from "../routing/request.js";
import type { Registration, Router } from "../routing/router.js";
import type { Outcome, Worker } from "../routing/worker.js";
import { localQueues } from "./local-queues.js";
import type { DataPlace, LocalStream, LocalStreamUser } from "./local-stream.js";
import {
  decodePortalMessage,
  disconnect,
  kind,
  type PortalMessage,
  payloadInPlace,
  ping,
  pong,
} from "./portal-message.js";

export interface SessionLimits {
  /** Bytes waiting for the local program at which no more is taken; any, where all sessions together keep too much. */
  readonly localQueueBytes: number;
  /** How long the local program may take nothing while something waits for it. */
  readonly stallTimeoutMs: number;
  /**
   * The same once the session has ended. Nobody waits behind it any more, and the system tells of a slow program's
   * progress only once it has taken a third of a send buffer, which can be of 4 MB: two minutes are enough for one that
   * takes 12 KB/s.
   */
  readonly lingerTimeoutMs: number;
}

export const sessionLimits: SessionLimits = {
  localQueueBytes: 1024 * 1024,
  stallTimeoutMs: 10_000,
  lingerTimeoutMs: 120_000,
};

/** Why a session ended. */
export type SessionEnd =
  | "local_ended" // the local program closed
  | "remote_ended" // the far end said so
  | "local_failed" // the local socket broke
  | "route_failed" // messages can't be sent along the route any more
  | "stalled" // the local program took nothing for too long
  | "silent" // the far end, which said that it answers, does not
  | "protocol" // the far end broke the protocol
  | "closed"; // from outside

export interface SessionUser {
  /** Bytes that came from (in) and went to (out) the local program. */
  bytesIn(count: number): void;
  bytesOut(count: number): void;
  /** Over, and nothing of it is left: what was queued, for the program or for the far end, has left or is given up. */
  ended(end: SessionEnd): void;
  /** The far end said that it is over: how the local stream is to be closed. Absent: "end". */
  remoteEnded?(hadData: boolean): "end" | "reset";
  /** The local stream is gone before the session was open. Absent: that ends it. */
  lostEarly?(error: Error | undefined): void;
  /** A message while the session is opening. True if it was what was waited for. */
  opening?(message: PortalMessage, received: Message): boolean;
}

export interface SessionOptions {
  readonly router: Router;
  readonly user: SessionUser;
  readonly limits: SessionLimits;
  readonly hearsFrom: Entrance | "here";
}

/** How long the answer to a ping is waited for after its session was given up, so that the far end hears of that. */
const lateAnswerMs = 30_000;

/** When an open session counts as one that lasts, and how often it looks from then on whether its far end is there. */
const lastingMs = 2_000;
const lookMs = 8_000;
/**
 * So many looks in a row at which nothing had come, and a far end that answers is gone: sooner than a link is given up
 * that stands still and says that it lives. Behind data that we send, a question may be on its way for long.
 */
const maxSilentLooks = 3;
const maxSilentLooksBehindData = 5;
/**
 * Where much else comes over the connection, the answer may stand behind it for long: megabytes, on a slow link. What
 * relays and other sessions ask is far less than that. It does not if our neighbour's echo, asked after the far end,
 * has answered.
 */
const maxSilentLooksBehindTraffic = 15;
const muchTrafficBytes = 64 * 1024;

const nobody: GateWaiter = { gateOpened() {} };

/**
 * One end of a portal session: a local stream on one side, routed messages on the other; inlet and outlet alike. It
 * is *opening* until `open` names the route to the other end, then *open*, then *ended* for good.
 *
 * What can't be sent along the route is kept, the messages of one read, and the local program is not read meanwhile;
 * what the local program does not take stops the connection that brings it, until it is cut off. When the connection
 * that it hears from is lost, it ends: the far end can't reach it any more. An ended one *lingers* while its program
 * still takes what was queued, and while its last word waits for room.
 */
export class Session implements Worker, LocalStreamUser {
  readonly address = Address.random();
  readonly #router: Router;
  readonly #user: SessionUser;
  readonly #limits: SessionLimits;
  readonly #registration: Registration;
  #gate: Gate | undefined;
  readonly #back: Route;
  #stream: LocalStream | undefined;
  #remote: Route | undefined;
  #state: "opening" | "open" | "ended" = "opening";
  #endedAs: SessionEnd = "closed";
  #isSettled = false;
  /** While it lingers: what gives the program up that takes nothing. */
  #lingering: Gate | undefined;
  /** What the route's first hop did not take: the data of a read, or a signal; then possibly the last signal. */
  #unsent: { message: Message; backing: Backing | undefined }[] = [];
  #waitingAt: Gate | undefined;
  #linkWatch: Disposable | undefined;
  #pinged = false;
  #lateAnswer: NodeJS.Timeout | undefined;
  #looking: NodeJS.Timeout | undefined;
  #heard = false;
  #sent = false;
  #silentLooks = 0;
  /** What had come over the connection at the last look. */
  #receivedBytes = 0;
  #neighbourAnswered = false;
  #expectedCounter = 0;
  #hadData = false;

  constructor({ router, user, limits, hearsFrom }: SessionOptions) {
    this.#router = router;
    this.#user = user;
    this.#limits = limits;
    this.#back = Route.of(this.address);
    this.#registration = router.register(this.address, this, { kind: "portal_session", hearsFrom });
  }

  get isEnded(): boolean {
    return this.#state === "ended";
  }

  /** The local stream; it is read once the session is open. */
  attach(stream: LocalStream): void {
    this.#stream = stream;
    const arrival = this.#arrival;
    if (arrival !== undefined) this.#watch(arrival);
  }

  /** Sends a ping or a pong along `route`, with this end as the way back. Its answer is heard from where it leaves. */
  signal(payload: Buffer, route: Route): Outcome {
    const exit = {
      leftOn: (entrance: Entrance): void => {
        if (this.#registration.hearsFrom !== "here") return;
        this.#registration.hearsFrom = entrance;
        this.#watch(entrance as Arrival);
      },
    };
    const outcome = this.#send(Message.of({ onward: route, return: this.#back, payload, exit }), undefined);
    this.#pinged = typeof outcome !== "string";
    return outcome;
  }

  /** The other end is at the end of `remote`: data may flow. `answers`: it says that it answers pings from now on. */
  open(remote: Route, answers: boolean): void {
    if (this.#state !== "opening") return;
    this.#remote = remote;
    this.#state = "open";
    this.#looking = setTimeout(() => this.#lasts(answers), lastingMs).unref();
    this.#stream?.resume();
  }

  /** Ends the session from outside, with a reset; the other end is told. What lingers is given up. */
  close(): void {
    if (this.#lingering === undefined) this.#end("closed", "reset");
    else this.#over();
  }

  // ---- from the route

  handle(message: Message): Outcome {
    if (message.onward.length > 1) return "unexpected";
    const { memory, payloadStart, payloadEnd } = message.cargo;
    const isData = payloadStart < payloadEnd && memory[payloadStart] === kind.payload;
    if (this.#state === "open" && isData && this.#isFull()) return this.#full();
    let said: PortalMessage;
    try {
      said = decodePortalMessage(memory, payloadStart, payloadEnd);
    } catch {
      return "malformed_payload";
    }
    if (this.#state === "ended") return this.#answeredLate(said, message);
    if (this.#state === "opening") return this.#opening(said, message);
    this.#heard = true;
    switch (said.kind) {
      case "ping":
        // What waits for room speaks for us as well.
        return this.#unsent.length > 0 ? undefined : this.#tell(pong);
      case "pong":
        return undefined;
      case "payload":
        return this.#data(said.data, said.counter, message.backing);
      case "disconnect":
        this.#end("remote_ended", this.#user.remoteEnded?.(this.#hadData) ?? "end");
        return undefined;
    }
  }

  #opening(said: PortalMessage, message: Message): Outcome {
    if (said.kind === "disconnect") this.#end("remote_ended", "reset");
    else if (this.#user.opening?.(said, message) !== true) return "unexpected";
    return undefined;
  }

  /** The session was given up while it was opening; the far end has one that nobody would ever end. */
  #answeredLate(said: PortalMessage, message: Message): Outcome {
    if (this.#lateAnswer === undefined || said.kind !== "pong") return "unexpected";
    const { return: onward, entrance } = message;
    const outcome = this.#router.forward(
      Message.of({ onward, return: this.#back, payload: disconnect, entrance }),
    );
    if (typeof outcome !== "object") this.#leave();
    return outcome;
  }

  #data(data: Buffer, counter: number | undefined, backing: Backing | undefined): Outcome {
    if (counter !== undefined) {
      if (counter !== this.#expectedCounter) {
        this.#end("protocol", "reset");
        return "unexpected";
      }
      this.#expectedCounter = (counter + 1) & 0xffff;
    }
    if (data.length === 0) return undefined;
    this.#hadData = true;
    this.#user.bytesOut(data.length);
    this.#stream?.write(data, backing);
    return undefined;
  }

  // ---- from the local program

  data(place: DataPlace, backing: Backing | undefined): boolean {
    if (this.#state !== "open") return false;
    this.#hadData = true;
    this.#sent = true;
    const { memory, at, length, roomBytes } = place;
    this.#user.bytesIn(length);
    const cargo = payloadInPlace(memory, at, length, roomBytes, backing);
    const message = new Message(cargo, this.#remote!, this.#back);
    const outcome = this.#send(message, backing);
    if (typeof outcome === "string") this.#end("route_failed", "reset");
    return outcome === undefined;
  }

  ended(): void {
    this.#end("local_ended", "end");
  }

  drained(): void {
    if (!this.#isFull()) this.#gate?.open();
  }

  /** Whether the local program has to take something first. No getter: V8 finds a private one anew at each use. */
  #isFull(): boolean {
    const waiting = this.#stream?.queuedBytes ?? 0;
    return waiting > 0 && (localQueues.areFull || waiting >= this.#limits.localQueueBytes);
  }

  closed(error: Error | undefined): void {
    this.#stream = undefined;
    if (this.#state === "ended") this.#over();
    else if (this.#state === "opening" && this.#user.lostEarly !== undefined) this.#user.lostEarly(error);
    else this.#end("local_failed", "end");
  }

  /** Where those wait whose data has no room: few sessions have one. */
  #full(): Gate {
    this.#gate ??= new Gate({
      stallTimeoutMs: this.#limits.stallTimeoutMs,
      progress: () => this.#stream?.progress ?? 0,
      onStalled: () => this.#end("stalled", "reset"),
    });
    return this.#gate;
  }

  // ---- is the far end there?

  #lasts(farAnswers: boolean): void {
    this.#stream?.keepAlive();
    if (farAnswers) this.#looking = setInterval(() => this.#look(), lookMs).unref();
  }

  /** A far end whose node is gone says nothing of it, and what is sent to it is dropped on the way. */
  #look(): void {
    const { isBlocked, traffic } = this.#arrival ?? {};
    // What we send is held up: a question would be too. Or what comes is: an answer as well.
    if (this.#unsent.length > 0 || isBlocked === true) return;
    const receivedBytes = traffic?.receivedBytes ?? 0;
    const comesMuch = receivedBytes - this.#receivedBytes >= muchTrafficBytes;
    const isBehindTraffic = comesMuch && !this.#neighbourAnswered;
    this.#receivedBytes = receivedBytes;
    this.#neighbourAnswered = false;
    this.#silentLooks = this.#heard ? 0 : this.#silentLooks + 1;
    if (this.#heard) this.#sent = false;
    this.#heard = false;
    if (this.#silentLooks === 0) return;
    const behindOwn = this.#sent ? maxSilentLooksBehindData : maxSilentLooks;
    if (this.#silentLooks >= (isBehindTraffic ? maxSilentLooksBehindTraffic : behindOwn)) {
      this.#end("silent", "reset");
      return;
    }
    this.#tell(ping);
    if (comesMuch && this.#silentLooks >= maxSilentLooks - 1) this.#askNeighbour();
  }

  #askNeighbour(): void {
    const onward = Route.of(this.#remote!.first, echo);
    request(this.#router, { onward, payload: ping, timeoutMs: lookMs }).then(
      () => {
        this.#neighbourAnswered = true;
      },
      () => {},
    );
  }

  /** A signal in the middle of a session. It may be lost: a full queue is no reason to wait with it. */
  #tell(payload: Buffer): undefined {
    this.#router.send(Message.of({ onward: this.#remote!, return: this.#back, payload }));
    return undefined;
  }

  // ---- to the route

  gateOpened(): void {
    this.#waitingAt = undefined;
    while (this.#unsent.length > 0) {
      const next = this.#unsent[0]!;
      const outcome = this.#router.send(next.message);
      // What it met may have ended this session, and dropped what was unsent.
      if (this.#unsent[0] !== next) return;
      if (typeof outcome === "object") {
        this.#waitingAt = outcome;
        outcome.wait(this);
        return;
      }
      this.#unsent.shift();
      next.backing?.release();
      if (typeof outcome === "string") {
        this.#routeFailed();
        return;
      }
    }
    if (this.#state === "ended") this.#lastWordGone();
    else if (this.#state === "open") this.#stream?.resume();
  }

  #send(message: Message, backing: Backing | undefined): Outcome {
    if (this.#unsent.length === 0) {
      const outcome = this.#router.send(message);
      if (typeof outcome !== "object") return outcome;
      this.#waitingAt = outcome;
      outcome.wait(this);
    }
    if (backing === undefined) this.#unsent.push({ message: message.keep(), backing });
    else {
      backing.hold();
      this.#unsent.push({ message, backing });
    }
    return this.#waitingAt;
  }

  #routeFailed(): void {
    this.#dropUnsent();
    if (this.#state === "ended") this.#lastWordGone();
    else this.#end("route_failed", "reset");
  }

  /** The connection that it hears from. */
  get #arrival(): Arrival | undefined {
    const { hearsFrom } = this.#registration;
    return typeof hearsFrom === "object" ? (hearsFrom as Arrival) : undefined;
  }

  #watch(arrival: Arrival): void {
    this.#linkWatch = arrival.onLost(() => {
      if (this.#state !== "ended") this.#end("route_failed", "reset");
      else if (this.#lateAnswer !== undefined) this.#leave();
    });
  }

  /** An ended session has told the far end so, or can't. */
  #lastWordGone(): void {
    this.#leave();
    this.#settle();
  }

  /** Takes the address free. */
  #leave(): void {
    clearTimeout(this.#lateAnswer);
    this.#lateAnswer = undefined;
    this.#linkWatch?.[Symbol.dispose]();
    this.#registration[Symbol.dispose]();
  }

  #dropUnsent(): void {
    for (const { backing } of this.#unsent) backing?.release();
    this.#unsent = [];
    this.#waitingAt?.leave(this);
    this.#waitingAt = undefined;
  }

  #end(end: SessionEnd, how: "end" | "reset"): void {
    if (this.#state === "ended") return;
    const remote = this.#remote;
    const isAnswerDue = this.#state === "opening" && this.#pinged && this.#unsent.length === 0;
    this.#state = "ended";
    this.#endedAs = end;
    clearInterval(this.#looking);
    if (end !== "remote_ended" && end !== "route_failed" && remote !== undefined) {
      // In order behind the data: what was read from the local program is not lost by its end.
      this.#send(Message.of({ onward: remote, return: this.#back, payload: disconnect }), undefined);
    } else this.#dropUnsent();
    if (isAnswerDue && end !== "remote_ended" && end !== "route_failed") {
      this.#lateAnswer = setTimeout(() => this.#leave(), lateAnswerMs).unref();
    } else if (this.#unsent.length === 0) this.#leave();
    this.#gate?.open();
    if (how === "end" && this.#stream !== undefined) this.#linger(this.#stream);
    else this.#over();
  }

  #linger(stream: LocalStream): void {
    stream.end();
    if (this.#stream === undefined) return;
    this.#lingering = new Gate({
      stallTimeoutMs: this.#limits.lingerTimeoutMs,
      progress: () => stream.progress,
      onStalled: () => {
        this.#endedAs = "stalled";
        this.#over();
      },
    });
    this.#lingering.wait(nobody);
  }

  /** The local stream is gone, or given up. */
  #over(): void {
    this.#lingering?.leave(nobody);
    this.#lingering = undefined;
    this.#stream?.reset();
    this.#stream = undefined;
    this.#settle();
  }

  /** Whoever counts sessions counts this one until it keeps nothing: a peer that takes no answer must not pile them up. */
  #settle(): void {
    if (this.#isSettled || this.#stream !== undefined || this.#unsent.length > 0) return;
    this.#isSettled = true;
    this.#user.ended(this.#endedAs);
  }
}
