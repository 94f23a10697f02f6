import type { Clock } from "../base/clock.js";
import { PortwayError } from "../base/errors.js";
import type { Log } from "../base/log.js";
import { sharedController } from "../base/shared-controller.js";
import { anyOf } from "../base/signals.js";
import type { Route } from "../model/route.js";
import { createRelayService, type RelayService } from "../relay/relay-service.js";
import { defaultAccessPolicy } from "../routing/access-policy.js";
import type { Link } from "../routing/link.js";
import { request } from "../routing/request.js";
import { Router } from "../routing/router.js";
import { TcpTransport } from "../transport/tcp/tcp-transport.js";
import { UdpTransport } from "../transport/udp/udp-transport.js";
import type { ChangeLog } from "./change-log.js";
import { Connections } from "./connections.js";
import type { Reply, SendMessage } from "./engine.js";
import { Listeners } from "./listeners.js";
import { MessageWatches } from "./message-watches.js";
import { OpenWorkers } from "./open-workers.js";
import { Portals } from "./portals.js";
import { Relays } from "./relays.js";
import type { RelayRegistrationResource, WorkerResource } from "./resources.js";
import { borrowed, localLink, planRoute, type RoutePlan } from "./route-resolver.js";
import { Services } from "./services.js";

export interface NodeOptions {
  readonly name: string;
  readonly changes: ChangeLog;
  readonly clock: Clock;
  readonly log: Log;
  /** Use documented socket interfaces of Node.js alone. */
  readonly plainSockets?: boolean;
}

/** One running node: a router, its transports, and all that was created on it. */
export class Node {
  readonly name: string;
  readonly router: Router;
  readonly services: Services;
  readonly connections: Connections;
  readonly listeners: Listeners;
  readonly udpConnections: Connections;
  readonly udpListeners: Listeners;
  readonly relays: Relays;
  readonly portals: Portals;
  readonly openWorkers: OpenWorkers;
  readonly messageWatches: MessageWatches;
  readonly #relayService: RelayService;
  readonly #transport: TcpTransport;
  readonly #udp: UdpTransport;
  readonly #options: NodeOptions;
  /** Aborted when the node is stopped. */
  readonly #stopped = sharedController();

