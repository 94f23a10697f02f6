import { Gate, type GateWaiter } from "../../src/base/gate.js";
import { type Log, type LogFacts, silentLog } from "../../src/base/log.js";
import { Address } from "../../src/model/address.js";
import type { Message } from "../../src/model/message.js";
import { Route } from "../../src/model/route.js";
import { defaultAccessPolicy } from "../../src/routing/access-policy.js";
import { type Arrival, part } from "../../src/routing/arrival.js";
import type { Link, LinkListener } from "../../src/routing/link.js";
import { type Registration, Router } from "../../src/routing/router.js";
import type { Outcome, Worker } from "../../src/routing/worker.js";
import { createEcho } from "../../src/services/echo.js";
import { createUppercase } from "../../src/services/uppercase.js";
import { decodeMessage } from "../../src/wire/decode.js";
import { encodeMessage } from "../../src/wire/encode.js";
import { lengthBytes } from "../../src/wire/limits.js";

/** A router with the usual policy and services. */
export function createTestNode(): Router {
  const router = new Router({ policy: defaultAccessPolicy, log: silentLog });
  const echo = Address.local("echo");
  const uppercase = Address.local("uppercase");
  router.register(echo, createEcho(router, echo), { kind: "service", service: "echo" });
  router.register(uppercase, createUppercase(router, uppercase), { kind: "service", service: "uppercase" });
  return router;
}

/** A gate of a queue that a test calls full, and how many wait at it. */
export function createTestGate(): Gate {
  return new Gate({ stallTimeoutMs: 60_000, progress: () => 0, onStalled: () => {} });
}

export interface EndOptions {
  readonly router: Router;
  readonly by: Arrival["by"];
  readonly address?: Address;
  readonly peer?: string;
  readonly hops?: readonly string[];
}

/** One end of a connection without sockets: real frames, real pops and pushes, delivered in a microtask each. */
export class TestEnd implements Arrival, Worker, GateWaiter {
  readonly address: Address;
  readonly by: Arrival["by"];
  readonly peer: string;
  readonly hops: ReadonlySet<string>;
  readonly joined = new Set<Arrival>();
  /** The CBOR of each frame that left here. */
  readonly sent: Buffer[] = [];
  /** Frames that leave here arrive nowhere. */
  isBlackHole = false;
  other: TestEnd | undefined;
  readonly #router: Router;
  readonly #registration: Registration;
  readonly #lost = new Set<() => void>();
  readonly #arrived: Buffer[] = [];
  readonly #gate = createTestGate();
  #blockedBy: Gate | undefined;
  #isFull = false;
  #isBlocked = false;
  #received = 0;

  constructor({ router, by, address = Address.random(), peer = "192.0.2.1:4000", hops = [] }: EndOptions) {
    this.#router = router;
    this.address = address;
    this.by = by;
    this.peer = peer;
    this.hops = new Set(hops);
    this.#registration = router.register(address, this, { kind: "connection", hearsFrom: this });
  }

