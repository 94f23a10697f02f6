import { setTimeout as pause } from "node:timers/promises";
import { systemClock } from "../base/clock.js";
import { PortwayError } from "../base/errors.js";
import { sharedController } from "../base/shared-controller.js";
import { anyOf, longestTimerMs } from "../base/signals.js";
import { parseSocketAddress } from "../model/socket-address.js";
import { ChangeLog } from "../node/change-log.js";
import type { WaitOptions } from "../node/engine.js";
import { Node } from "../node/node.js";
import { FunctionWorker, type WorkerFunction, type WorkerOptions } from "./function-worker.js";
import { createLog, type LogLine } from "./log-line.js";
import {
  type Connection,
  fresh,
  type Inlet,
  type Outlet,
  type Part,
  part,
  type Relay,
  type Worker,
} from "./parts.js";
import { decodePayload, type Encoding, encodePayload, type Payload } from "./payload.js";

export interface EmbeddedNodeOptions {
  /** In log lines and error texts; "embedded" if not given. */
  readonly name?: string;
  /** `host:port` to accept connections of other nodes on; port 0 takes a free one. Not given: the node only dials. */
  readonly listen?: string;
  /** Told of what happens on the node. Must not throw. */
  readonly onLog?: (line: LogLine) => void;
  /** Use documented socket interfaces of Node.js alone, which is slower. */
  readonly plainSockets?: boolean;
}

/** How long something new is waited for; what is given up is taken away again. */
export interface TimeoutOptions {
  /** Milliseconds, above 0; Infinity waits without end. Each method says what it is if not given. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface SendOptions extends TimeoutOptions {
  /** Of the message and of the reply; `bare` if not given. */
  readonly encoding?: Encoding;
}

export interface Reply {
  readonly payload: Uint8Array;
  /** The payload as UTF-8. */
  readonly text: string;
  /** As text: the way to whoever replied. */
  readonly returnRoute: string;
  readonly roundTripMs: number;
}

const defaultTimeoutMs = 10_000;
const drainLookMs = 25;

/**
 * A node in this process, with what it has. Ends with `await using`, or with `close`; until then it keeps the process
 * alive, as a server does, because what it waits for may come from elsewhere.
 */
export class EmbeddedNode implements AsyncDisposable {
  readonly name: string;
  readonly #node: Node;
  readonly #log: ReturnType<typeof createLog>;
  readonly #workers = new Set<FunctionWorker>();
  readonly #closed = sharedController();

  /** Use createNode. */
  constructor({ name = "embedded", onLog, plainSockets = false }: EmbeddedNodeOptions) {
    this.name = name;
    this.#log = createLog(onLog);
    // The timers of a node keep no process alive.
    const alive = setInterval(() => {}, longestTimerMs);
    this.#closed.signal.addEventListener("abort", () => clearInterval(alive), { once: true });
    const changes = new ChangeLog(16);
    this.#node = Node.detached({ name, changes, clock: systemClock, log: this.#log, plainSockets });
  }

  /** `ip:port` that other nodes connect to; empty while there is none. */
  get address(): string {
    return this.#node.listeners.nodeAddress;
  }

