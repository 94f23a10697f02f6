import assert from "node:assert/strict";
import { test } from "node:test";
import { PortwayError } from "../../src/base/errors.js";
import { ChangeLog } from "../../src/node/change-log.js";
import { type WatchEvent, type WatchOptions, watchChanges } from "../../src/node/watch.js";
import { FakeClock } from "../support/fake-clock.js";

interface Thing {
  readonly node: string;
  readonly id: string;
  readonly text: string;
}

/** Relays that a test changes, and watches of them. */
class Things {
  readonly changes: ChangeLog;
  readonly clock = new FakeClock();
  readonly signal = new AbortController();
  readonly #byKey = new Map<string, Thing>();
  onList: () => void = () => {};

  constructor(capacity = 16) {
    this.changes = new ChangeLog(capacity);
  }

  put(node: string, id: string, text = ""): void {
    const isNew = !this.#byKey.has(`${node}/${id}`);
    this.#byKey.set(`${node}/${id}`, { node, id, text });
    this.changes.append(isNew ? "added" : "modified", "relay", node, id);
  }

  /** Changes figures alone: nobody is told. */
  carry(node: string, id: string, text: string): void {
    this.#byKey.set(`${node}/${id}`, { node, id, text });
  }

  delete(node: string, id: string): void {
    this.#byKey.delete(`${node}/${id}`);
    this.changes.append("deleted", "relay", node, id);
  }

  watch(options: Partial<WatchOptions> & { readonly figures?: boolean } = {}): Reader {
    const { figures = false, ...rest } = options;
    const node = rest.node ?? "";
    const events = watchChanges<Thing>(
      this.changes,
      [
        {
          kind: "relay",
          list: async () => {
            this.onList();
            return [...this.#byKey.values()].filter((thing) => node === "" || thing.node === node);
          },
          get: async (of, id) => {
            const thing = this.#byKey.get(`${of}/${id}`);
            if (thing === undefined) throw new PortwayError("relay_not_found", "gone");
            return thing;
          },
          ...(figures && { figures: ({ text }: Thing) => text }),
        },
      ],
      {
        node,
        startRevision: "",
        bookmarkIntervalMs: 30_000,
        signal: this.signal.signal,
        clock: this.clock,
        ...rest,
      },
    );
    return new Reader(events);
  }
}

class Reader {
  readonly #events: AsyncGenerator<WatchEvent<Thing>>;
  revision = "";

  constructor(events: AsyncGenerator<WatchEvent<Thing>>) {
    this.#events = events;
  }

  /** The next event in short: `added n1/r1 text`. */
  async next(): Promise<string> {
    const { value } = await this.#events.next();
    if (value.revision !== "") this.revision = value.revision;
    if (value.type === "synced" || value.type === "bookmark") return value.type;
    const text = value.type === "deleted" ? "" : ` ${value.resource.text}`;
    return `${value.type} ${value.node}/${value.id}${text}`.trimEnd();
  }

