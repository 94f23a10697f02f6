import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { Clock } from "../base/clock.js";
import { type ErrorCode, PortwayError } from "../base/errors.js";
import { sharedController } from "../base/shared-controller.js";
import { anyOf } from "../base/signals.js";
import type { ChangeLog, ResourceKind } from "./change-log.js";
import type { WaitOptions } from "./engine.js";

/** What every entry of a store has. */
export interface Entry<Spec> {
  readonly id: string;
  readonly uid: string;
  readonly createTimeMs: number;
  readonly spec: Spec;
}

/** What is in a store. */
export interface StoreKind {
  readonly kind: ResourceKind;
  /** What an entry is called in an error. */
  readonly noun: string;
  readonly notFound: ErrorCode;
}

export interface StoreOptions<Spec> extends StoreKind {
  readonly node: string;
  /** The spec of the entry `id` with its defaults, so that two that ask for the same are equal. */
  readonly complete?: (spec: Spec, id: string) => Spec;
  readonly changes: ChangeLog;
  readonly clock: Clock;
}

/** The creates that an entry is the answer to. */
interface Creates {
  /** Ends when the entry is taken out. */
  readonly removal: AbortController;
  waiting: number;
  hasAnswered: boolean;
}

/** The resources of one kind on one node, in the order of their creation; every change is in the change log. */
export class Store<Spec, E extends Entry<Spec>> {
  readonly #options: StoreOptions<Spec>;
  readonly #entries = new Map<string, E>();
  /** Ids of entries that are being made. */
  readonly #claimed = new Set<string>();
  readonly #creates = new WeakMap<E, Creates>();
  #closed = false;

  constructor(options: StoreOptions<Spec>) {
    this.#options = options;
  }

  /** The fixed part of a new entry. */
  make(id: string, spec: Spec): Entry<Spec> {
    return { id, uid: randomUUID(), createTimeMs: this.#options.clock.wallMs(), spec };
  }

  /** Throws the store's not-found error. */
  get(id: string): E {
    const entry = this.#entries.get(id);
    if (entry !== undefined) return entry;
    const { noun, node, notFound } = this.#options;
    throw new PortwayError(notFound, `the ${noun} "${id}" was not found on node ${node}`, { node, id });
  }

  values(): readonly E[] {
    return [...this.#entries.values()];
  }

  /** In the order of their ids. */
  byId(): readonly E[] {
    return [...this.#entries.values()].sort((one, other) => (one.id < other.id ? -1 : 1));
  }

  /** The entry with this id if its spec is equal; throws `already_exists` if it is another. */
  existing(id: string, spec: Spec): E | undefined {
    const entry = this.#entries.get(id);
    if (entry === undefined) return undefined;
    const { noun, node, complete = (same) => same } = this.#options;
    const [there, wanted] = [complete(entry.spec, id), complete(spec, id)];
    if (isDeepStrictEqual(there, wanted)) return entry;
    const said = `the ${noun} "${id}" exists already on node ${node} with ${differences(there, wanted)}`;
    throw new PortwayError("already_exists", said, { node, id });
  }

  /** Keeps the id for an entry whose making takes time, until it is disposed. Throws `already_exists` if another has it. */
  claim(id: string): Disposable {
    if (this.#claimed.has(id)) {
      const { noun, node } = this.#options;
      const said = `the ${noun} "${id}" is being created on node ${node} by another call`;
      throw new PortwayError("already_exists", said, { node, id });
    }
    this.#claimed.add(id);
    return { [Symbol.dispose]: () => void this.#claimed.delete(id) };
  }

  /** Throws `stopped` once the store is closed: what was made for the entry is left to the caller. */
  add(entry: E): E {
    if (this.#closed) {
      const { noun, node } = this.#options;
      const said = `node ${node} takes nothing new any more: the ${noun} "${entry.id}" was not made`;
      throw new PortwayError("stopped", said, { node, id: entry.id });
    }
    this.#entries.set(entry.id, entry);
    this.#log("added", entry.id);
    return entry;
  }

  changed(id: string): void {
    if (this.#entries.has(id)) this.#log("modified", id);
  }

  /** Takes the entry out. False if it was not there any more, whatever has its id now. */
  remove(entry: E): boolean {
    const { id } = entry;
    if (this.#entries.get(id) !== entry) return false;
    this.#entries.delete(id);
    this.#log("deleted", id);
    const { noun, node, notFound } = this.#options;
    const said = `the ${noun} "${id}" of node ${node} was deleted before it was up`;
    this.#creates.get(entry)?.removal.abort(new PortwayError(notFound, said, { node, id }));
    return true;
  }

  /**
   * Lets a create wait for `entry`, with a wait that ends as well, with the store's not-found error, when the entry is
   * taken out. If it fails, `undo` takes the entry away, unless another create was answered with it or still waits.
   */
  async settle(
    entry: E,
    { signal, ...rest }: WaitOptions,
    waiting: (wait: WaitOptions) => Promise<void>,
    undo: () => void,
  ): Promise<void> {
    const creates = this.#creates.get(entry) ?? {
      removal: sharedController(),
      waiting: 0,
      hasAnswered: false,
    };
    this.#creates.set(entry, creates);
    using either = anyOf(creates.removal.signal, ...(signal === undefined ? [] : [signal]));
    creates.waiting += 1;
    try {
      await waiting({ ...rest, signal: either.signal });
      creates.hasAnswered = true;
    } finally {
      creates.waiting -= 1;
      if (creates.waiting === 0 && !creates.hasAnswered) undo();
    }
  }

  /** Nothing is added any more. Gives what is there. */
  close(): readonly E[] {
    this.#closed = true;
    return this.values();
  }

  #log(type: "added" | "modified" | "deleted", id: string): void {
    this.#options.changes.append(type, this.#options.kind, this.#options.node, id);
  }
}

/** `bind address "old", not "new"` for each field in which two specs differ. */
export function differences(there: unknown, wanted: unknown): string {
  // One that nobody asked for, as a connection that was accepted, has no spec.
  const old = (there ?? {}) as Record<string, unknown>;
  const asked = wanted as Record<string, unknown>;
  const names = [...new Set([...Object.keys(old), ...Object.keys(asked)])];
  const said = names
    .filter((name) => !isDeepStrictEqual(old[name], asked[name]))
    .map(
      (name) => `${inWords(name)} ${valueInWords(name, old[name])}, not ${valueInWords(name, asked[name])}`,
    );
  return said.join("; ");
}

/** `HTTP server port` of `httpServerPort`, `retry wait` of `retryWaitMs`. */
function inWords(name: string): string {
  return name
    .replace(/Ms$/, "")
    .replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
    .replace(/\b(?:tcp|http)\b/g, (word) => word.toUpperCase());
}

function valueInWords(name: string, value: unknown): string {
  if (value === undefined) return "unset";
  return name.endsWith("Ms") ? `${value} ms` : JSON.stringify(value);
}
