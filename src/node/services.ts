import type { Clock } from "../base/clock.js";
import { PortwayError } from "../base/errors.js";
import type { Log } from "../base/log.js";
import { Address } from "../model/address.js";
import type { Registration, Router } from "../routing/router.js";
import type { Worker } from "../routing/worker.js";
import { createEcho } from "../services/echo.js";
import { createHop } from "../services/hop.js";
import { createUppercase } from "../services/uppercase.js";
import type { ChangeLog } from "./change-log.js";
import type { Created } from "./engine.js";
import type { ServiceKind, ServiceResource, ServiceSpec } from "./resources.js";
import { type Entry, Store } from "./store.js";

interface ServiceEntry extends Entry<ServiceSpec> {
  readonly registration: Registration;
  readonly builtIn: boolean;
}

export interface ServicesOptions {
  readonly node: string;
  readonly router: Router;
  readonly changes: ChangeLog;
  readonly clock: Clock;
  readonly log: Log;
}

const makers: Readonly<Record<ServiceKind, (router: Router, own: Address) => Worker>> = {
  echo: createEcho,
  uppercase: createUppercase,
  hop: createHop,
};

/** The services of a node; those that every node has are there from the start. */
export class Services {
  readonly #options: ServicesOptions;
  readonly #store: Store<ServiceSpec, ServiceEntry>;

  constructor(options: ServicesOptions) {
    this.#options = options;
    this.#store = new Store({ kind: "service", noun: "service", notFound: "service_not_found", ...options });
    this.#start("uppercase", { kind: "uppercase" }, true);
    this.#start("echo", { kind: "echo" }, true);
  }

  /** Throws `address_taken`. */
  create(id: string, spec: ServiceSpec): Created<ServiceResource> {
    const address = id === "" ? spec.kind : id;
    const existing = this.#store.existing(address, spec);
    if (existing !== undefined) return { resource: this.#view(existing), existed: true };
    const entry = this.#start(address, spec, false);
    this.#options.log.info("service.started", { service: spec.kind, address });
    return { resource: this.#view(entry), existed: false };
  }

  get(id: string): ServiceResource {
    return this.#view(this.#store.get(id));
  }

  list(): ServiceResource[] {
    return this.#store.values().map((entry) => this.#view(entry));
  }

  delete(id: string): void {
    const entry = this.#store.get(id);
    if (entry.builtIn) {
      throw new PortwayError(
        "service_built_in",
        `the service "${id}" belongs to the node and can't be stopped`,
        { id },
      );
    }
    this.#end(entry);
  }

  [Symbol.dispose](): void {
    for (const entry of this.#store.close()) this.#end(entry);
  }

  #start(id: string, spec: ServiceSpec, builtIn: boolean): ServiceEntry {
    const { router } = this.#options;
    const address = Address.parse(id);
    const registration = router.register(address, makers[spec.kind](router, address), {
      kind: "service",
      service: spec.kind,
    });
    return this.#store.add({ ...this.#store.make(id, spec), registration, builtIn });
  }

  #end(entry: ServiceEntry): void {
    entry.registration[Symbol.dispose]();
    this.#store.remove(entry);
  }

  #view({ id, uid, createTimeMs, spec, builtIn }: ServiceEntry): ServiceResource {
    const status = { state: "active", address: id, builtIn } as const;
    return { node: this.#options.node, id, uid, createTimeMs, spec, status };
  }
}
