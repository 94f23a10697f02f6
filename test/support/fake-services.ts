import { randomBytes, randomUUID } from "node:crypto";
import {
  Code,
  ConnectError,
  type ConnectRouter,
  createClient,
  createRouterTransport,
} from "@connectrpc/connect";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.js";
import { MessageService } from "../../gen/portway/v1/message_service_pb.js";
import {
  NodeService,
  ServiceKind,
  TcpConnectionOrigin,
  UdpConnectionOrigin,
  WorkerKind,
} from "../../gen/portway/v1/node_service_pb.js";
import { PortalService } from "../../gen/portway/v1/portal_service_pb.js";
import { RelayService } from "../../gen/portway/v1/relay_service_pb.js";
import { State } from "../../gen/portway/v1/resource_pb.js";
import { SystemService } from "../../gen/portway/v1/system_service_pb.js";
import { version } from "../../src/base/version.js";
import type { PortwayClient } from "../../src/client/client.js";

/** No process has it. */
const pid = 2 ** 31 - 1;

interface Item<Spec, Status> {
  name: string;
  uid: string;
  spec: Spec;
  status: Status;
}

type Any = Item<Record<string, unknown>, Record<string, unknown>>;

interface FakeNode {
  id: string;
  uid: string;
  spec: { tcpListenerAddress: string; httpServerPort?: number | undefined };
  address: string;
  running: boolean;
  listeners: Map<string, Any>;
  connections: Map<string, Any>;
  udpListeners: Map<string, Any>;
  udpConnections: Map<string, Any>;
  services: Map<string, Any>;
  relays: Map<string, Any>;
  registrations: Map<string, Any>;
  inlets: Map<string, Any>;
  outlets: Map<string, Any>;
}

/** What a test may look at and change: the state of the pretended daemon. */
export class FakeDaemon {
  readonly nodes = new Map<string, FakeNode>();
  /** The names of the calls that came, in order. */
  readonly calls: string[] = [];
  /** Reasons that the next calls of a method fail with, the first one first. */
  readonly failures = new Map<string, string[]>();
  /** Methods whose calls are never answered: they end when they are canceled. */
  readonly silent = new Set<string>();
  defaultNode = "";
  version = version;
  pageSize = 2;
  drained = false;
  #nextPort = 40_000;

  /** The address that a bind gives, or ADDRESS_IN_USE. */
  bind(text: string): string {
    const [, host = "127.0.0.1", port = "0"] =
      /^(?:(.+):)?(\d+)$/.exec(text === "" ? "127.0.0.1:0" : text) ?? [];
    const bound = `${host || "127.0.0.1"}:${port === "0" ? this.#nextPort++ : port}`;
    if (this.bound.has(bound)) {
      throw failure(Code.FailedPrecondition, "ADDRESS_IN_USE", `another socket listens at ${bound}`);
    }
    return bound;
  }

  get bound(): Set<string> {
    const addresses = new Set<string>();
    for (const { running, listeners, udpListeners, inlets } of this.nodes.values()) {
      if (!running) continue;
      for (const { status } of [...listeners.values(), ...udpListeners.values(), ...inlets.values()]) {
        addresses.add(status["boundAddress"] as string);
      }
    }
    return addresses;
  }

  node(name: string): FakeNode {
    const id = name.split("/")[1] ?? "";
    const node = this.nodes.get(id);
    if (node !== undefined) return node;
    throw failure(Code.NotFound, "NODE_NOT_FOUND", `there is no node ${id}`);
  }

  runningNode(name: string): FakeNode {
    const node = this.node(name);
    if (node.running) return node;
    throw failure(Code.FailedPrecondition, "NODE_STOPPED", `the node ${node.id} is stopped`);
  }

  view(node: FakeNode) {
    return {
      name: `nodes/${node.id}`,
      uid: node.uid,
      spec: node.spec as { tcpListenerAddress: string; httpServerPort?: number },
      status: {
        state: node.running ? State.ACTIVE : State.STOPPED,
        isDefault: node.id === this.defaultNode,
        pid: node.running ? pid : 0,
        tcpListenerAddress: node.address,
        httpServerAddress: node.running && node.spec.httpServerPort !== undefined ? "127.0.0.1:40999" : "",
        warnings: node.address.startsWith("127.") ? [] : [`${node.address} is open to the network`],
        logPath: `/nonexistent/portway/logs/${node.id}.log`,
      },
    };
  }

