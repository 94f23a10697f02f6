import { Gate } from "../base/gate.js";
import { Address } from "../model/address.js";
import { type Backing, type Entrance, Message } from "../model/message.js";
import { Route } from "../model/route.js";
import type { Registration, Router } from "../routing/router.js";
import type { Outcome, Worker } from "../routing/worker.js";
import type { LocalStream, LocalStreamUser } from "./local-stream.js";
import {
  decodePortalMessage,
  disconnect,
  kind,
  type PortalMessage,
  payloadInPlace,
} from "./portal-message.js";

export interface SessionLimits {
  /** Bytes waiting for the local program at which no more is taken. */
  readonly localQueueBytes: number;
  /** How long the local program may take nothing while something waits for it. */
  readonly stallTimeoutMs: number;
}

export const sessionLimits: SessionLimits = { localQueueBytes: 1024 * 1024, stallTimeoutMs: 10_000 };

/** Why a session ended. */
export type SessionEnd =
  | "local_ended" // the local program closed
  | "remote_ended" // the far end said so
  | "local_failed" // the local socket broke
  | "route_failed" // messages can't be sent along the route any more
  | "stalled" // the local program took nothing for too long
  | "protocol" // the far end broke the protocol
  | "closed"; // from outside

export interface SessionUser {
  /** Bytes that came from (in) and went to (out) the local program. */
  bytesIn(count: number): void;
  bytesOut(count: number): void;
  ended(end: SessionEnd): void;
  /** The far end said that it is over: how the local stream is to be closed. Absent: "end". */
  remoteEnded?(hadData: boolean): "end" | "reset";
  /** A message while the session is opening. True if it was what was waited for. */
  opening?(message: PortalMessage, received: Message): boolean;
}

export interface SessionOptions {
  readonly router: Router;
  readonly user: SessionUser;
  readonly limits: SessionLimits;
  readonly hearsFrom: Entrance | "here";
}

/**
 * One end of a portal session: a local stream on one side, routed messages on the other; inlet and outlet alike. It
 * is *opening* until `open` names the route to the other end, then *open*, then *ended* for good.
 *
 * What can't be sent along the route is kept, one message of it, and the local program is not read meanwhile; what the
 * local program does not take stops the connection that brings it, until it is cut off.
 */
export class Session implements Worker, LocalStreamUser {
  readonly address = Address.random();
  readonly #router: Router;
  readonly #user: SessionUser;
  readonly #limits: SessionLimits;
  readonly #registration: Registration;
  readonly #gate: Gate;
  readonly #back: Route;
  #stream: LocalStream | undefined;
  #remote: Route | undefined;
  #state: "opening" | "open" | "ended" = "opening";
  /** Messages that the route's first hop did not take: data or a signal, then possibly the last signal. */
  #unsent: { message: Message; backing: Backing | undefined }[] = [];
  #waitingAt: Gate | undefined;
  #expectedCounter = 0;
  #hadData = false;

