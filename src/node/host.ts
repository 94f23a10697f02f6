import { randomBytes, randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { type Clock, systemClock } from "../base/clock.js";
import { PortwayError } from "../base/errors.js";
import { type Log, silentLog } from "../base/log.js";
import { fullSocketAddress } from "../model/socket-address.js";
import { ChangeLog } from "./change-log.js";
import type { Collection, Created, Engine, Nodes, Reply, SendMessage, WaitOptions } from "./engine.js";
import { NodeHttpServer } from "./http-server.js";
import { Node } from "./node.js";
import { nodeOfToken, workerGone } from "./open-workers.js";
import type { NodeResource, NodeSpec } from "./resources.js";
import { differences } from "./store.js";

export interface EngineOptions {
  /** The log of a node, or of what belongs to none. */
  readonly log: (node?: string) => Log;
  /** Where the log of a node is; empty if it is in no file. */
  readonly logPath: (node: string) => string;
  readonly clock?: Clock;
  /** Use documented socket interfaces of Node.js alone. */
  readonly plainSockets?: boolean;
}

interface NodeEntry {
  readonly id: string;
  readonly uid: string;
  readonly createTimeMs: number;
  readonly spec: NodeSpec;
  /** Undefined while stopped, and while it is being started. */
  running: Node | undefined;
  http: NodeHttpServer | undefined;
  listenerAddress: string;
  starting: boolean;
}

const defaultListenerAddress = "127.0.0.1:0";
/** How often a drain looks whether sessions are still open. */
const drainLookMs = 25;

/** What one running node has of a kind. */
interface OwnCollection<R, Spec> {
  create(id: string, spec: Spec, wait?: WaitOptions): Created<R> | Promise<Created<R>>;
  get(id: string): R;
  list(): readonly R[];
  delete(id: string): void;
}

/** The nodes of one process. */
export function createEngine(options: EngineOptions): Engine {
  const host = new Host(options);
  const collection = <R, Spec>(of: (running: Node) => OwnCollection<R, Spec>): Collection<R, Spec> => ({
    create: async (node, id, spec, wait) => of(host.accepting(node)).create(id, spec, wait),
    get: async (node, id) => of(host.running(node)).get(id),
    async list(node) {
      const running = host.findRunning(node);
      return running === undefined ? [] : of(running).list();
    },
    delete: async (node, id) => of(host.running(node)).delete(id),
  });
  return {
    changes: host.changes,
    nodes: host,
    tcpListeners: collection((running) => running.listeners),
    tcpConnections: collection((running) => running.connections),
    udpListeners: collection((running) => running.udpListeners),
    udpConnections: collection((running) => running.udpConnections),
    services: collection((running) => running.services),
    workers: {
      get: async (node, id) => host.running(node).getWorker(id),
      list: async (node) => host.findRunning(node)?.listWorkers() ?? [],
    },
    relays: collection((running) => running.relays),
    relayRegistrations: {
      get: async (node, id) => host.running(node).getRegistration(id),
      list: async (node) => host.findRunning(node)?.listRegistrations() ?? [],
      delete: async (node, id) => host.running(node).deleteRegistration(id),
    },
    inlets: {
      create: async (node, id, spec, wait) => host.accepting(node).portals.createInlet(id, spec, wait),
      get: async (node, id) => host.running(node).portals.getInlet(id),
      list: async (node) => host.findRunning(node)?.portals.listInlets() ?? [],
      delete: async (node, id) => host.running(node).portals.deleteInlet(id),
    },
    outlets: {
      create: async (node, id, spec) => host.accepting(node).portals.createOutlet(id, spec),
      get: async (node, id) => host.running(node).portals.getOutlet(id),
      list: async (node) => host.findRunning(node)?.portals.listOutlets() ?? [],
      delete: async (node, id) => host.running(node).portals.deleteOutlet(id),
    },
    openWorkers: {
      open: async (spec, woken) => host.accepting(spec.node).openWorkers.open(spec, woken),
      resume: async (resume, woken) => host.running(resume.node).openWorkers.resume(resume, woken),
      steer: async (token) => {
        const node = nodeOfToken(token);
        const running = node === undefined ? undefined : host.findRunningIfAny(node);
        if (running === undefined) throw workerGone();
        return running.openWorkers.steer(token);
      },
    },
    watchMessages: async (watch, woken) => host.running(watch.node).messageWatches.open(watch, woken),
    sendMessage: (request, wait) => host.sendMessage(request, wait),
    drain: (timeoutMs) => host.drain(timeoutMs),
    close: async () => host.close(),
  };
}

class Host implements Nodes {
  readonly changes = new ChangeLog();
  readonly #options: EngineOptions;
  readonly #clock: Clock;
  readonly #nodes = new Map<string, NodeEntry>();
  #default: string | undefined;
  #draining = false;
  #closed = false;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  async create(id: string, spec: NodeSpec): Promise<Created<NodeResource>> {
    this.#mustAccept();
    const { tcpListenerAddress } = withDefaults(spec);
    const existing = id === "" ? undefined : this.#nodes.get(id);
    if (existing !== undefined) return { resource: this.#same(existing, spec), existed: true };
    const name = id === "" ? `node-${randomBytes(4).toString("hex")}` : id;
    const entry: NodeEntry = {
      id: name,
      uid: randomUUID(),
      createTimeMs: this.#clock.wallMs(),
      spec,
      running: undefined,
      http: undefined,
      listenerAddress: tcpListenerAddress,
      starting: true,
    };
    this.#nodes.set(name, entry);
    try {
      await this.#start(entry);
    } catch (error) {
      this.#nodes.delete(name);
      throw error;
    }
    this.#settle(entry);
    this.changes.append("added", "node", name, name);
    return { resource: this.#view(entry), existed: false };
  }

  async get(id: string): Promise<NodeResource> {
    return this.#view(this.#entry(id));
  }

  async list(): Promise<readonly NodeResource[]> {
    return [...this.#nodes.values()].filter(({ starting }) => !starting).map((entry) => this.#view(entry));
  }

  async delete(id: string): Promise<void> {
    const entry = this.#entry(id);
    this.#halt(entry);
    this.#nodes.delete(id);
    this.changes.append("deleted", "node", id, id);
    if (this.#default !== id) return;
    this.#default = [...this.#nodes.values()].find(({ starting }) => !starting)?.id;
    if (this.#default !== undefined) this.changes.append("modified", "node", this.#default, this.#default);
  }

  async start(id: string): Promise<NodeResource> {
    this.#mustAccept();
    const entry = this.#entry(id);
    if (entry.running !== undefined) {
      throw new PortwayError("node_running", `node ${id} runs already`, { node: id });
    }
    entry.starting = true;
    try {
      await this.#start(entry);
    } finally {
      this.#settle(entry);
      this.changes.append("modified", "node", id, id);
    }
    return this.#view(entry);
  }

  async stop(id: string): Promise<NodeResource> {
    const entry = this.#entry(id);
    if (entry.running !== undefined) {
      this.#halt(entry);
      this.changes.append("modified", "node", id, id);
    }
    return this.#view(entry);
  }

  async setDefault(id: string): Promise<NodeResource> {
    const entry = this.#entry(id);
    const before = this.#default;
    this.#default = id;
    if (before !== id) {
      if (before !== undefined) this.changes.append("modified", "node", before, before);
      this.changes.append("modified", "node", id, id);
    }
    return this.#view(entry);
  }

  /** Throws `node_not_found` and `node_stopped`. */
  running(id: string): Node {
    const { running } = this.#entry(id);
    if (running !== undefined) return running;
    throw new PortwayError("node_stopped", `node ${id} is stopped; start it first`, { node: id });
  }

  /** The node if it runs; throws `node_not_found`. */
  findRunning(id: string): Node | undefined {
    return this.#entry(id).running;
  }

  /** The node if it is there and runs. */
  findRunningIfAny(id: string): Node | undefined {
    return this.#nodes.get(id)?.running;
  }

  /** The node, for something new on it: throws `draining` as well. */
  accepting(id: string): Node {
    this.#mustAccept();
    return this.running(id);
  }

  async sendMessage(request: SendMessage, { signal }: WaitOptions): Promise<Reply> {
    if (request.node !== "") return this.running(request.node).sendMessage(request, signal);
    const node = Node.detached({ ...this.#parts(), name: "", log: silentLog, changes: new ChangeLog(16) });
    try {
      return await node.sendMessage(request, signal);
    } finally {
      node.stop();
    }
  }

  async drain(timeoutMs: number): Promise<void> {
    this.#draining = true;
    for (const [id, { running }] of this.#nodes) {
      if (running !== undefined) this.changes.append("modified", "node", id, id);
    }
    const nodes = [...this.#nodes.values()].flatMap(({ running }) =>
      running === undefined ? [] : [running],
    );
    for (const node of nodes) node.drain();
    const endMs = this.#clock.monotonicMs() + timeoutMs;
    const isBusy = (): boolean => nodes.some((node) => node.portals.openSessions > 0);
    while (isBusy() && this.#clock.monotonicMs() < endMs) {
      await new Promise<void>((resolve) => void this.#clock.after(drainLookMs, resolve));
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#draining = true;
    for (const entry of this.#nodes.values()) this.#halt(entry);
  }

  #parts(): { clock: Clock; plainSockets: boolean } {
    return { clock: this.#clock, plainSockets: this.#options.plainSockets === true };
  }

  #mustAccept(): void {
    if (this.#draining) throw new PortwayError("draining", "the daemon is draining: it accepts nothing new");
  }

  #entry(id: string): NodeEntry {
    const entry = this.#nodes.get(id);
    if (entry !== undefined && !entry.starting) return entry;
    throw new PortwayError("node_not_found", `there is no node with the name "${id}"`, { node: id });
  }

  /** The node that is there, if it was asked for in the same way. */
  #same(entry: NodeEntry, spec: NodeSpec): NodeResource {
    const { id } = entry;
    const [there, wanted] = [withDefaults(entry.spec), withDefaults(spec)];
    if (!entry.starting && isDeepStrictEqual(there, wanted)) return this.#view(entry);
    const said = entry.starting
      ? `node ${id} is being started by another call`
      : `node ${id} exists already with ${differences(there, wanted)}`;
    throw new PortwayError("node_exists", said, { node: id });
  }

  /** The start of the node is over: it is there, and is the default if no other is. */
  #settle(entry: NodeEntry): void {
    entry.starting = false;
    this.#default ??= entry.id;
  }

  async #start(entry: NodeEntry): Promise<void> {
    const { id, spec } = entry;
    const log = this.#options.log(id);
    const node = await Node.start(
      { ...this.#parts(), name: id, log, changes: this.changes },
      entry.listenerAddress,
    );
    try {
      if (spec.httpServerPort !== undefined) {
        entry.http = await NodeHttpServer.listen(spec.httpServerPort, () => this.#view(entry));
      }
    } catch (error) {
      node.stop();
      throw error;
    }
    if (this.#draining) {
      node.stop();
      entry.http?.close();
      throw new PortwayError("draining", "the daemon is ending");
    }
    entry.running = node;
    entry.listenerAddress = node.listeners.nodeAddress;
    for (const warning of node.listeners.warnings) log.warn("node.exposed", { warning });
    log.info("node.started", { node: id, listener: entry.listenerAddress });
  }

  #halt(entry: NodeEntry): void {
    entry.http?.close();
    entry.http = undefined;
    entry.running?.stop();
    entry.running = undefined;
    this.#options.log(entry.id).info("node.stopped", { node: entry.id });
  }

  #view(entry: NodeEntry): NodeResource {
    const { id, uid, createTimeMs, spec, running, http, listenerAddress } = entry;
    const counts = running?.router.counts;
    return {
      node: id,
      id,
      uid,
      createTimeMs,
      spec,
      status: {
        state: running === undefined ? "stopped" : this.#draining ? "draining" : "active",
        isDefault: this.#default === id,
        pid: running === undefined ? 0 : process.pid,
        tcpListenerAddress: running === undefined ? listenerAddress : running.listeners.nodeAddress,
        httpServerAddress: http?.address ?? "",
        warnings: running?.warnings ?? [],
        messages: {
          received: counts?.received ?? 0,
          sent: running?.sentMessages ?? 0,
          delivered: counts?.delivered ?? 0,
          dropped: counts?.dropped ?? {},
        },
        logPath: this.#options.logPath(id),
      },
    };
  }
}

/** Throws `bad_socket_address`. */
function withDefaults(spec: NodeSpec): NodeSpec {
  return {
    ...spec,
    tcpListenerAddress: fullSocketAddress(spec.tcpListenerAddress || defaultListenerAddress),
  };
}
