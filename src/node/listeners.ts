import { randomBytes } from "node:crypto";
import type { Clock } from "../base/clock.js";
import type { Log } from "../base/log.js";
import { Address } from "../model/address.js";
import {
  formatSocketAddress,
  fullSocketAddress,
  isLoopback,
  parseSocketAddress,
} from "../model/socket-address.js";
import type { Arrival } from "../routing/arrival.js";
import type { Registration, Router } from "../routing/router.js";
import type { Listener, Transport } from "../transport/transport.js";
import type { ChangeLog } from "./change-log.js";
import type { Connections } from "./connections.js";
import type { Created } from "./engine.js";
import type { TcpListenerResource, TcpListenerSpec } from "./resources.js";
import { type Entry, Store, type StoreKind } from "./store.js";

interface ListenerEntry extends Entry<TcpListenerSpec> {
  readonly listener: Listener;
  readonly registration: Registration;
  readonly isNodeListener: boolean;
}

export interface ListenersOptions {
  readonly node: string;
  readonly router: Router;
  readonly transport: Transport;
  readonly connections: Connections;
  readonly store: StoreKind;
  /** How what comes over a listener that is not the node's own is said to have come. */
  readonly addedBy: Arrival["by"];
  readonly changes: ChangeLog;
  readonly clock: Clock;
  readonly log: Log;
}

/** The id of the listener that a node is created with. */
const nodeListenerId = "node";

/** The listeners of a node for one transport. */
export class Listeners {
  readonly #options: ListenersOptions;
  readonly #store: Store<TcpListenerSpec, ListenerEntry>;

  constructor(options: ListenersOptions) {
    this.#options = options;
    const complete = ({ bindAddress }: TcpListenerSpec): TcpListenerSpec => ({
      bindAddress: fullSocketAddress(bindAddress),
    });
    this.#store = new Store({ ...options.store, ...options, complete });
  }

  /** `ip:port` of the node's own listener; empty if it was deleted. */
  get nodeAddress(): string {
    const entry = this.#store.values().find(({ isNodeListener }) => isNodeListener);
    return entry === undefined ? "" : formatSocketAddress(entry.listener.bound);
  }

  /** One for each listener that is exposed. */
  get warnings(): string[] {
    return this.#store
      .values()
      .filter(isExposed)
      .map(({ listener }) => {
        const where = formatSocketAddress(listener.bound);
        return `the listener ${where} can be reached from the network: no encryption, no authentication yet`;
      });
  }

  async bindNodeListener(bindAddress: string): Promise<void> {
    await this.#bind(nodeListenerId, { bindAddress }, true);
  }

  async create(id: string, spec: TcpListenerSpec): Promise<Created<TcpListenerResource>> {
    parseSocketAddress(spec.bindAddress);
    if (id !== "") {
      const existing = this.#store.existing(id, spec);
      if (existing !== undefined) return { resource: this.#view(existing), existed: true };
    }
    const entry = await this.#bind(id === "" ? randomBytes(4).toString("hex") : id, spec, false);
    if (isExposed(entry)) this.#nodeChanged();
    return { resource: this.#view(entry), existed: false };
  }

  get(id: string): TcpListenerResource {
    return this.#view(this.#store.get(id));
  }

  list(): TcpListenerResource[] {
    return this.#store.values().map((entry) => this.#view(entry));
  }

  delete(id: string): void {
    const entry = this.#store.get(id);
    this.#end(entry);
    if (entry.isNodeListener || isExposed(entry)) this.#nodeChanged();
  }

  /** Accepts no more anywhere; the listeners stay listed. */
  drain(): void {
    for (const { listener } of this.#store.close()) listener.close();
  }

  [Symbol.dispose](): void {
    for (const entry of this.#store.close()) this.#end(entry);
  }

  async #bind(id: string, spec: TcpListenerSpec, isNodeListener: boolean): Promise<ListenerEntry> {
    const { router, transport, connections, addedBy, log } = this.#options;
    const by = isNodeListener ? "node_listener" : addedBy;
    using _claim = this.#store.claim(id);
    const listener = await transport.listen(parseSocketAddress(spec.bindAddress), (connection) =>
      connections.accept(connection, by),
    );
    // The address names the listener in lists; it takes no messages.
    const registration = router.register(
      Address.random(),
      { handle: () => "unexpected" },
      { kind: "listener" },
    );
    const entry = { ...this.#store.make(id, spec), listener, registration, isNodeListener };
    try {
      this.#store.add(entry);
    } catch (error) {
      this.#end(entry);
      throw error;
    }
    log.info("listener.bound", { address: formatSocketAddress(listener.bound) });
    return entry;
  }

  #end(entry: ListenerEntry): void {
    entry.listener.close();
    entry.registration[Symbol.dispose]();
    this.#store.remove(entry);
  }

  /** The node says which listener is its own, and warns of those that others can reach. */
  #nodeChanged(): void {
    const { changes, node } = this.#options;
    changes.append("modified", "node", node, node);
  }

  #view(entry: ListenerEntry): TcpListenerResource {
    const { id, uid, createTimeMs, spec, listener, registration, isNodeListener } = entry;
    const { openConnections, refused } = listener.counts;
    return {
      node: this.#options.node,
      id,
      uid,
      createTimeMs,
      spec,
      status: {
        state: "active",
        boundAddress: formatSocketAddress(listener.bound),
        address: registration.address.text,
        isNodeListener,
        openConnections,
        refused,
      },
    };
  }
}

/** Others than this machine can reach it. */
function isExposed({ listener }: ListenerEntry): boolean {
  return !isLoopback(listener.bound.host);
}
