import { Roster } from "../base/roster.js";
import type { Address } from "../model/address.js";
import type { Route } from "../model/route.js";

const minSlots = 64;

/** The workers of a node by address, in the order in which they came. A route finds its own without making a key of it. */
export class WorkerTable<R extends { readonly address: Address }> {
  readonly #workers = new Roster<Entry<R>>();
  /** By the last bits of their addresses' hashes, those that share them behind each other. */
  #slots = new Array<Entry<R> | undefined>(minSlots).fill(undefined);

  has(address: Address): boolean {
    return this.get(address) !== undefined;
  }

  get(address: Address): R | undefined {
    let entry = this.#slotOf(address.hash);
    while (entry !== undefined && !entry.worker.address.equals(address)) entry = entry.next;
    return entry?.worker;
  }

  /** The worker at the head of a route that is not empty. */
  firstOf(route: Route): R | undefined {
    let entry = this.#slotOf(route.firstHash);
    while (entry !== undefined && !route.firstIs(entry.worker.address)) entry = entry.next;
    return entry?.worker;
  }

  /** Its address must be free. */
  add(worker: R): void {
    const entry = new Entry(worker);
    entry.place = this.#workers.add(entry);
    if (this.#workers.size > this.#slots.length) this.#resize(this.#slots.length * 4);
    else this.#link(entry);
  }

  /** Does nothing if it is not there, or another one has taken its address. */
  remove(worker: R): void {
    const slot = worker.address.hash & (this.#slots.length - 1);
    let before: Entry<R> | undefined;
    let entry = this.#slots[slot];
    while (entry !== undefined && entry.worker !== worker) {
      before = entry;
      entry = entry.next;
    }
    if (entry === undefined) return;
    if (before === undefined) this.#slots[slot] = entry.next;
    else before.next = entry.next;
    entry.next = undefined;
    entry.place?.[Symbol.dispose]();
    if (this.#slots.length > minSlots && this.#workers.size < this.#slots.length / 16)
      this.#resize(this.#slots.length / 4);
  }

  values(): R[] {
    return this.#workers.items().map(({ worker }) => worker);
  }

  #slotOf(hash: number): Entry<R> | undefined {
    return this.#slots[hash & (this.#slots.length - 1)];
  }

  #link(entry: Entry<R>): void {
    const slot = entry.worker.address.hash & (this.#slots.length - 1);
    entry.next = this.#slots[slot];
    this.#slots[slot] = entry;
  }

  #resize(slots: number): void {
    this.#slots = new Array<Entry<R> | undefined>(slots).fill(undefined);
    for (const entry of this.#workers.items()) this.#link(entry);
  }
}

class Entry<R> {
  readonly worker: R;
  next: Entry<R> | undefined;
  place: Disposable | undefined;

  constructor(worker: R) {
    this.worker = worker;
  }
}