  private constructor(options: NodeOptions) {
    const { name: node, changes, clock, log } = options;
    this.#options = options;
    this.name = node;
    const plainSockets = options.plainSockets === true;
    const transport = new TcpTransport({ plainSockets });
    const router = new Router({ policy: defaultAccessPolicy, log });
    const base = { node, router, changes, clock, log };
    const udp = new UdpTransport({ clock });
    this.#transport = transport;
    this.#udp = udp;
    this.router = router;
    this.services = new Services(base);
    this.connections = new Connections({ ...base, transport, store: stores.tcpConnections });
    this.listeners = new Listeners({
      ...base,
      transport,
      connections: this.connections,
      store: stores.tcpListeners,
      addedBy: "added_listener",
    });
    this.udpConnections = new Connections({ ...base, transport: udp, store: stores.udpConnections });
    this.udpListeners = new Listeners({
      ...base,
      transport: udp,
      connections: this.udpConnections,
      store: stores.udpListeners,
      // A node is made with no listener for UDP: one that is added is there for what the node offers.
      addedBy: "node_listener",
    });
    this.openWorkers = new OpenWorkers(base);
    this.messageWatches = new MessageWatches(base);
    this.#relayService = createRelayService({
      router,
      clock,
      log,
      changed: (type, name) => changes.append(type, "relay_registration", node, name),
    });
    this.relays = new Relays({ ...base, linkFor: (plan, owner) => this.#linkFor(plan, owner, undefined) });
    this.portals = new Portals({
      ...base,
      plainSockets,
      linkFor: (plan, owner, maxRetryMs) => this.#linkFor(plan, owner, maxRetryMs),
    });
  }

  /** Rejects as a listener's bind does; nothing is left then. */
  static async start(options: NodeOptions, listenerAddress: string): Promise<Node> {
    const node = new Node(options);
    try {
      await node.listeners.bindNodeListener(listenerAddress);
      return node;
    } catch (error) {
      node.stop();
      throw error;
    }
  }

  /** A node without a listener, for as long as one call takes. */
  static detached(options: NodeOptions): Node {
    return new Node(options);
  }

  listWorkers(): WorkerResource[] {
    return [...this.router.workers()].map(({ address, kind }) => ({
      node: this.name,
      id: address.text,
      kind,
    }));
  }

  getWorker(id: string): WorkerResource {
    const found = this.listWorkers().find((worker) => worker.id === id);
    if (found !== undefined) return found;
    throw new PortwayError("worker_not_found", `no worker of node ${this.name} has the address "${id}"`, {
      node: this.name,
      id,
    });
  }

  listRegistrations(): RelayRegistrationResource[] {
    return this.#relayService
      .registrations()
      .map((registration) => ({ node: this.name, spec: undefined, ...registration }));
  }

  getRegistration(id: string): RelayRegistrationResource {
    const found = this.listRegistrations().find((registration) => registration.id === id);
    if (found !== undefined) return found;
    throw new PortwayError(
      "relay_registration_not_found",
      `node ${this.name} hosts no relay with the name "${id}"`,
      {
        node: this.name,
        id,
      },
    );
  }

  deleteRegistration(id: string): void {
    this.getRegistration(id);
    this.#relayService.remove(id);
  }

  /** Rejects with `stopped` when the node ends meanwhile. */
  async sendMessage({ to, payload, timeoutMs }: SendMessage, given: AbortSignal | undefined): Promise<Reply> {
    const { clock } = this.#options;
    const { router } = this;
    const startMs = clock.monotonicMs();
    const plan = planRoute(to);
    if (plan.tail.isEmpty) {
      const said = `the route "${to}" names a node and no worker on it, such as /service/echo`;
      throw new PortwayError("bad_route", said, { route: to });
    }
    using either = anyOf(this.#stopped.signal, ...(given === undefined ? [] : [given]));
    const { signal } = either;
    const answer = async (onward: Route): Promise<Reply> => {
      const sentMs = clock.monotonicMs();
      const leftMs = Math.max(1, Math.round(timeoutMs - (sentMs - startMs)));
      const reply = await request(router, { onward, payload, timeoutMs: leftMs, signal });
      return {
        payload: reply.payload,
        returnRoute: reply.return.toString(),
        roundTripMs: clock.monotonicMs() - sentMs,
      };
    };
    if (plan.peer === undefined) return await answer(plan.tail);
    const connections = this.#connectionsOf(plan);
    return await connections.useOnce(plan.peer, timeoutMs, signal, ({ address }) =>
      answer(plan.tail.prepend(address)),
    );
  }

  /** Opens no more sessions and accepts no more connections. */
  drain(): void {
    this.listeners.drain();
    this.udpListeners.drain();
    this.portals.drain();
  }

  /** Ends everything. Idempotent. */
  stop(): void {
    if (this.#stopped.signal.aborted) return;
    const { name } = this;
    this.#stopped.abort(new PortwayError("stopped", `node ${name} was stopped`, { node: name }));
    this.openWorkers[Symbol.dispose]();
    this.portals[Symbol.dispose]();
    this.relays[Symbol.dispose]();
    this.#relayService[Symbol.dispose]();
    this.listeners[Symbol.dispose]();
    this.udpListeners[Symbol.dispose]();
    this.connections[Symbol.dispose]();
    this.udpConnections[Symbol.dispose]();
    this.services[Symbol.dispose]();
    this.#transport.close();
    this.#udp.close();
    this.messageWatches[Symbol.dispose]();
  }

  /** What somebody should know who has made this node. */
  get warnings(): string[] {
    return [...this.listeners.warnings, ...this.udpListeners.warnings];
  }

  /** On all connections that there are or were. */
  get sentMessages(): number {
    return this.connections.sentMessages + this.udpConnections.sentMessages;
  }

  #connectionsOf({ over }: RoutePlan): Connections {
    return over === "udp" ? this.udpConnections : this.connections;
  }

  #linkFor(plan: RoutePlan, owner: string, maxRetryMs: number | undefined): { link: Link; plan: RoutePlan } {
    const { peer, tail } = plan;
    if (peer !== undefined) {
      const by = owner.startsWith("relays/") ? "relay_connection" : "route_connection";
      return { link: this.#connectionsOf(plan).dialFor(owner, peer, by, maxRetryMs), plan };
    }
    const first = tail.isEmpty ? "" : tail.first.text;
    const created = this.connections.createdWith(first) ?? this.udpConnections.createdWith(first);
    if (created === undefined) return { link: localLink, plan };
    return { link: borrowed(created), plan: { ...plan, tail: tail.rest() } };
  }
}

/** What the resources of each transport are called. */
const stores = {
  tcpListeners: { kind: "tcp_listener", noun: "TCP listener", notFound: "tcp_listener_not_found" },
  tcpConnections: { kind: "tcp_connection", noun: "TCP connection", notFound: "tcp_connection_not_found" },
  udpListeners: { kind: "udp_listener", noun: "UDP listener", notFound: "udp_listener_not_found" },
  udpConnections: { kind: "udp_connection", noun: "UDP connection", notFound: "udp_connection_not_found" },
} as const;
