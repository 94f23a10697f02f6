import { randomBytes } from "node:crypto";
import type { Clock } from "../base/clock.js";
import type { Log } from "../base/log.js";
import { Address } from "../model/address.js";
import {
  formatSocketAddress,
  fullSocketAddress,
  parsePeerAddress,
  parseSocketAddress,
  type SocketAddress,
} from "../model/socket-address.js";
import { defaultOpenTimeoutMs, Inlet } from "../portal/inlet.js";
import { defaultConnectTimeoutMs, Outlet } from "../portal/outlet.js";
import type { Link } from "../routing/link.js";
import type { Router } from "../routing/router.js";
import type { ChangeLog } from "./change-log.js";
import { defaultMaxRetryMs } from "./dialed-connection.js";
import type { Created, WaitOptions } from "./engine.js";
import type { InletResource, InletSpec, Liveness, OutletResource, OutletSpec } from "./resources.js";
import { mustBeReliable, planRoute, type RoutePlan } from "./route-resolver.js";
import { type Entry, Store } from "./store.js";
import { settledWithin } from "./waiting.js";

interface InletEntry extends Entry<InletSpec> {
  readonly inlet: Inlet;
}

interface OutletEntry extends Entry<OutletSpec> {
  readonly outlet: Outlet;
}

export interface PortalsOptions {
  readonly node: string;
  readonly router: Router;
  /** The link that a plan asks for, listed under `owner`. */
  readonly linkFor: (
    plan: RoutePlan,
    owner: string,
    maxRetryMs: number | undefined,
  ) => { link: Link; plan: RoutePlan };
  readonly plainSockets: boolean;
  readonly changes: ChangeLog;
  readonly clock: Clock;
  readonly log: Log;
}

const firstOutletAddress = "outlet";

/** The inlets and outlets of a node. */
export class Portals {
  readonly #options: PortalsOptions;
  readonly #inlets: Store<InletSpec, InletEntry>;
  readonly #outlets: Store<OutletSpec, OutletEntry>;
  /** Outlets that were deleted while they had sessions. */
  readonly #leaving = new Set<Outlet>();

