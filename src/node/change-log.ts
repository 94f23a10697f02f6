import { randomBytes } from "node:crypto";
import { PortwayError } from "../base/errors.js";

export type ResourceKind =
  | "node"
  | "tcp_listener"
  | "tcp_connection"
  | "udp_listener"
  | "udp_connection"
  | "service"
  | "relay"
  | "relay_registration"
  | "inlet"
  | "outlet";

/** One change of one resource. What the resource is now is asked of the engine: a change carries no copy. */
export interface Change {
  readonly seq: number;
  readonly type: "added" | "modified" | "deleted";
  readonly kind: ResourceKind;
  readonly node: string;
  readonly id: string;
}

/**
 * All changes of state of the nodes of a daemon, numbered. The newest `capacity` are kept, in a ring; a reader that
 * asks for older ones hears that they are gone. Revisions are opaque to clients: `{epoch}-{seq}`, where the epoch
 * differs between two starts of a daemon.
 */
export class ChangeLog {
  readonly epoch = randomBytes(6).toString("hex");
  readonly #ring: (Change | undefined)[];
  readonly #listeners = new Set<(change: Change) => void>();
  #seq = 0;

  constructor(capacity = 4096) {
    this.#ring = new Array(capacity).fill(undefined);
  }

  get revision(): string {
    return this.revisionAt(this.#seq);
  }

  /** The number of the newest change; 0 if there was none. */
  get seq(): number {
    return this.#seq;
  }

  /** The oldest revision that can still be resumed from. */
  get compactRevision(): string {
    return this.revisionAt(Math.max(0, this.#seq - this.#ring.length));
  }

  /** Subscriptions that were not disposed. */
  get subscribers(): number {
    return this.#listeners.size;
  }

  revisionAt(seq: number): string {
    return `${this.epoch}-${seq}`;
  }

  /**
   * The number of the change that `revision` was made for. Throws `bad_argument` for what no change log gave, and
   * `revision_compacted` if changes after it are no longer kept: they are too many, or the daemon has been started anew.
   */
  parse(revision: string): number {
    const match = /^([0-9a-f]{12})-(0|[1-9]\d{0,14})$/.exec(revision);
    const [, epoch, digits] = match ?? [];
    const seq = Number(digits);
    if (match === null || (epoch === this.epoch && seq > this.#seq)) {
      throw new PortwayError(
        "bad_argument",
        `"${revision}" is no revision of this daemon: expected one that a List or a watch gave`,
        { revision },
      );
    }
    if (epoch === this.epoch && seq >= this.#seq - this.#ring.length) return seq;
    const why = epoch === this.epoch ? "are no longer kept" : "are of a daemon that has ended";
    throw new PortwayError(
      "revision_compacted",
      `the changes after revision ${revision} ${why}: watch again without a start, which lists what is there now`,
      { revision, compact_revision: this.compactRevision, current_revision: this.revision },
    );
  }

  append(type: Change["type"], kind: ResourceKind, node: string, id: string): void {
    this.#seq += 1;
    const change: Change = { seq: this.#seq, type, kind, node, id };
    this.#ring[this.#seq % this.#ring.length] = change;
    for (const listener of this.#listeners) listener(change);
  }

  /** The changes after `seq` in order; undefined if some of them are no longer kept. */
  since(seq: number): readonly Change[] | undefined {
    if (seq < this.#seq - this.#ring.length) return undefined;
    const changes: Change[] = [];
    for (let at = Math.max(seq, 0) + 1; at <= this.#seq; at += 1) {
      const change = this.#ring[at % this.#ring.length];
      if (change !== undefined) changes.push(change);
    }
    return changes;
  }

  /** Calls `listener` in the turn of each change; it must not throw. Disposing ends it. */
  subscribe(listener: (change: Change) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }
}
