import type { Address } from "../model/address.js";
import type { Route } from "../model/route.js";

const recentSlots = 256;

/** The workers of a node by address, in the order in which they came. */
export class WorkerTable<R extends { readonly address: Address }> {
  readonly #workers = new Map<string, R>();
  /** By the hash of their address, those found last: comparing bytes costs less than making a key of them. */
  readonly #recent = new Array<R | undefined>(recentSlots).fill(undefined);

  has(address: Address): boolean {
    return this.#workers.has(address.key);
  }

  get(address: Address): R | undefined {
    return this.#workers.get(address.key);
  }

  /** The worker at the head of a route that is not empty. */
  firstOf(route: Route): R | undefined {
    const slot = route.firstHash;
    const recent = this.#recent[slot];
    if (recent !== undefined && route.firstIs(recent.address)) return recent;
    const found = this.#workers.get(route.firstKey);
    if (found !== undefined) this.#recent[slot] = found;
    return found;
  }

  add(registration: R): void {
    this.#workers.set(registration.address.key, registration);
  }

  /** Does nothing if it is not there, or another one has taken its address. */
  remove(registration: R): void {
    const { key, hash } = registration.address;
    if (this.#workers.get(key) !== registration) return;
    this.#workers.delete(key);
    if (this.#recent[hash] === registration) this.#recent[hash] = undefined;
  }

  values(): IterableIterator<R> {
    return this.#workers.values();
  }
}
