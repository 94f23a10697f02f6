import type { Clock } from "../base/clock.js";
import { PortwayError } from "../base/errors.js";
import type { Log } from "../base/log.js";
import { Route } from "../model/route.js";
import { createRelayClient, type RelayClient } from "../relay/relay-client.js";
import type { Link } from "../routing/link.js";
import type { Router } from "../routing/router.js";
import type { ChangeLog } from "./change-log.js";
import type { Created, WaitOptions } from "./engine.js";
import type { RelayResource, RelaySpec } from "./resources.js";
import { planRoute, type RoutePlan } from "./route-resolver.js";
import { type Entry, Store } from "./store.js";
import { settledWithin } from "./waiting.js";

interface RelayEntry extends Entry<RelaySpec> {
  readonly client: RelayClient;
  readonly link: Link;
}

export interface RelaysOptions {
  readonly node: string;
  readonly router: Router;
  /** The link that a plan asks for, listed under `owner`. */
  readonly linkFor: (plan: RoutePlan, owner: string) => { link: Link; plan: RoutePlan };
  readonly changes: ChangeLog;
  readonly clock: Clock;
  readonly log: Log;
}

/** The relays that a node holds at other nodes. */
export class Relays {
  readonly #options: RelaysOptions;
  readonly #store: Store<RelaySpec, RelayEntry>;

  constructor(options: RelaysOptions) {
    this.#options = options;
    this.#store = new Store({
      kind: "relay",
      noun: "relay",
      notFound: "relay_not_found",
      complete: ({ at, relayAddress }, id) => ({ at, relayAddress: relayAddress || id }),
      ...options,
    });
  }

  async create(id: string, spec: RelaySpec, wait: WaitOptions = {}): Promise<Created<RelayResource>> {
    const name = id === "" ? "default" : id;
    const plan = planRoute(spec.at);
    const existing = this.#store.existing(name, spec);
    const entry = existing ?? this.#hold(name, spec, plan);
    const undo = (): void => this.#end(entry);
    await this.#store.settle(entry, wait, (until) => settled(entry.client, until), undo);
    return { resource: this.#view(entry), existed: existing !== undefined };
  }

  get(id: string): RelayResource {
    return this.#view(this.#store.get(id));
  }

  list(): RelayResource[] {
    return this.#store.byId().map((entry) => this.#view(entry));
  }

  delete(id: string): void {
    this.#end(this.#store.get(id));
  }

  [Symbol.dispose](): void {
    for (const entry of this.#store.close()) this.#end(entry);
  }

  #hold(name: string, spec: RelaySpec, plan: RoutePlan): RelayEntry {
    const { router, clock, log } = this.#options;
    const { link, plan: rest } = this.#options.linkFor(plan, `relays/${name}`);
    if (link.route.isEmpty && rest.tail.isEmpty) {
      throw new PortwayError("bad_route", `"${spec.at}" names no node that could host a relay`, {
        route: spec.at,
      });
    }
    let client: RelayClient;
    try {
      client = createRelayClient({
        router,
        link: through(link, rest.tail),
        name: spec.relayAddress === "" ? name : spec.relayAddress,
        clock,
        log,
        changed: () => this.#store.changed(name),
      });
    } catch (error) {
      link[Symbol.dispose]();
      throw error;
    }
    const entry = this.#store.add({ ...this.#store.make(name, spec), client, link });
    log.info("relay.created", { relay: name, at: spec.at });
    return entry;
  }

  #end(entry: RelayEntry): void {
    if (!this.#store.remove(entry)) return;
    entry.client[Symbol.dispose]();
    entry.link[Symbol.dispose]();
    this.#options.log.info("relay.deleted", { relay: entry.id });
  }

  #view({ id, uid, createTimeMs, spec, client }: RelayEntry): RelayResource {
    return { node: this.#options.node, id, uid, createTimeMs, spec, status: client.status() };
  }
}

async function settled(client: RelayClient, wait: WaitOptions): Promise<void> {
  const stop = new AbortController();
  const end = client.waitUntilSettled(stop.signal);
  end.catch(() => {});
  try {
    await settledWithin(end, wait);
  } finally {
    stop.abort();
  }
}

/** The same link with more workers behind it. */
function through(link: Link, tail: Route): Link {
  if (tail.isEmpty) return link;
  return {
    route: Route.of(...link.route.addresses(), ...tail.addresses()),
    get isUp() {
      return link.isUp;
    },
    watch: (listener) => link.watch(listener),
    heard: () => link.heard(),
    renew: (reason) => link.renew(reason),
    [Symbol.dispose]: () => link[Symbol.dispose](),
  };
}
