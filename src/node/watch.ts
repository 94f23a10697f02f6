import { type Clock, systemClock } from "../base/clock.js";
import { PortwayError } from "../base/errors.js";
import type { Change, ChangeLog, ResourceKind } from "./change-log.js";

/** What a watch needs of a resource. */
interface Watchable {
  readonly node: string;
  readonly id: string;
}

/** One kind of resources to watch. */
export interface WatchSource<R extends Watchable> {
  readonly kind: ResourceKind;
  list(): Promise<readonly R[]>;
  /** Rejects with a PortwayError for one that is gone. */
  get(node: string, id: string): Promise<R>;
  /** Text that differs when figures of the resource do which are in no change log, such as bytes carried. */
  figures?(resource: R): string;
}

export interface WatchOptions {
  /** Watch what belongs to this node alone; empty for all nodes. */
  readonly node: string;
  /** Empty lists first; a revision goes on behind it. */
  readonly startRevision: string;
  readonly bookmarkIntervalMs: number;
  /** How often to look for figures that differ; needed where a source has some. */
  readonly figuresIntervalMs?: number;
  /** Its end ends the watch, with its reason. */
  readonly signal: AbortSignal;
  readonly clock?: Clock;
}

export type WatchEvent<R extends Watchable> =
  | {
      readonly type: "added" | "modified";
      /** Where to go on from; empty before `synced`. */
      readonly revision: string;
      readonly kind: ResourceKind;
      readonly node: string;
      readonly id: string;
      readonly resource: R;
    }
  | {
      readonly type: "deleted";
      readonly revision: string;
      readonly kind: ResourceKind;
      readonly node: string;
      readonly id: string;
    }
  | { readonly type: "synced" | "bookmark"; readonly revision: string };

/**
 * What there is and then what changes, for as long as the signal says. Changes are read from the log when the reader
 * asks for the next event, so a reader that is slow costs no memory and holds up nobody: several changes of one
 * resource become one event with its state of now, and a reader that the log has overtaken hears `watch_too_slow`.
 *
 * The revision of an event is one from which nothing is missed; some of what was told may be told again.
 *
 * Throws `bad_argument` and `revision_compacted` for a start that can't be.
 */
export async function* watchChanges<R extends Watchable>(
  changes: ChangeLog,
  sources: readonly WatchSource<R>[],
  options: WatchOptions,
): AsyncGenerator<WatchEvent<R>, never, undefined> {
  const watch = new Watch(changes, sources, options);
  try {
    yield* watch.start();
    for (;;) {
      yield* watch.changed();
      yield* watch.figures();
      yield* watch.bookmark();
      await watch.wait();
    }
  } finally {
    watch[Symbol.dispose]();
  }
}

class Watch<R extends Watchable> implements Disposable {
  readonly #changes: ChangeLog;
  readonly #sources: ReadonlyMap<ResourceKind, WatchSource<R>>;
  readonly #options: WatchOptions;
  readonly #clock: Clock;
  readonly #subscription: Disposable;
  /** What the reader was told of. */
  readonly #known = new Set<string>();
  readonly #figures = new Map<string, string>();
  readonly #hasFigures: boolean;
  readonly #isResumed: boolean;
  /** The newest change when the watch began. */
  readonly #startSeq: number;
  /** Every change up to this one was told. */
  #told: number;
  /** There is something of ours behind `#told`, or what is there is being told. */
  #isBehind = true;
  #wake: (() => void) | undefined;
  #bookmarkAtMs = 0;
  #figuresAtMs = 0;