  async take(count: number): Promise<string[]> {
    const events: string[] = [];
    while (events.length < count) events.push(await this.next());
    return events;
  }
}

const codeIs = (code: string) => (error: unknown) => error instanceof PortwayError && error.code === code;

test("a watch tells what there is, that this was all, and then each change with its revision", async () => {
  const things = new Things();
  things.put("n1", "a", "1");
  const reader = things.watch();
  assert.deepEqual(await reader.take(2), ["added n1/a 1", "synced"]);
  assert.equal(reader.revision, things.changes.revision);
  things.put("n1", "a", "2");
  assert.equal(await reader.next(), "modified n1/a 2");
  const waiting = reader.next();
  things.put("n2", "b");
  assert.equal(await waiting, "added n2/b");
  things.delete("n1", "a");
  assert.equal(await reader.next(), "deleted n1/a");
});

test("what is listed before SYNCED has no revision: going on from one would miss the rest", async () => {
  const things = new Things();
  things.put("n1", "a");
  things.put("n1", "b");
  const reader = things.watch();
  await reader.take(2);
  assert.equal(reader.revision, "");
});

test("changes of one resource become one event, and what came and went between two looks is not told", async () => {
  const things = new Things();
  things.put("n1", "a", "1");
  const reader = things.watch();
  await reader.take(2);
  things.put("n1", "a", "2");
  things.put("n1", "ghost");
  things.put("n1", "a", "3");
  things.delete("n1", "ghost");
  things.put("n1", "last");
  assert.deepEqual(await reader.take(2), ["modified n1/a 3", "added n1/last"]);
});

test("another resource of the same name is told as deleted and added", async () => {
  const things = new Things();
  things.put("n1", "a", "1");
  const reader = things.watch();
  await reader.take(2);
  things.delete("n1", "a");
  things.put("n1", "a", "other");
  assert.deepEqual(await reader.take(2), ["deleted n1/a", "added n1/a other"]);
});

test("a change while the list is being made is told behind it", async () => {
  const things = new Things();
  things.put("n1", "a", "1");
  things.onList = () => {
    things.onList = () => {};
    things.put("n1", "a", "2");
    things.put("n1", "b");
  };
  const reader = things.watch();
  assert.deepEqual(await reader.take(3), ["added n1/a 2", "added n1/b", "synced"]);
  // The revision of SYNCED is that from before the list, so both may come again.
  assert.deepEqual(await reader.take(2), ["modified n1/a 2", "modified n1/b"]);
});

test("a watch goes on behind a revision, tells what changed in between, and that this was all", async () => {
  const things = new Things();
  things.put("n1", "kept");
  things.put("n1", "leaves");
  const first = things.watch();
  await first.take(3);
  things.put("n1", "kept", "2");
  things.put("n1", "new");
  things.put("n1", "ghost");
  things.delete("n1", "ghost");
  things.delete("n1", "leaves");
  const second = things.watch({ startRevision: first.revision });
  assert.deepEqual(await second.take(5), [
    "modified n1/kept 2",
    "added n1/new",
    "deleted n1/ghost",
    "deleted n1/leaves",
    "synced",
  ]);
  assert.equal(second.revision, things.changes.revision);
});

test("what was told and is gone when the watch goes on is told as deleted", async () => {
  const things = new Things();
  const first = things.watch();
  await first.take(1);
  things.put("n1", "told");
  things.put("n1", "replaced");
  assert.deepEqual(await first.take(2), ["added n1/told", "added n1/replaced"]);
  things.delete("n1", "told");
  things.delete("n1", "replaced");
  things.put("n1", "replaced", "other");
  const second = things.watch({ startRevision: first.revision });
  assert.deepEqual(await second.take(4), [
    "deleted n1/told",
    "deleted n1/replaced",
    "added n1/replaced other",
    "synced",
  ]);
  things.put("n1", "later");
  things.delete("n1", "later");
  things.put("n1", "last");
  assert.equal(await second.next(), "added n1/last");
});

test("an event inside of a batch carries a revision from which the rest of the batch is told again", async () => {
  const things = new Things();
  const first = things.watch();
  await first.take(1);
  things.put("n1", "a");
  things.put("n1", "b");
  assert.equal(await first.next(), "added n1/a");
  const second = things.watch({ startRevision: first.revision });
  assert.deepEqual(await second.take(3), ["added n1/a", "added n1/b", "synced"]);
});

test("a revision that is too old, of another daemon, or none at all is refused", async () => {
  const things = new Things(4);
  const old = things.changes.revision;
  for (let at = 0; at < 5; at += 1) things.put("n1", `r${at}`);
  await assert.rejects(things.watch({ startRevision: old }).next(), (error: unknown) => {
    assert.ok(error instanceof PortwayError);
    assert.equal(error.code, "revision_compacted");
    assert.equal(error.facts["compact_revision"], things.changes.compactRevision);
    assert.equal(error.facts["current_revision"], things.changes.revision);
    return true;
  });
  assert.deepEqual(
    (await things.watch({ startRevision: things.changes.compactRevision }).take(5)).at(-1),
    "synced",
  );
  const other = new ChangeLog().revision;
  await assert.rejects(things.watch({ startRevision: other }).next(), codeIs("revision_compacted"));
  for (const wrong of ["x", `${things.changes.epoch}-6`, `${things.changes.epoch}--1`, `${old} `]) {
    await assert.rejects(things.watch({ startRevision: wrong }).next(), codeIs("bad_argument"), wrong);
  }
});

test("a reader that the log has overtaken is told so, and changes of others do not count", async () => {
  const things = new Things(4);
  const reader = things.watch({ node: "n1" });
  await reader.take(1);
  // Waits, so that what does not concern it moves it on.
  const waiting = reader.next();
  await things.clock.advance(0);
  for (let at = 0; at < 20; at += 1) things.put("n2", `r${at}`);
  things.put("n1", "a");
  assert.equal(await waiting, "added n1/a");
  for (let at = 0; at < 6; at += 1) things.put("n1", `r${at}`);
  await assert.rejects(reader.take(6), codeIs("watch_too_slow"));
});

test("a bookmark comes when nothing was told for the interval, with the revision of now", async () => {
  const things = new Things();
  const reader = things.watch({ bookmarkIntervalMs: 5000, node: "n1" });
  await reader.take(1);
  let event: string | undefined;
  const waiting = reader.next().then((told) => {
    event = told;
  });
  things.put("n2", "b");
  await things.clock.advance(4999);
  assert.equal(event, undefined);
  await things.clock.advance(1);
  await waiting;
  assert.equal(event, "bookmark");
  assert.equal(reader.revision, things.changes.revision);
});

test("figures alone are told at most once in each interval, and only if they differ", async () => {
  const things = new Things();
  things.put("n1", "a", "0 bytes");
  things.put("n1", "idle", "0 bytes");
  const reader = things.watch({ figures: true, figuresIntervalMs: 1000 });
  await reader.take(3);
  let event: string | undefined;
  const waiting = reader.next().then((told) => {
    event = told;
  });
  things.carry("n1", "a", "1 byte");
  await things.clock.advance(999);
  things.carry("n1", "a", "2 bytes");
  assert.equal(event, undefined);
  await things.clock.advance(1);
  await waiting;
  assert.equal(event, "modified n1/a 2 bytes");
  const next = reader.next();
  await things.clock.advance(20_000);
  things.put("n1", "a", "3 bytes");
  assert.equal(await next, "modified n1/a 3 bytes");
});

test("a watch that goes on from a revision tells the figures of all once", async () => {
  const things = new Things();
  things.put("n1", "a", "7 bytes");
  const reader = things.watch({
    figures: true,
    figuresIntervalMs: 1000,
    startRevision: things.changes.revision,
  });
  assert.equal(await reader.next(), "synced");
  const told = reader.next();
  await things.clock.advance(1000);
  assert.equal(await told, "modified n1/a 7 bytes");
});

test("the end of the signal ends a watch with its reason and leaves no timer and no subscription", async () => {
  const things = new Things();
  const reader = things.watch();
  await reader.take(1);
  const waiting = reader.next();
  await things.clock.advance(0);
  assert.equal(things.clock.pending, 1);
  things.signal.abort(new PortwayError("canceled", "enough"));
  await assert.rejects(waiting, codeIs("canceled"));
  assert.equal(things.clock.pending, 0);
  assert.equal(things.changes.subscribers, 0);
});