  page<T>(all: readonly T[], pageToken: string): { items: T[]; nextPageToken: string } {
    const at = Number(pageToken || "0");
    const next = at + this.pageSize;
    return { items: all.slice(at, next), nextPageToken: next < all.length ? String(next) : "" };
  }

  start(node: FakeNode): void {
    node.running = true;
    const listener = item(`nodes/${node.id}/tcpListeners/${hex()}`, {
      bindAddress: node.spec.tcpListenerAddress,
    });
    listener.status = {
      state: State.ACTIVE,
      boundAddress: node.address,
      address: hex(),
      isNodeListener: true,
    };
    node.listeners = new Map([[idOf(listener.name), listener]]);
    node.services = new Map();
    for (const [address, kind] of [
      ["uppercase", ServiceKind.UPPERCASE],
      ["echo", ServiceKind.ECHO],
    ] as const) {
      node.services.set(address, service(node.id, address, kind, true));
    }
    for (const name of [
      "connections",
      "udpListeners",
      "udpConnections",
      "relays",
      "registrations",
      "inlets",
      "outlets",
    ] as const)
      node[name] = new Map();
  }
}

/** A client of the fake, over Connect's own in-memory transport. */
export function createFakeClient(daemon: FakeDaemon): PortwayClient {
  const transport = createRouterTransport((router) => routes(router, daemon), {
    router: {
      interceptors: [
        (next) => async (request) => {
          daemon.calls.push(request.method.name);
          const reason = daemon.failures.get(request.method.name)?.shift();
          if (reason !== undefined) throw failure(Code.Unavailable, reason, `made to fail with ${reason}`);
          if (daemon.silent.has(request.method.name)) await canceled(request.signal);
          return await next(request);
        },
      ],
    },
  });
  return {
    nodes: createClient(NodeService, transport),
    relays: createClient(RelayService, transport),
    portals: createClient(PortalService, transport),
    messages: createClient(MessageService, transport),
    system: createClient(SystemService, transport),
    [Symbol.dispose]() {},
  };
}

async function canceled(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve));
  throw new ConnectError("canceled", Code.Canceled);
}

function routes(router: ConnectRouter, daemon: FakeDaemon): void {
  nodeRoutes(router, daemon);
  tcpRoutes(router, daemon);
  udpRoutes(router, daemon);
  relayRoutes(router, daemon);
  portalRoutes(router, daemon);
  router.rpc(MessageService.method.sendMessage, ({ node, to, payload }) => {
    if (node !== "") daemon.runningNode(node);
    const last = to.slice(to.lastIndexOf("/") + 1);
    const text = Buffer.from(payload).toString("utf8");
    if (last === "uppercase") return reply(Buffer.from(text.toUpperCase()));
    if (last === "echo") return reply(payload);
    if (last === "bytes") return reply(Buffer.from([0xff, 0xfe]));
    if (last === "escape") return reply(Buffer.from("\u001b[2Jx\n"));
    throw failure(Code.DeadlineExceeded, "NO_REPLY", `no reply from ${to}`);
  });
  router.rpc(SystemService.method.getServerInfo, () => ({
    version: daemon.version,
    pid,
    home: "/nonexistent/portway",
    socketPath: "/nonexistent/portway/run/api.sock",
    runtime: process.version,
  }));
  router.rpc(SystemService.method.drain, () => {
    daemon.drained = true;
    return {};
  });
  router.rpc(SystemService.method.rotateToken, () => ({ tokenPath: "/nonexistent/portway/token" }));
}

