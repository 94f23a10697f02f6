import { type ErrorCode, PortwayError } from "../../src/base/errors.js";
import { ChangeLog, type ResourceKind } from "../../src/node/change-log.js";
import type {
  Collection,
  Created,
  Deletable,
  Engine,
  MessageWatch,
  Nodes,
  OpenWorkers,
  Readable,
  Reply,
  SendMessage,
  WaitOptions,
} from "../../src/node/engine.js";
import type * as resources from "../../src/node/resources.js";

/** An engine without nodes behind it: it keeps what it is asked for. A test may replace `onSend` and `onCreate`. */
export class FakeEngine implements Engine {
  readonly changes = new ChangeLog();
  readonly nodes: FakeNodes = new FakeNodes(this);
  readonly tcpListeners: FakeCollection<resources.TcpListenerResource, resources.TcpListenerSpec>;
  readonly tcpConnections: FakeCollection<resources.TcpConnectionResource, resources.TcpConnectionSpec>;
  readonly udpListeners: FakeCollection<resources.UdpListenerResource, resources.UdpListenerSpec>;
  readonly udpConnections: FakeCollection<resources.UdpConnectionResource, resources.UdpConnectionSpec>;
  readonly services: FakeCollection<resources.ServiceResource, resources.ServiceSpec>;
  readonly workers: FakeCollection<resources.WorkerResource, undefined>;
  readonly relays: FakeCollection<resources.RelayResource, resources.RelaySpec>;
  readonly relayRegistrations: FakeCollection<resources.RelayRegistrationResource, undefined>;
  readonly inlets: FakeCollection<resources.InletResource, resources.InletSpec>;
  readonly outlets: FakeCollection<resources.OutletResource, resources.OutletSpec>;
  /** Called by every method, with its name. What it throws, the method throws. */
  onCall: (name: string) => void = () => {};
  onSend: (request: SendMessage, options: WaitOptions) => Promise<Reply> = async ({ payload }) => ({
    payload,
    returnRoute: "0#echo",
    roundTripMs: 1.5,
  });
  /** What a create waits for before it is done. */
  onCreate: (options: WaitOptions | undefined) => Promise<void> = async () => {};
  created = 0;
  /** A test that needs them takes the real engine. */
  readonly openWorkers: OpenWorkers = {
    open: async () => notFaked(),
    resume: async () => notFaked(),
    steer: async () => notFaked(),
  };

  async watchMessages(): Promise<MessageWatch> {
    return notFaked();
  }

  constructor() {
    const liveness: resources.Liveness = {
      state: "active",
      reconciling: false,
      conditions: [
        { type: "Connected", holds: true, reason: "", message: "", lastTransitionTimeMs: 1000.25 },
      ],
      failure: { count: 2, lastError: "refused", lastErrorTimeMs: 1000, nextRetryTimeMs: 2000 },
      lastSuccessTimeMs: 3000,
      roundTripMs: 0.75,
    };
    const traffic: resources.Traffic = { messages: 3, bytes: 2 ** 40 };
    const sessions: resources.PortalSessions = {
      open: 1,
      opened: 2,
      failed: { timed_out: 1 },
      stalled: 0,
      bytesIn: 10,
      bytesOut: 20,
    };
    const listener = ({ bindAddress }: resources.TcpListenerSpec): resources.TcpListenerStatus => ({
      state: "active",
      boundAddress: bindAddress,
      address: "00112233445566778899aabbccddeeff",
      isNodeListener: false,
      openConnections: 0,
      refused: { bad_version: 1 },
    });
    this.tcpListeners = new FakeCollection(this, "tcp_listener", listener);
    this.udpListeners = new FakeCollection(this, "udp_listener", listener);
    const connection = ({ peerAddress }: resources.TcpConnectionSpec): resources.TcpConnectionStatus => ({
      origin: "created",
      liveness,
      workerAddress: "ffeeddccbbaa99887766554433221100",
      peerAddress,
      localAddress: "127.0.0.1:1",
      links: 1,
      received: traffic,
      sent: traffic,
      queuedBytes: 5,
      owner: "relays/default",
      lost: {},
    });
    this.tcpConnections = new FakeCollection(this, "tcp_connection", (spec) => connection(spec!));
    this.udpConnections = new FakeCollection(this, "udp_connection", (spec) => ({
      ...connection(spec!),
      lost: { skipped: 4 },
    }));
    this.services = new FakeCollection(this, "service", () => ({
      state: "active",
      address: "hop",
      builtIn: false,
    }));
    this.workers = new FakeCollection(this, "worker", () => undefined);
    this.relays = new FakeCollection(this, "relay", () => ({
      liveness,
      remoteAddress: "forward_to_n3",
      workerAddress: "ff",
      route: "0#a => 0#b",
      registrations: 1,
    }));
    this.relayRegistrations = new FakeCollection(this, "relay_registration", () => ({
      state: "active",
      address: "forward_to_n3",
      peerAddress: "127.0.0.1:2",
      connection: "ff",
      renewTimeMs: 4000,
      forwarded: traffic,
      refused: 1,
    }));
    this.inlets = new FakeCollection(this, "inlet", ({ bindAddress }) => ({
      path: liveness,
      targetOutcome: "connected",
      targetTimeMs: 5000,
      boundAddress: bindAddress,
      route: "0#a",
      workerAddress: "ee",
      sessions,
      lastError: "the target refused",
    }));
    this.outlets = new FakeCollection(this, "outlet", () => ({
      state: "active",
      address: "outlet",
      targetOutcome: "none",
      lastError: "",
      sessions,
    }));
  }

