import type { Clock } from "../base/clock.js";
import { type ErrorCode, PortwayError } from "../base/errors.js";
import { LivenessRecord } from "../base/liveness.js";
import type { Log } from "../base/log.js";
import { abortable, deferred } from "../base/signals.js";
import {
  formatSocketAddress,
  fullSocketAddress,
  parsePeerAddress,
  type SocketAddress,
} from "../model/socket-address.js";
import type { Arrival } from "../routing/arrival.js";
import type { Router } from "../routing/router.js";
import { connectTimedOut } from "../transport/connect-failed.js";
import type { Connection, ConnectionUser, Transport } from "../transport/transport.js";
import type { ChangeLog } from "./change-log.js";
import { ConnectionWorker } from "./connection-worker.js";
import { dialOnce } from "./dial-once.js";
import { DialedConnection } from "./dialed-connection.js";
import type { Created, WaitOptions } from "./engine.js";
import type { TcpConnectionResource, TcpConnectionSpec } from "./resources.js";
import { type Entry, Store, type StoreKind } from "./store.js";

interface ConnectionEntry extends Entry<TcpConnectionSpec | undefined> {
  readonly origin: "created" | "route" | "accepted";
  readonly worker: ConnectionWorker;
  /** Undefined for an accepted connection. */
  readonly dialed: DialedConnection | undefined;
  readonly liveness: LivenessRecord | undefined;
  readonly owner: string;
}