function nodeRoutes(router: ConnectRouter, daemon: FakeDaemon): void {
  const { method } = NodeService;
  router.rpc(method.createNode, ({ nodeId, node: spec }) => {
    const asked = {
      tcpListenerAddress: spec?.tcpListenerAddress ?? "",
      httpServerPort: spec?.httpServerPort,
    };
    const known = daemon.nodes.get(nodeId);
    if (known !== undefined) {
      if (JSON.stringify(known.spec) === JSON.stringify(asked)) {
        return { node: daemon.view(known), alreadyExisted: true };
      }
      throw failure(Code.AlreadyExists, "NODE_EXISTS", `the node ${nodeId} exists with other settings`);
    }
    const node = {
      id: nodeId,
      uid: randomUUID(),
      spec: asked,
      address: daemon.bind(asked.tcpListenerAddress),
    } as FakeNode;
    daemon.nodes.set(nodeId, node);
    daemon.start(node);
    if (daemon.nodes.size === 1) daemon.defaultNode = nodeId;
    return { node: daemon.view(node) };
  });
  router.rpc(method.getNode, ({ name }) => ({ node: daemon.view(daemon.node(name)) }));
  router.rpc(method.listNodes, ({ pageToken }) => {
    const { items, nextPageToken } = daemon.page([...daemon.nodes.values()], pageToken);
    return { nodes: items.map((node) => daemon.view(node)), nextPageToken };
  });
  router.rpc(method.deleteNode, ({ name }) => {
    const { id } = daemon.node(name);
    daemon.nodes.delete(id);
    if (daemon.defaultNode === id) daemon.defaultNode = [...daemon.nodes.keys()][0] ?? "";
    return {};
  });
  router.rpc(method.startNode, ({ name }) => {
    const node = daemon.node(name);
    if (node.running) throw failure(Code.FailedPrecondition, "NODE_RUNNING", `the node ${node.id} runs`);
    daemon.start(node);
    return { node: daemon.view(node) };
  });
  router.rpc(method.stopNode, ({ name }) => {
    const node = daemon.node(name);
    node.running = false;
    return { node: daemon.view(node) };
  });
  router.rpc(method.setDefaultNode, ({ name }) => {
    const node = daemon.node(name);
    daemon.defaultNode = node.id;
    return { node: daemon.view(node) };
  });
  router.rpc(method.createService, ({ parent, serviceId, service: spec }) => {
    const { id, services } = daemon.runningNode(parent);
    const known = services.get(serviceId);
    if (known !== undefined && known.spec["kind"] === spec?.kind)
      return { service: known, alreadyExisted: true };
    if (known !== undefined)
      throw failure(Code.AlreadyExists, "ADDRESS_TAKEN", `/service/${serviceId} is taken`);
    const created = service(id, serviceId, spec?.kind ?? ServiceKind.HOP, false);
    services.set(serviceId, created);
    return { service: created };
  });
  router.rpc(method.listServices, ({ parent, pageToken }) => {
    const { items: services, nextPageToken } = daemon.page(
      [...daemon.runningNode(parent).services.values()],
      pageToken,
    );
    return { services, nextPageToken };
  });
  router.rpc(method.deleteService, ({ name }) => {
    const { services } = daemon.runningNode(name);
    const found = get(services, name, "SERVICE_NOT_FOUND", "service");
    if (found.status["builtIn"]) throw failure(Code.FailedPrecondition, "SERVICE_BUILT_IN", "it is built in");
    services.delete(idOf(name));
    return {};
  });
  router.rpc(method.listWorkers, ({ parent, pageToken }) => {
    const { id, services } = daemon.runningNode(parent);
    const all = [...services.keys()].map((address) => ({
      name: `nodes/${id}/workers/${address}`,
      address,
      kind: WorkerKind.SERVICE,
    }));
    const { items: workers, nextPageToken } = daemon.page(all, pageToken);
    return { workers, nextPageToken };
  });
}