  get traffic() {
    return { receivedMessages: this.#received, receivedBytes: 0 };
  }

  get isBlocked(): boolean {
    return this.#isBlocked;
  }

  /** Who waits for room on this end. */
  get waiting(): number {
    return this.#gate.waiting;
  }

  /** Frames that arrived and were not taken yet. */
  get held(): number {
    return this.#arrived.length;
  }

  get isFull(): boolean {
    return this.#isFull;
  }

  set isFull(isFull: boolean) {
    this.#isFull = isFull;
    if (!isFull) this.#gate.open();
  }

  onLost(lost: () => void): Disposable {
    if (this.other === undefined) lost();
    else this.#lost.add(lost);
    return { [Symbol.dispose]: () => void this.#lost.delete(lost) };
  }

  /** Who waits for the end of this connection. */
  get watchers(): number {
    return this.#lost.size;
  }

  handle(message: Message): Outcome {
    if (this.other === undefined) return "not_connected";
    if (this.#isFull) return this.#gate;
    const frame = encodeMessage(message.withRoutes(message.onward.rest(), message.return));
    this.sent.push(frame.subarray(lengthBytes));
    message.exit?.leftOn(this);
    if (!this.isBlackHole) queueMicrotask(() => this.other?.arrive(frame.subarray(lengthBytes)));
    return undefined;
  }

  /** A frame as it comes from the network; a test may make one up. */
  arrive(body: Buffer): void {
    this.#arrived.push(body);
    if (this.#blockedBy === undefined) this.#read();
  }

  gateOpened(): void {
    this.#blockedBy = undefined;
    this.#read();
  }

  #read(): void {
    for (let body = this.#arrived[0]; body !== undefined; body = this.#arrived[0]) {
      // The buffer is read into again as soon as the message was handled: views of it go bad.
      const bytes = Buffer.from(body);
      const message = decodeMessage(bytes, 0, bytes.byteLength, undefined, this);
      if (!message.onward.isEmpty) {
        const outcome = this.#router.receive(message, this);
        this.#isBlocked = typeof outcome === "object";
        if (typeof outcome === "object") {
          this.#blockedBy = outcome;
          outcome.wait(this);
          return;
        }
      }
      bytes.fill(0xee);
      this.#received += 1;
      this.#arrived.shift();
    }
  }

  /** This end is gone; the other one may not have noticed. */
  lose(): void {
    if (this.other === undefined) return;
    this.other = undefined;
    this.#registration[Symbol.dispose]();
    this.#blockedBy?.leave(this);
    this.#isBlocked = false;
    this.#arrived.length = 0;
    part(this);
    const watchers = [...this.#lost];
    this.#lost.clear();
    for (const lost of watchers) lost();
    this.#gate.open();
  }
}

export interface TestConnection {
  /** At the one who dialed. */
  readonly dialer: TestEnd;
  /** At the one who was dialed. */
  readonly listener: TestEnd;
  /** Ends it for both. */
  cut(): void;
  /** From now on nothing arrives at either end, and neither hears of it. */
  freeze(): void;
}

export function connect(dialer: EndOptions, listener: EndOptions): TestConnection {
  const ends = { dialer: new TestEnd(dialer), listener: new TestEnd(listener) };
  ends.dialer.other = ends.listener;
  ends.listener.other = ends.dialer;
  return {
    ...ends,
    cut() {
      ends.dialer.lose();
      ends.listener.lose();
    },
    freeze() {
      ends.dialer.isBlackHole = true;
      ends.listener.isBlackHole = true;
    },
  };
}

/** A link whose connections a test makes and ends. */
export class TestLink implements Link {
  readonly route: Route;
  readonly renewals: Error[] = [];
  timesHeard = 0;
  /** What happens when somebody asks for a new connection, after the present one was cut. */
  whenRenewed: () => void = () => {};
  readonly #from: Router;
  readonly #by: Arrival["by"];
  readonly #address = Address.random();
  readonly #listeners = new Set<LinkListener>();
  #connection: TestConnection | undefined;

  constructor(from: Router, by: Arrival["by"] = "relay_connection") {
    this.#from = from;
    this.#by = by;
    this.route = Route.of(this.#address);
  }

  get isUp(): boolean {
    return this.#connection !== undefined;
  }

  get connection(): TestConnection {
    if (this.#connection === undefined) throw new Error("the link is down");
    return this.#connection;
  }

  get watchers(): number {
    return this.#listeners.size;
  }

  /** Connects to `to`, at its node listener; `isFull`: the queue of this end takes nothing from the beginning. */
  up(to: Router, { isFull = false } = {}): TestConnection {
    this.#connection = connect(
      { router: this.#from, by: this.#by, address: this.#address },
      { router: to, by: "node_listener", peer: "192.0.2.7:4000" },
    );
    this.#connection.dialer.isFull = isFull;
    this.sayUp();
    return this.#connection;
  }

  /** Tells everybody that the link is up, whether it is or not. */
  sayUp(): void {
    for (const listener of [...this.#listeners]) listener.up();
  }

  /** The connection ends here; at the other end too unless `silently`. */
  down(error = new Error("the connection ended"), { silently = false, retryAtMs = 0 } = {}): void {
    if (silently) this.#connection?.dialer.lose();
    else this.#connection?.cut();
    this.#connection = undefined;
    for (const listener of [...this.#listeners]) listener.down(error, retryAtMs || undefined);
  }

  /** Its owner has ended it. */
  end(error: Error): void {
    if (this.#connection !== undefined) this.#connection.cut();
    this.#connection = undefined;
    for (const listener of [...this.#listeners]) listener.gone(error);
  }

  watch(listener: LinkListener): Disposable {
    this.#listeners.add(listener);
    if (this.isUp) listener.up();
    else listener.down(new Error("not connected yet"), undefined);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  heard(): void {
    this.timesHeard += 1;
  }

  renew(reason: Error): void {
    this.renewals.push(reason);
    if (this.#connection !== undefined) this.down(reason, { silently: this.#connection.dialer.isBlackHole });
    this.whenRenewed();
  }

  [Symbol.dispose](): void {
    if (this.#connection !== undefined) this.down();
    this.#listeners.clear();
  }
}

/** The routes and the payload of a frame, as text. */
export function readFrame(body: Buffer): {
  readonly onward: string;
  readonly return: string;
  readonly payload: string;
} {
  const { onward, return: back, payload } = decodeMessage(body, 0, body.byteLength);
  return { onward: onward.toString(), return: back.toString(), payload: payload.toString("hex") };
}

export interface LogLine extends LogFacts {
  readonly event: string;
}

/** Keeps every line. */
export function createTestLog(): Log & { readonly lines: LogLine[] } {
  const lines: LogLine[] = [];
  const take = (event: string, facts?: LogFacts): void => void lines.push({ event, ...facts });
  return { lines, debug: take, info: take, warn: take, error: take };
}