  sendMessage(request: SendMessage, options: WaitOptions): Promise<Reply> {
    this.onCall("sendMessage");
    return this.onSend(request, options);
  }

  async drain(): Promise<void> {}

  async close(): Promise<void> {}
}

type Kind = ResourceKind | "worker";

export class FakeCollection<R, Spec> implements Collection<R, Spec>, Readable<R>, Deletable {
  readonly #engine: FakeEngine;
  readonly #kind: Kind;
  readonly #statusOf: (spec: Spec) => unknown;
  readonly #byName = new Map<string, R>();

  constructor(engine: FakeEngine, kind: Kind, statusOf: (spec: Spec) => unknown) {
    this.#engine = engine;
    this.#kind = kind;
    this.#statusOf = statusOf;
  }

  put(node: string, id: string, resource: R): void {
    this.#byName.set(`${node}/${id}`, resource);
  }

  async create(node: string, id: string, spec: Spec, options?: WaitOptions): Promise<Created<R>> {
    this.#engine.onCall(`${this.#kind}.create`);
    await this.#engine.nodes.get(node);
    await this.#engine.onCreate(options);
    this.#engine.created += 1;
    const chosen = id === "" ? `chosen${this.#engine.created}` : id;
    const known = this.#byName.get(`${node}/${chosen}`);
    if (known !== undefined) return { resource: known, existed: true };
    const resource = {
      node,
      id: chosen,
      uid: `uid${this.#engine.created}`,
      createTimeMs: 1_700_000_000_000 + this.#engine.created,
      spec,
      status: this.#statusOf(spec),
    } as R;
    this.put(node, chosen, resource);
    if (this.#kind !== "worker") this.#engine.changes.append("added", this.#kind, node, chosen);
    return { resource, existed: false };
  }

  async get(node: string, id: string): Promise<R> {
    this.#engine.onCall(`${this.#kind}.get`);
    const resource = this.#byName.get(`${node}/${id}`);
    if (resource !== undefined) return resource;
    const code = `${this.#kind}_not_found` as ErrorCode;
    throw new PortwayError(code, `node ${node} has no ${this.#kind} ${id}`, { node, id });
  }

  async list(node: string): Promise<readonly R[]> {
    this.#engine.onCall(`${this.#kind}.list`);
    await this.#engine.nodes.get(node);
    return [...this.#byName].filter(([name]) => name.startsWith(`${node}/`)).map(([, resource]) => resource);
  }

  async delete(node: string, id: string): Promise<void> {
    await this.get(node, id);
    this.#byName.delete(`${node}/${id}`);
    if (this.#kind !== "worker") this.#engine.changes.append("deleted", this.#kind, node, id);
  }
}

export class FakeNodes implements Nodes {
  readonly #engine: FakeEngine;
  readonly #byId = new Map<string, resources.NodeResource>();

  constructor(engine: FakeEngine) {
    this.#engine = engine;
  }

  async create(id: string, spec: resources.NodeSpec): Promise<Created<resources.NodeResource>> {
    this.#engine.onCall("node.create");
    await this.#engine.onCreate(undefined);
    this.#engine.created += 1;
    const chosen = id === "" ? `chosen${this.#engine.created}` : id;
    const known = this.#byId.get(chosen);
    if (known !== undefined) return { resource: known, existed: true };
    const resource: resources.NodeResource = {
      node: chosen,
      id: chosen,
      uid: `uid${this.#engine.created}`,
      createTimeMs: 1_700_000_000_000 + this.#engine.created,
      spec,
      status: {
        state: "active",
        isDefault: this.#byId.size === 0,
        pid: 42,
        tcpListenerAddress: "127.0.0.1:4000",
        httpServerAddress: "",
        warnings: ["open"],
        messages: { received: 1, sent: 2, delivered: 3, dropped: { malformed: 4 } },
        logPath: "/logs/n",
      },
    };
    this.#byId.set(chosen, resource);
    this.#engine.changes.append("added", "node", chosen, chosen);
    return { resource, existed: false };
  }

  async get(id: string): Promise<resources.NodeResource> {
    this.#engine.onCall("node.get");
    const node = this.#byId.get(id);
    if (node === undefined) throw new PortwayError("node_not_found", `there is no node ${id}`, { node: id });
    return node;
  }

  async list(): Promise<readonly resources.NodeResource[]> {
    this.#engine.onCall("node.list");
    return [...this.#byId.values()];
  }

  async delete(id: string): Promise<void> {
    await this.get(id);
    this.#byId.delete(id);
    this.#engine.changes.append("deleted", "node", id, id);
  }

  start(id: string): Promise<resources.NodeResource> {
    return this.get(id);
  }

  stop(id: string): Promise<resources.NodeResource> {
    return this.get(id);
  }

  setDefault(id: string): Promise<resources.NodeResource> {
    return this.get(id);
  }
}

function notFaked(): never {
  throw new PortwayError("unsupported", "this engine has no routing");
}