function tcpRoutes(router: ConnectRouter, daemon: FakeDaemon): void {
  const { method } = NodeService;
  router.rpc(method.createTcpListener, ({ parent, tcpListener: spec }) => {
    const { id, listeners } = daemon.runningNode(parent);
    const created = item(`nodes/${id}/tcpListeners/${hex()}`, { bindAddress: spec?.bindAddress });
    created.status = {
      state: State.ACTIVE,
      boundAddress: daemon.bind(spec?.bindAddress ?? ""),
      address: hex(),
    };
    listeners.set(idOf(created.name), created);
    return { tcpListener: created };
  });
  router.rpc(method.listTcpListeners, ({ parent, pageToken }) => {
    const page = daemon.page([...daemon.runningNode(parent).listeners.values()], pageToken);
    return { tcpListeners: page.items, nextPageToken: page.nextPageToken };
  });
  router.rpc(method.deleteTcpListener, ({ name }) => {
    daemon.runningNode(name).listeners.delete(idOf(name));
    return {};
  });
  router.rpc(method.createTcpConnection, ({ parent, tcpConnection: spec }) => {
    const { id, connections } = daemon.runningNode(parent);
    const peerAddress = spec?.peerAddress ?? "";
    if (!daemon.bound.has(peerAddress)) {
      throw failure(Code.Unavailable, "CONNECT_FAILED", `${peerAddress} refused the connection`);
    }
    const workerAddress = hex();
    const created = item(`nodes/${id}/tcpConnections/${workerAddress}`, { peerAddress });
    created.status = {
      origin: TcpConnectionOrigin.CREATED,
      liveness: { state: State.ACTIVE },
      workerAddress,
      peerAddress,
    };
    connections.set(workerAddress, created);
    return { tcpConnection: created };
  });
  router.rpc(method.getTcpConnection, ({ name }) => ({
    tcpConnection: get(
      daemon.runningNode(name).connections,
      name,
      "TCP_CONNECTION_NOT_FOUND",
      "TCP connection",
    ),
  }));
  router.rpc(method.listTcpConnections, ({ parent, pageToken }) => {
    const page = daemon.page([...daemon.runningNode(parent).connections.values()], pageToken);
    return { tcpConnections: page.items, nextPageToken: page.nextPageToken };
  });
  router.rpc(method.deleteTcpConnection, ({ name }) => {
    daemon.runningNode(name).connections.delete(idOf(name));
    return {};
  });
}

function udpRoutes(router: ConnectRouter, daemon: FakeDaemon): void {
  const { method } = NodeService;
  router.rpc(method.createUdpListener, ({ parent, udpListener: spec }) => {
    const { id, udpListeners } = daemon.runningNode(parent);
    const created = item(`nodes/${id}/udpListeners/${hex()}`, { bindAddress: spec?.bindAddress });
    created.status = {
      state: State.ACTIVE,
      boundAddress: daemon.bind(spec?.bindAddress ?? ""),
      address: hex(),
    };
    udpListeners.set(idOf(created.name), created);
    return { udpListener: created };
  });
  router.rpc(method.listUdpListeners, ({ parent, pageToken }) => {
    const page = daemon.page([...daemon.runningNode(parent).udpListeners.values()], pageToken);
    return { udpListeners: page.items, nextPageToken: page.nextPageToken };
  });
  router.rpc(method.deleteUdpListener, ({ name }) => {
    daemon.runningNode(name).udpListeners.delete(idOf(name));
    return {};
  });
  router.rpc(method.createUdpConnection, ({ parent, udpConnection: spec }) => {
    const { id, udpConnections } = daemon.runningNode(parent);
    const peerAddress = spec?.peerAddress ?? "";
    if (!daemon.bound.has(peerAddress)) {
      throw failure(Code.Unavailable, "CONNECT_FAILED", `${peerAddress} refused the connection`);
    }
    const workerAddress = `udp_${hex()}`;
    const created = item(`nodes/${id}/udpConnections/${workerAddress}`, { peerAddress });
    created.status = {
      origin: UdpConnectionOrigin.CREATED,
      liveness: { state: State.ACTIVE },
      workerAddress,
      peerAddress,
      lost: { skipped: 2n },
    };
    udpConnections.set(workerAddress, created);
    return { udpConnection: created };
  });
  router.rpc(method.getUdpConnection, ({ name }) => ({
    udpConnection: get(
      daemon.runningNode(name).udpConnections,
      name,
      "UDP_CONNECTION_NOT_FOUND",
      "UDP connection",
    ),
  }));
  router.rpc(method.listUdpConnections, ({ parent, pageToken }) => {
    const page = daemon.page([...daemon.runningNode(parent).udpConnections.values()], pageToken);
    return { udpConnections: page.items, nextPageToken: page.nextPageToken };
  });
  router.rpc(method.deleteUdpConnection, ({ name }) => {
    daemon.runningNode(name).udpConnections.delete(idOf(name));
    return {};
  });
}