  /** What was received from other nodes, delivered here, and dropped for which reasons. */
  get messages(): { received: number; delivered: number; dropped: Readonly<Record<string, number>> } {
    return { ...this.#node.router.counts };
  }

  /**
   * Accepts connections of other nodes; gives the `ip:port`. A node listens at one place. Whoever can connect reaches its
   * services, workers and outlets: nothing is encrypted or authenticated yet. Rejects with `address_in_use` and others.
   */
  async listen(address = "127.0.0.1:0"): Promise<string> {
    const { listeners } = this.#open();
    if (this.address !== "") {
      throw new PortwayError("already_exists", `node ${this.name} listens on ${this.address} already`);
    }
    parseSocketAddress(address);
    await listeners.bindNodeListener(address);
    this.#open();
    for (const warning of listeners.warnings) this.#log.warn("node.exposed", { warning });
    return this.address;
  }

  /**
   * Dials the node at `peer` (`host:port`). Rejects with `connect_failed`, or with `timed_out` if nobody has answered
   * after 5 s.
   */
  async connect(peer: string, options: TimeoutOptions = {}): Promise<Connection> {
    const { connections } = this.#open();
    using wait = this.#waitOf(options);
    const { resource } = await connections.create("", { peerAddress: peer }, wait);
    const { id, status } = resource;
    return part(
      { route: `/worker/${status.workerAddress}`, liveness: () => connections.get(id).status.liveness },
      () => connections.delete(id),
    );
  }

  /**
   * Makes this node reachable at the node that `at` leads to, as `/service/forward_to_{name}` there. It is kept up from
   * then on. Rejects with `timed_out` if it is not registered after 10 s.
   */
  async relay(
    given: { readonly at: string; readonly name: string },
    options: TimeoutOptions = {},
  ): Promise<Relay> {
    const { relays } = this.#open();
    const { at, name } = given;
    if (relays.list().some(({ id }) => id === name)) {
      throw new PortwayError("already_exists", `node ${this.name} has a relay "${name}" already`, { name });
    }
    using wait = this.#waitOf(options);
    const { status } = (await relays.create(name, { at, relayAddress: "" }, wait)).resource;
    if (status.liveness.state !== "active") {
      relays.delete(name);
      const why = status.liveness.failure?.lastError ?? "no answer";
      const said = `the relay "${name}" at ${at} was not registered within ${wait.waitMs} ms: ${why}`;
      throw new PortwayError("timed_out", said, { name, at, timeoutMs: wait.waitMs });
    }
    return part({ address: status.remoteAddress, liveness: () => relays.get(name).status.liveness }, () =>
      relays.delete(name),
    );
  }

  /**
   * Offers the TCP server at `to` (`host:port`) as a worker with the address `name`, "outlet" if not given. It is reached
   * through this node's listener, or behind a hop.
   */
  outlet({ to, name = "" }: { readonly to: string; readonly name?: string }): Outlet {
    const { portals } = this.#open();
    const { id } = fresh(portals.createOutlet(name, { target: to })).resource;
    return part({ address: id }, () => portals.deleteOutlet(id));
  }

  /**
   * Listens on `from` (`host:port`; a free port of 127.0.0.1 if not given) and carries each connection along the route
   * `to` to an outlet. Waits up to 10 s for the path; that it is not there then is no error: see `liveness`.
   */
  async inlet(
    { from = "", to }: { readonly from?: string; readonly to: string },
    options: TimeoutOptions = {},
  ): Promise<Inlet> {
    const { portals } = this.#open();
    using wait = this.#waitOf(options);
    const { resource } = await portals.createInlet("", { bindAddress: from, to }, wait);
    const { id, status } = resource;
    return part({ address: status.boundAddress, liveness: () => portals.getInlet(id).status.path }, () =>
      portals.deleteInlet(id),
    );
  }

  /** Starts a hop, which passes on whatever reaches it: it opens the node to whoever reaches it. echo and uppercase are there. */
  hop(name = "hop"): Part {
    const { services } = this.#open();
    const { id } = fresh(services.create(name, { kind: "hop" })).resource;
    return part({}, () => services.delete(id));
  }

  /**
   * Makes `run` the worker with this address: see WorkerFunction and WorkerOptions. It is reached through this node's
   * listener and through its relays. Throws `address_taken` and `bad_address`.
   */
  worker(address: string, run: WorkerFunction, options: WorkerOptions = {}): Worker {
    const worker = new FunctionWorker(this.#open().router, this.#log, address, run, options);
    this.#workers.add(worker);
    return part({ address: worker.address.text, counts: () => worker.counts }, () => {
      this.#workers.delete(worker);
      worker[Symbol.dispose]();
    });
  }

  /**
   * Sends a message along the MultiAddr `to` and waits for the reply, for 10 s if nothing is given. A route that begins
   * with `/dnsaddr/{host}/tcp/{port}` dials for this message alone. Rejects with `no_reply`, `worker_not_found`,
   * `connect_failed`, `bad_route`, `bad_reply` and others.
   */
  async send(to: string, payload: Payload, options: SendOptions = {}): Promise<Reply> {
    const node = this.#open();
    const { encoding = "bare" } = options;
    using wait = this.#waitOf(options);
    const request = { node: "", to, payload: encodePayload(payload, encoding), timeoutMs: wait.waitMs };
    const reply = await node.sendMessage(request, wait.signal);
    let bytes: Uint8Array;
    try {
      bytes = decodePayload(reply.payload, encoding);
    } catch (error) {
      const said = `the reply is no BARE byte string: give { encoding: "raw" } to see it`;
      throw new PortwayError("bad_reply", said, { bytes: reply.payload.byteLength }, { cause: error });
    }
    const { returnRoute, roundTripMs } = reply;
    return { payload: bytes, text: new TextDecoder().decode(bytes), returnRoute, roundTripMs };
  }

  /** Ends the node and all that it has; with `drainMs` it first lets open portal sessions finish for so long. */
  async close({ drainMs = 0 }: { readonly drainMs?: number } = {}): Promise<void> {
    if (this.#isClosed) return;
    if (drainMs > 0) {
      this.#node.drain();
      const endMs = performance.now() + drainMs;
      while (this.#node.portals.openSessions > 0 && performance.now() < endMs) await pause(drainLookMs);
    }
    this.#closed.abort(new PortwayError("stopped", `node ${this.name} was closed`, { node: this.name }));
    for (const worker of this.#workers) worker[Symbol.dispose]();
    this.#workers.clear();
    this.#node.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  get #isClosed(): boolean {
    return this.#closed.signal.aborted;
  }

  #open(): Node {
    this.#closed.signal.throwIfAborted();
    return this.#node;
  }

  /** The wait ends with the node as well. To be disposed when it is over. */
  #waitOf({ timeoutMs = defaultTimeoutMs, signal }: TimeoutOptions): Required<WaitOptions> & Disposable {
    if (!(timeoutMs > 0)) {
      const said = `timeoutMs is ${timeoutMs}; expected a number above 0`;
      throw new PortwayError("bad_argument", said, { timeoutMs });
    }
    const closed = this.#closed.signal;
    signal?.throwIfAborted();
    const waitMs = Math.min(timeoutMs, longestTimerMs);
    return { waitMs, ...anyOf(closed, ...(signal === undefined ? [] : [signal])) };
  }
}

/** A node in this process, without a daemon. Rejects as `listen` does. */
export async function createNode(options: EmbeddedNodeOptions = {}): Promise<EmbeddedNode> {
  const node = new EmbeddedNode(options);
  try {
    if (options.listen !== undefined) await node.listen(options.listen);
    return node;
  } catch (error) {
    await node.close();
    throw error;
  }
}