  constructor(changes: ChangeLog, sources: readonly WatchSource<R>[], options: WatchOptions) {
    this.#changes = changes;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#sources = new Map(sources.map((source) => [source.kind, source]));
    this.#hasFigures = sources.some(({ figures }) => figures !== undefined);
    this.#isResumed = options.startRevision !== "";
    this.#startSeq = changes.seq;
    this.#told = this.#isResumed ? changes.parse(options.startRevision) : changes.seq;
    this.#subscription = changes.subscribe((change) => {
      if (this.#concerns(change)) {
        this.#isBehind = true;
        this.#wake?.();
      } else if (!this.#isBehind) {
        this.#told = change.seq;
      }
    });
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
  }

  /** What is there, or what has changed since the start; then that this was all. */
  async *start(): AsyncGenerator<WatchEvent<R>> {
    if (this.#isResumed) {
      yield* this.changed();
    } else {
      for (const source of this.#sources.values()) {
        for (const resource of await source.list()) {
          const key = keyOf(source.kind, resource);
          this.#known.add(key);
          if (source.figures !== undefined) this.#figures.set(key, source.figures(resource));
          yield this.#event("added", "", source, resource);
        }
      }
    }
    const now = this.#clock.monotonicMs();
    this.#figuresAtMs = now + (this.#options.figuresIntervalMs ?? 0);
    yield this.#mark("synced");
  }

  /** What has changed since the last look. */
  async *changed(): AsyncGenerator<WatchEvent<R>> {
    while (this.#isBehind) {
      const untilSeq = this.#changes.seq;
      const found = this.#changes.since(this.#told);
      if (found === undefined) throw tooSlow(this.#changes.revisionAt(this.#told));
      const batch = grouped(found.filter((change) => this.#concerns(change)));
      // A revision inside of a batch would miss what is not told yet.
      const revision = this.#changes.revisionAt(this.#told);
      for (const [key, changed] of batch) yield* this.#tell(key, changed, revision);
      this.#told = untilSeq;
      this.#isBehind = this.#changes.seq !== untilSeq;
    }
  }

  /** What has other figures than were told last, if it is time to look. */
  async *figures(): AsyncGenerator<WatchEvent<R>> {
    const { figuresIntervalMs } = this.#options;
    if (!this.#hasFigures || figuresIntervalMs === undefined) return;
    if (this.#clock.monotonicMs() < this.#figuresAtMs) return;
    for (const source of this.#sources.values()) {
      if (source.figures === undefined) continue;
      // A node that is watched may go and come again.
      for (const resource of (await ifThere(source.list())) ?? []) {
        const key = keyOf(source.kind, resource);
        const figures = source.figures(resource);
        if (this.#figures.get(key) === figures) continue;
        // What was made a moment ago is told with its change.
        if (!this.#isResumed && !this.#known.has(key)) continue;
        this.#figures.set(key, figures);
        yield this.#event("modified", this.#changes.revisionAt(this.#told), source, resource);
      }
    }
    this.#figuresAtMs = this.#clock.monotonicMs() + figuresIntervalMs;
  }

  /** How far the watch is, if nothing said so for a while. */
  *bookmark(): Generator<WatchEvent<R>> {
    if (this.#clock.monotonicMs() >= this.#bookmarkAtMs && !this.#isBehind) yield this.#mark("bookmark");
  }

  /** Until there may be something to tell. Rejects with the signal's reason. */
  wait(): Promise<void> {
    const { signal, figuresIntervalMs } = this.#options;
    if (signal.aborted) return Promise.reject(signal.reason);
    if (this.#isBehind) return Promise.resolve();
    const looksForFigures = this.#hasFigures && figuresIntervalMs !== undefined;
    const untilMs = Math.min(this.#bookmarkAtMs, looksForFigures ? this.#figuresAtMs : this.#bookmarkAtMs);
    return new Promise((resolve, reject) => {
      const settle = (how: () => void): void => {
        this.#wake = undefined;
        timer[Symbol.dispose]();
        signal.removeEventListener("abort", onAbort);
        how();
      };
      const onAbort = (): void => settle(() => reject(signal.reason));
      const timer = this.#clock.after(Math.max(1, untilMs - this.#clock.monotonicMs()), () =>
        settle(resolve),
      );
      signal.addEventListener("abort", onAbort, { once: true });
      this.#wake = () => settle(resolve);
    });
  }

  async *#tell(key: string, changes: readonly Change[], revision: string): AsyncGenerator<WatchEvent<R>> {
    const { kind, node, id, type, seq } = changes[0]!;
    const source = this.#sources.get(kind)!;
    // Who goes on from a revision knows what was not added behind it.
    const isKnown = this.#known.has(key) || (this.#isResumed && type !== "added");
    // An event has the revision before it, so what was added behind that may have been told as well.
    const mayBeKnown = isKnown || (this.#isResumed && seq <= this.#startSeq);
    const resource = await ifThere(source.get(node, id));
    if (resource === undefined) {
      this.#known.delete(key);
      this.#figures.delete(key);
      if (mayBeKnown) yield { type: "deleted", revision, kind, node, id };
      return;
    }
    const isOther = changes.some((change) => change.type === "deleted");
    if (mayBeKnown && isOther) yield { type: "deleted", revision, kind, node, id };
    this.#known.add(key);
    if (source.figures !== undefined) this.#figures.set(key, source.figures(resource));
    yield this.#event(isKnown && !isOther ? "modified" : "added", revision, source, resource);
  }

  #event(type: "added" | "modified", revision: string, { kind }: WatchSource<R>, resource: R): WatchEvent<R> {
    const { node, id } = resource;
    if (revision !== "") this.#said();
    return { type, revision, kind, node, id, resource };
  }

  #mark(type: "synced" | "bookmark"): WatchEvent<R> {
    this.#said();
    return { type, revision: this.#changes.revisionAt(this.#told) };
  }

  #said(): void {
    this.#bookmarkAtMs = this.#clock.monotonicMs() + this.#options.bookmarkIntervalMs;
  }

  #concerns({ kind, node }: Change): boolean {
    return this.#sources.has(kind) && (this.#options.node === "" || this.#options.node === node);
  }
}

/** The changes of each resource, in the order of the last one. */
function grouped(changes: readonly Change[]): Map<string, Change[]> {
  const groups = new Map<string, Change[]>();
  for (const change of changes) {
    const key = keyOf(change.kind, change);
    const group = groups.get(key) ?? [];
    group.push(change);
    groups.delete(key);
    groups.set(key, group);
  }
  return groups;
}

function keyOf(kind: ResourceKind, { node, id }: Watchable): string {
  return `${kind} ${node} ${id}`;
}

/** Undefined for what is gone. */
async function ifThere<R>(getting: Promise<R>): Promise<R | undefined> {
  try {
    return await getting;
  } catch (error) {
    if (error instanceof PortwayError) return undefined;
    throw error;
  }
}

function tooSlow(revision: string): PortwayError {
  return new PortwayError(
    "watch_too_slow",
    "the watch was read so slowly that changes it had not told are no longer kept: watch again without a start, and " +
      "read faster",
    { revision },
  );
}