function relayRoutes(router: ConnectRouter, daemon: FakeDaemon): void {
  const { method } = RelayService;
  router.rpc(method.createRelay, ({ parent, relayId, relay: spec, wait }) => {
    const { id, relays } = daemon.runningNode(parent);
    const asked = { at: spec?.at ?? "", relayAddress: spec?.relayAddress ?? "" };
    const known = relays.get(relayId);
    if (known !== undefined) return { relay: known, alreadyExisted: true };
    const created = item(`nodes/${id}/relays/${relayId}`, asked);
    const remoteAddress = `forward_to_${asked.relayAddress || relayId}`;
    if (/\/tcp\/9$/.test(asked.at)) {
      created.status = {
        liveness: {
          state: State.CONNECTING,
          ...(wait?.seconds
            ? { failure: { count: 1, lastError: "127.0.0.1:9 refused the connection" } }
            : {}),
        },
        workerAddress: hex(),
      };
    } else if (relayId === "held") {
      const liveness = {
        state: State.FAILED,
        failure: { count: 1, lastError: "the name is held by another node" },
      };
      created.status = { liveness };
    } else {
      created.status = {
        liveness: { state: State.ACTIVE },
        remoteAddress,
        workerAddress: hex(),
        route: `0#${hex()} => 0#${remoteAddress}`,
      };
      host(daemon, asked.at, remoteAddress);
    }
    relays.set(relayId, created);
    return { relay: created };
  });
  router.rpc(method.getRelay, ({ name }) => ({
    relay: get(daemon.runningNode(name).relays, name, "RELAY_NOT_FOUND", "relay"),
  }));
  router.rpc(method.listRelays, ({ parent, pageToken }) => {
    const page = daemon.page(sorted(daemon.runningNode(parent).relays), pageToken);
    return { relays: page.items, nextPageToken: page.nextPageToken };
  });
  router.rpc(method.deleteRelay, ({ name }) => {
    const { relays } = daemon.runningNode(name);
    get(relays, name, "RELAY_NOT_FOUND", "relay");
    relays.delete(idOf(name));
    return {};
  });
  router.rpc(method.getRelayRegistration, ({ name }) => {
    const { registrations } = daemon.runningNode(name);
    return { relayRegistration: get(registrations, name, "RELAY_REGISTRATION_NOT_FOUND", "hosted relay") };
  });
  router.rpc(method.listRelayRegistrations, ({ parent, pageToken }) => {
    const page = daemon.page(sorted(daemon.runningNode(parent).registrations), pageToken);
    return { relayRegistrations: page.items, nextPageToken: page.nextPageToken };
  });
  router.rpc(method.deleteRelayRegistration, ({ name }) => {
    const { registrations } = daemon.runningNode(name);
    get(registrations, name, "RELAY_REGISTRATION_NOT_FOUND", "hosted relay");
    registrations.delete(idOf(name));
    return {};
  });
}

/** On the node of this daemon that listens where the relay goes. */
function host(daemon: FakeDaemon, at: string, address: string): void {
  const port = at.slice(at.lastIndexOf("/") + 1);
  for (const node of daemon.nodes.values()) {
    if (!node.address.endsWith(`:${port}`)) continue;
    const registration = item(
      `nodes/${node.id}/relayRegistrations/${address.replace("forward_to_", "")}`,
      {},
    );
    registration.status = { state: State.ACTIVE, address, peerAddress: "127.0.0.1:50000", connection: hex() };
    node.registrations.set(idOf(registration.name), registration);
  }
}

