import type { Address } from "../model/address.js";
import type { Route } from "../model/route.js";
import type { Registration } from "./router.js";

const recentSlots = 256;

/** The workers of a node by address, in the order of their registration. */
export class WorkerTable {
  readonly #workers = new Map<string, Registration>();
  /** By the hash of their address, those found last: comparing bytes costs less than making a key of them. */
  readonly #recent = new Array<Registration | undefined>(recentSlots).fill(undefined);

  has(address: Address): boolean {
    return this.#workers.has(address.key);
  }

  get(address: Address): Registration | undefined {
    return this.#workers.get(address.key);
  }

  /** The worker at the head of a route that is not empty. */
  firstOf(route: Route): Registration | undefined {
    const slot = route.firstHash;
    const recent = this.#recent[slot];
    if (recent !== undefined && route.firstIs(recent.address)) return recent;
    const found = this.#workers.get(route.firstKey);
    if (found !== undefined) this.#recent[slot] = found;
    return found;
  }

  add(registration: Registration): void {
    this.#workers.set(registration.address.key, registration);
  }

  /** Does nothing if it is not there, or another one has taken its address. */
  remove(registration: Registration): void {
    const { key, hash } = registration.address;
    if (this.#workers.get(key) !== registration) return;
    this.#workers.delete(key);
    if (this.#recent[hash] === registration) this.#recent[hash] = undefined;
  }

  values(): IterableIterator<Registration> {
    return this.#workers.values();
  }
}