  constructor(options: PortalsOptions) {
    this.#options = options;
    this.#inlets = new Store<InletSpec, InletEntry>({
      kind: "inlet",
      noun: "TCP inlet",
      notFound: "inlet_not_found",
      complete: completeInlet,
      ...options,
    });
    this.#outlets = new Store<OutletSpec, OutletEntry>({
      kind: "outlet",
      noun: "TCP outlet",
      notFound: "outlet_not_found",
      complete: completeOutlet,
      ...options,
    });
  }

  async createInlet(id: string, spec: InletSpec, wait: WaitOptions = {}): Promise<Created<InletResource>> {
    const bind = parseSocketAddress(completeInlet(spec).bindAddress);
    const plan = planRoute(spec.to);
    mustBeReliable(plan, spec.to);
    const existing = this.#inlets.existing(id, spec);
    const name = id === "" ? randomBytes(4).toString("hex") : id;
    const entry = existing ?? (await this.#bindInlet(name, spec, bind, plan));
    const settled = (until: WaitOptions): Promise<void> => settledWithin(entry.inlet.settled, until);
    await this.#inlets.settle(entry, wait, settled, () => this.#endInlet(entry));
    return { resource: this.#viewInlet(entry), existed: existing !== undefined };
  }

  getInlet(id: string): InletResource {
    return this.#viewInlet(this.#inlets.get(id));
  }

  listInlets(): InletResource[] {
    return this.#inlets.byId().map((entry) => this.#viewInlet(entry));
  }

  deleteInlet(id: string): void {
    this.#endInlet(this.#inlets.get(id));
  }

  createOutlet(id: string, spec: OutletSpec): Created<OutletResource> {
    const { router, clock, log, plainSockets } = this.#options;
    const target = parsePeerAddress(spec.target);
    const existing = id === "" ? undefined : this.#outlets.existing(id, spec);
    if (existing !== undefined) return { resource: this.#viewOutlet(existing), existed: true };
    const name = id === "" ? this.#freeOutletAddress() : id;
    const outlet = new Outlet({
      router,
      address: Address.parse(name),
      target,
      plainSockets,
      clock,
      log,
      changed: () => this.#outlets.changed(name),
      connectTimeoutMs: completeOutlet(spec).connectTimeoutMs,
    });
    const entry = this.#outlets.add({ ...this.#outlets.make(name, spec), outlet });
    log.info("outlet.created", { outlet: name, target: spec.target });
    return { resource: this.#viewOutlet(entry), existed: false };
  }

  getOutlet(id: string): OutletResource {
    return this.#viewOutlet(this.#outlets.get(id));
  }

  listOutlets(): OutletResource[] {
    return this.#outlets.byId().map((entry) => this.#viewOutlet(entry));
  }

  deleteOutlet(id: string): void {
    const entry = this.#outlets.get(id);
    const { outlet } = entry;
    this.#outlets.remove(entry);
    outlet[Symbol.dispose]();
    for (const gone of this.#leaving) if (!gone.hasSessions) this.#leaving.delete(gone);
    if (outlet.hasSessions) this.#leaving.add(outlet);
    this.#options.log.info("outlet.deleted", { outlet: id });
  }

  /** Sessions that are open. */
  get openSessions(): number {
    const ends = [
      ...this.#inlets.values().map(({ inlet }) => inlet.counts),
      ...this.#outlets.values().map(({ outlet }) => outlet.counts),
      ...[...this.#leaving].map(({ counts }) => counts),
    ];
    return ends.reduce((sum, { open }) => sum + open, 0);
  }

  /** Opens no more sessions; those that run go on. */
  drain(): void {
    for (const { inlet } of this.#inlets.close()) inlet.drain();
    for (const { outlet } of this.#outlets.close()) outlet.drain();
  }

  [Symbol.dispose](): void {
    for (const entry of this.#inlets.close()) this.#endInlet(entry);
    for (const { id, outlet } of this.#outlets.close()) {
      this.deleteOutlet(id);
      outlet.closeSessions();
    }
    for (const outlet of this.#leaving) outlet.closeSessions();
    this.#leaving.clear();
  }

  async #bindInlet(id: string, spec: InletSpec, bind: SocketAddress, plan: RoutePlan): Promise<InletEntry> {
    const { router, clock, log, plainSockets } = this.#options;
    using _claim = this.#inlets.claim(id);
    const { link, plan: rest } = this.#options.linkFor(plan, `inlets/${id}`, spec.retryWaitMs);
    let inlet: Inlet | undefined;
    try {
      inlet = await Inlet.listen({
        router,
        bind,
        link,
        tail: rest.tail,
        plainSockets,
        clock,
        log,
        changed: () => this.#inlets.changed(id),
        openTimeoutMs: completeInlet(spec).openTimeoutMs,
      });
      const entry = this.#inlets.add({ ...this.#inlets.make(id, spec), inlet });
      log.info("inlet.created", { inlet: id, bound: formatSocketAddress(inlet.bound), to: spec.to });
      return entry;
    } catch (error) {
      (inlet ?? link)[Symbol.dispose]();
      throw error;
    }
  }

  #endInlet(entry: InletEntry): void {
    if (!this.#inlets.remove(entry)) return;
    entry.inlet[Symbol.dispose]();
    this.#options.log.info("inlet.deleted", { inlet: entry.id });
  }

  #freeOutletAddress(): string {
    const taken = this.#options.router.find(Address.local(firstOutletAddress)) !== undefined;
    return taken ? `outlet-${randomBytes(4).toString("hex")}` : firstOutletAddress;
  }

  #viewInlet({ id, uid, createTimeMs, spec, inlet }: InletEntry): InletResource {
    const { outcome, outcomeTimeMs } = inlet.counts;
    const path = inlet.liveness;
    return {
      node: this.#options.node,
      id,
      uid,
      createTimeMs,
      spec,
      status: {
        path,
        targetOutcome: outcome,
        ...(outcomeTimeMs !== undefined && { targetTimeMs: outcomeTimeMs }),
        boundAddress: formatSocketAddress(inlet.bound),
        route: inlet.route.toString(),
        workerAddress: inlet.address.text,
        sessions: inlet.counts.view(),
        lastError: lastErrorOf(path),
      },
    };
  }

  #viewOutlet({ id, uid, createTimeMs, spec, outlet }: OutletEntry): OutletResource {
    const { outcome, outcomeTimeMs, lastError } = outlet.counts;
    return {
      node: this.#options.node,
      id,
      uid,
      createTimeMs,
      spec,
      status: {
        state: "active",
        address: id,
        targetOutcome: outcome,
        ...(outcomeTimeMs !== undefined && { targetTimeMs: outcomeTimeMs }),
        lastError,
        sessions: outlet.counts.view(),
      },
    };
  }
}

function completeInlet(spec: InletSpec): Required<InletSpec> {
  return {
    bindAddress: spec.bindAddress === "" ? "127.0.0.1:0" : fullSocketAddress(spec.bindAddress),
    to: spec.to,
    openTimeoutMs: spec.openTimeoutMs ?? defaultOpenTimeoutMs,
    retryWaitMs: spec.retryWaitMs ?? defaultMaxRetryMs,
  };
}

function completeOutlet(spec: OutletSpec): Required<OutletSpec> {
  return {
    target: fullSocketAddress(spec.target),
    connectTimeoutMs: spec.connectTimeoutMs ?? defaultConnectTimeoutMs,
  };
}

/** What keeps the path from working, or else what the last session met at the far end. */
function lastErrorOf({ failure, conditions }: Liveness): string {
  if (failure !== undefined) return failure.lastError;
  return conditions.find(({ type, holds }) => type === "TargetReachable" && holds === false)?.message ?? "";
}