function portalRoutes(router: ConnectRouter, daemon: FakeDaemon): void {
  const { method } = PortalService;
  router.rpc(method.createInlet, ({ parent, inletId, inlet: spec }) => {
    const { id, inlets } = daemon.runningNode(parent);
    const inlet = inletId || `inlet-${hex().slice(0, 6)}`;
    const known = inlets.get(inlet);
    if (known?.spec["bindAddress"] === spec?.bindAddress && known?.spec["to"] === spec?.to)
      return { inlet: known, alreadyExisted: true };
    if (known !== undefined) throw failure(Code.AlreadyExists, "ALREADY_EXISTS", `the inlet ${inlet} exists`);
    const created = item(`nodes/${id}/inlets/${inlet}`, { bindAddress: spec?.bindAddress, to: spec?.to });
    const isUp = !spec?.to.includes("/tcp/9/");
    const words = (spec?.to ?? "").split("/").filter((_, at) => at > 0 && at % 2 === 0);
    created.status = {
      path: isUp ? { state: State.ACTIVE } : { state: State.CONNECTING, failure: { lastError: "refused" } },
      boundAddress: daemon.bind(spec?.bindAddress ?? ""),
      route: words.map((word) => `0#${word}`).join(" => "),
      workerAddress: hex(),
    };
    inlets.set(inlet, created);
    return { inlet: created };
  });
  router.rpc(method.getInlet, ({ name }) => ({
    inlet: get(daemon.runningNode(name).inlets, name, "INLET_NOT_FOUND", "inlet"),
  }));
  router.rpc(method.listInlets, ({ parent, pageToken }) => {
    const page = daemon.page(sorted(daemon.runningNode(parent).inlets), pageToken);
    return { inlets: page.items, nextPageToken: page.nextPageToken };
  });
  router.rpc(method.deleteInlet, ({ name }) => {
    const { inlets } = daemon.runningNode(name);
    get(inlets, name, "INLET_NOT_FOUND", "inlet");
    inlets.delete(idOf(name));
    return {};
  });
  router.rpc(method.createOutlet, ({ parent, outletId, outlet: spec }) => {
    const { id, outlets } = daemon.runningNode(parent);
    const address = outletId || (outlets.has("outlet") ? `an-outlet-${hex().slice(0, 6)}` : "outlet");
    const known = outlets.get(address);
    if (known !== undefined && known.spec["target"] === spec?.target)
      return { outlet: known, alreadyExisted: true };
    if (known !== undefined)
      throw failure(Code.AlreadyExists, "ADDRESS_TAKEN", `/service/${address} is taken`);
    const created = item(`nodes/${id}/outlets/${address}`, { target: spec?.target });
    created.status = { state: State.ACTIVE, address };
    outlets.set(address, created);
    return { outlet: created };
  });
  router.rpc(method.getOutlet, ({ name }) => ({
    outlet: get(daemon.runningNode(name).outlets, name, "OUTLET_NOT_FOUND", "outlet"),
  }));
  router.rpc(method.listOutlets, ({ parent, pageToken }) => {
    const page = daemon.page(sorted(daemon.runningNode(parent).outlets), pageToken);
    return { outlets: page.items, nextPageToken: page.nextPageToken };
  });
  router.rpc(method.deleteOutlet, ({ name }) => {
    const { outlets } = daemon.runningNode(name);
    get(outlets, name, "OUTLET_NOT_FOUND", "outlet");
    outlets.delete(idOf(name));
    return {};
  });
}

function failure(code: Code, reason: string, message: string): ConnectError {
  return new ConnectError(message, code, undefined, [
    { desc: ErrorInfoSchema, value: { reason, domain: "portway" } },
  ]);
}

function get(items: Map<string, Any>, name: string, reason: string, what: string): Any {
  const found = items.get(idOf(name));
  if (found !== undefined) return found;
  throw failure(Code.NotFound, reason, `there is no ${what} ${idOf(name)}`);
}

function item(name: string, spec: Record<string, unknown>): Any {
  return { name, uid: randomUUID(), spec, status: {} };
}

function service(node: string, address: string, kind: ServiceKind, builtIn: boolean): Any {
  const created = item(`nodes/${node}/services/${address}`, { kind });
  created.status = { state: State.ACTIVE, address, builtIn };
  return created;
}

function reply(payload: Uint8Array) {
  return { payload, returnRoute: "0#a => 0#b", roundTripTime: { seconds: 0n, nanos: 1_500_000 } };
}

function sorted(items: Map<string, Any>): Any[] {
  return [...items.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function hex(): string {
  return randomBytes(16).toString("hex");
}

function idOf(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}