  constructor({ router, user, limits, hearsFrom }: SessionOptions) {
    this.#router = router;
    this.#user = user;
    this.#limits = limits;
    this.#back = Route.of(this.address);
    this.#registration = router.register(this.address, this, { kind: "portal_session", hearsFrom });
    this.#gate = new Gate({
      stallTimeoutMs: limits.stallTimeoutMs,
      progress: () => this.#stream?.progress ?? 0,
      onStalled: () => this.#end("stalled", "reset"),
    });
  }

  get isEnded(): boolean {
    return this.#state === "ended";
  }

  /** The local stream; it is read once the session is open. */
  attach(stream: LocalStream): void {
    this.#stream = stream;
  }

  /** Sends a ping or a pong along `route`, with this end as the way back. Its answer is heard from where it leaves. */
  signal(payload: Buffer, route: Route): Outcome {
    const exit = {
      leftOn: (entrance: Entrance): void => {
        if (this.#registration.hearsFrom === "here") this.#registration.hearsFrom = entrance;
      },
    };
    return this.#send(new Message({ onward: route, return: this.#back, payload, exit }), undefined);
  }

  /** The other end is at the end of `remote`: data may flow. */
  open(remote: Route): void {
    if (this.#state !== "opening") return;
    this.#remote = remote;
    this.#state = "open";
    this.#stream?.resume();
  }

  /** Ends the session from outside; the other end is told. */
  close(how: "end" | "reset"): void {
    this.#end("closed", how);
  }

  // ---- from the route

  handle(message: Message): Outcome {
    if (message.onward.length > 1) return "unexpected";
    if (this.#state === "open" && message.payload[0] === kind.payload && this.#stream !== undefined) {
      if (this.#stream.queuedBytes >= this.#limits.localQueueBytes) return this.#gate;
    }
    let said: PortalMessage;
    try {
      said = decodePortalMessage(message.payload);
    } catch {
      return "malformed_payload";
    }
    if (this.#state === "ended") return "unexpected";
    if (this.#state === "opening") return this.#opening(said, message);
    switch (said.kind) {
      case "payload":
        return this.#data(said.data, said.counter, message.backing);
      case "disconnect":
        this.#end("remote_ended", this.#user.remoteEnded?.(this.#hadData) ?? "end");
        return undefined;
      default:
        return "unexpected";
    }
  }

  #opening(said: PortalMessage, message: Message): Outcome {
    if (said.kind === "disconnect") this.#end("remote_ended", "reset");
    else if (this.#user.opening?.(said, message) !== true) return "unexpected";
    return undefined;
  }

  #data(data: Buffer, counter: number | undefined, backing: Backing | undefined): Outcome {
    if (counter !== undefined) {
      if (counter !== this.#expectedCounter) {
        this.#end("protocol", "reset");
        return "unexpected";
      }
      this.#expectedCounter = (counter + 1) & 0xffff;
    }
    if (data.byteLength === 0) return undefined;
    this.#hadData = true;
    this.#user.bytesOut(data.byteLength);
    this.#stream?.write(data, backing);
    return undefined;
  }

  // ---- from the local program

  data(buffer: Buffer, at: number, length: number, backing: Backing | undefined): boolean {
    if (this.#state !== "open") return false;
    this.#hadData = true;
    this.#user.bytesIn(length);
    const payload = payloadInPlace(buffer, at, length);
    const message = new Message({ onward: this.#remote!, return: this.#back, payload, backing });
    const outcome = this.#send(message, backing);
    if (typeof outcome === "string") this.#end("route_failed", "reset");
    return outcome === undefined;
  }

  ended(): void {
    this.#end("local_ended", "end");
  }

  drained(): void {
    if (this.#stream!.queuedBytes < this.#limits.localQueueBytes) this.#gate.open();
  }

  closed(): void {
    this.#stream = undefined;
    this.#end("local_failed", "end");
  }

  // ---- to the route

  gateOpened(): void {
    this.#waitingAt = undefined;
    while (this.#unsent.length > 0) {
      const { message, backing } = this.#unsent[0]!;
      const outcome = this.#router.send(message);
      if (typeof outcome === "object") {
        this.#waitingAt = outcome;
        outcome.wait(this);
        return;
      }
      this.#unsent.shift();
      backing?.release();
      if (typeof outcome === "string") {
        this.#routeFailed();
        return;
      }
    }
    if (this.#state === "ended") this.#registration[Symbol.dispose]();
    else this.#stream?.resume();
  }

  #send(message: Message, backing: Backing | undefined): Outcome {
    if (this.#unsent.length === 0) {
      const outcome = this.#router.send(message);
      if (typeof outcome !== "object") return outcome;
      this.#waitingAt = outcome;
      outcome.wait(this);
    }
    if (backing === undefined) this.#unsent.push({ message: withOwnBytes(message), backing });
    else {
      backing.hold();
      this.#unsent.push({ message, backing });
    }
    return this.#waitingAt;
  }

  #routeFailed(): void {
    this.#dropUnsent();
    if (this.#state === "ended") this.#registration[Symbol.dispose]();
    else this.#end("route_failed", "reset");
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
    this.#state = "ended";
    if (end !== "remote_ended" && end !== "route_failed" && remote !== undefined) {
      // In order behind the data: what was read from the local program is not lost by its end.
      this.#send(new Message({ onward: remote, return: this.#back, payload: disconnect }), undefined);
    } else this.#dropUnsent();
    if (this.#unsent.length === 0) this.#registration[Symbol.dispose]();
    if (how === "end") this.#stream?.end();
    else this.#stream?.reset();
    this.#stream = undefined;
    this.#gate.open();
    this.#user.ended(end);
  }
}

/** The same message with a payload that is not overwritten. */
function withOwnBytes(message: Message): Message {
  const { onward, return: back, exit } = message;
  return new Message({ onward, return: back, payload: Buffer.from(message.payload), exit });
}