export interface ConnectionsOptions {
  readonly node: string;
  readonly router: Router;
  readonly transport: Transport;
  readonly store: StoreKind;
  readonly changes: ChangeLog;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * The connections of a node over one transport: created ones, those dialed for a relay or an inlet, and accepted ones.
 * Those that are dialed for one message are not listed.
 */
export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #store: Store<TcpConnectionSpec | undefined, ConnectionEntry>;
  readonly #unlisted = new Set<ConnectionWorker>();
  #sentByGone = 0;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
    const complete = (spec: TcpConnectionSpec | undefined): TcpConnectionSpec | undefined =>
      spec && { peerAddress: fullSocketAddress(spec.peerAddress) };
    this.#store = new Store({ ...options.store, ...options, complete });
  }

  async create(
    id: string,
    spec: TcpConnectionSpec,
    wait: WaitOptions = {},
  ): Promise<Created<TcpConnectionResource>> {
    const peer = parsePeerAddress(spec.peerAddress);
    const existing = id === "" ? undefined : this.#store.existing(id, spec);
    const entry = existing ?? this.#dial(id, spec, peer, "created_connection", "");
    const undo = (): void => {
      // One that serves a relay or an inlet was not made by a create of its own.
      if (entry.owner === "") this.#end(entry);
    };
    await this.#store.settle(entry, wait, (until) => linked(entry.dialed!, peer, until), undo);
    return { resource: this.#view(entry), existed: existing !== undefined };
  }

  /** A connection for the route of a relay or an inlet, listed with `owner` for as long as it lives. */
  dialFor(owner: string, peer: SocketAddress, by: Arrival["by"], maxRetryMs?: number): DialedConnection {
    return this.#dial("", { peerAddress: formatSocketAddress(peer) }, peer, by, owner, maxRetryMs).dialed!;
  }

  /** Gives `use` a connection that is not listed and ends after it. Rejects as `dialOnce` does, and as `use` does. */
  async useOnce<T>(
    peer: SocketAddress,
    timeoutMs: number,
    signal: AbortSignal | undefined,
    use: (worker: ConnectionWorker) => Promise<T>,
  ): Promise<T> {
    const { router, transport } = this.#options;
    const worker = await dialOnce(router, transport, peer, timeoutMs, signal);
    this.#unlisted.add(worker);
    try {
      return await use(worker);
    } finally {
      worker[Symbol.dispose]();
      this.#unlisted.delete(worker);
      this.#sentByGone += worker.traffic.sentMessages;
    }
  }

  /** The transport's attach for a listener. */
  accept(connection: Connection, by: Arrival["by"]): ConnectionUser {
    const { router, transport, clock, log } = this.#options;
    const worker = new ConnectionWorker({
      router,
      by,
      isReliable: transport.isReliable,
      lost: (reason) => {
        log.info("connection.ended", { worker: worker.address.text, reason });
        worker[Symbol.dispose]();
        this.#remove(entry);
      },
    });
    const liveness = new LivenessRecord(clock);
    liveness.succeeded();
    liveness.condition("Connected", true);
    worker.attach(connection);
    const entry = this.#store.add({
      ...this.#store.make(worker.address.text, undefined),
      origin: "accepted",
      worker,
      dialed: undefined,
      liveness,
      owner: "",
    });
    log.info("connection.accepted", { worker: worker.address.text, peer: worker.peer });
    return worker;
  }

  /** The connection that this node dials with this worker address. */
  createdWith(workerAddress: string): DialedConnection | undefined {
    return this.#store.values().find(({ worker }) => worker.address.text === workerAddress)?.dialed;
  }

  get(id: string): TcpConnectionResource {
    return this.#view(this.#store.get(id));
  }

  list(): TcpConnectionResource[] {
    return this.#store.values().map((entry) => this.#view(entry));
  }

  delete(id: string): void {
    const entry = this.#store.get(id);
    if (entry.owner !== "") {
      const code: ErrorCode = entry.owner.startsWith("relays/") ? "owned_by_relay" : "owned_by_inlet";
      const said = `the ${this.#options.store.noun} "${id}" serves ${entry.owner}: delete that`;
      throw new PortwayError(code, said, { id, owner: entry.owner });
    }
    this.#end(entry);
  }

  /** Messages that left on these connections, on those that are gone as well. */
  get sentMessages(): number {
    const present = [...this.#store.values().map(({ worker }) => worker), ...this.#unlisted];
    return present.reduce((sum, { traffic }) => sum + traffic.sentMessages, this.#sentByGone);
  }

  [Symbol.dispose](): void {
    for (const entry of this.#store.close()) this.#end(entry);
  }

  #end(entry: ConnectionEntry): void {
    this.#remove(entry);
    (entry.dialed ?? entry.worker)[Symbol.dispose]();
  }

  #remove(entry: ConnectionEntry): void {
    if (this.#store.remove(entry)) this.#sentByGone += entry.worker.traffic.sentMessages;
  }

  #dial(
    id: string,
    spec: TcpConnectionSpec,
    peer: SocketAddress,
    by: Arrival["by"],
    owner: string,
    maxRetryMs?: number,
  ): ConnectionEntry {
    const { router, transport, clock, log } = this.#options;
    const dialed = new DialedConnection({
      peer,
      by,
      router,
      transport,
      clock,
      log,
      changed: () => this.#store.changed(name),
      disposed: () => this.#remove(entry),
      probed: by === "created_connection",
      ...(maxRetryMs !== undefined && { maxRetryMs }),
    });
    const name = id === "" ? dialed.worker.address.text : id;
    const entry: ConnectionEntry = this.#store.add({
      ...this.#store.make(name, spec),
      origin: owner === "" ? "created" : "route",
      worker: dialed.worker,
      dialed,
      liveness: undefined,
      owner,
    });
    return entry;
  }

  #view(entry: ConnectionEntry): TcpConnectionResource {
    const { id, uid, createTimeMs, spec, origin, worker, dialed, owner } = entry;
    const { receivedMessages, receivedBytes, sentMessages, sentBytes } = worker.traffic;
    return {
      node: this.#options.node,
      id,
      uid,
      createTimeMs,
      spec,
      status: {
        origin,
        liveness: dialed?.liveness ?? entry.liveness!.view(),
        workerAddress: worker.address.text,
        peerAddress: worker.peer,
        localAddress: worker.local,
        links: dialed?.links ?? 1,
        received: { messages: receivedMessages, bytes: receivedBytes },
        sent: { messages: sentMessages, bytes: sentBytes },
        queuedBytes: worker.connection?.queuedBytes ?? 0,
        owner,
        lost: worker.connection?.lost ?? {},
      },
    };
  }
}

/** Waits for a link; rejects with why the next attempt failed, or with `timed_out` when the wait has passed. */
async function linked(
  dialed: DialedConnection,
  peer: SocketAddress,
  { signal, waitMs = 0 }: WaitOptions,
): Promise<void> {
  if (waitMs <= 0) return;
  const outcome = deferred<void>();
  let isWatched = false;
  const watch = dialed.watch({
    up: () => outcome.resolve(),
    down: (error) => {
      // What it is told at once is how things are, and no outcome.
      if (isWatched) outcome.reject(error);
    },
    gone: (error) => outcome.reject(error),
  });
  isWatched = true;
  const timer = setTimeout(
    () => outcome.reject(connectTimedOut(peer, `no link within ${waitMs} ms`)),
    waitMs,
  );
  try {
    await abortable(outcome.promise, signal);
  } finally {
    clearTimeout(timer);
    watch[Symbol.dispose]();
  }
}
