import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { Gate, type GateWaiter } from "../../src/base/gate.js";
import { deferred } from "../../src/base/signals.js";

function makeGate(stallTimeoutMs = 1_000) {
  const queue = { given: 0, stalled: 0 };
  const gate = new Gate({
    stallTimeoutMs,
    progress: () => queue.given,
    onStalled: () => (queue.stalled += 1),
  });
  return { gate, queue };
}

/** Millisecond by millisecond: a timer that another one starts begins at its time. */
function pass(t: TestContext, ms: number): void {
  for (let left = ms; left > 0; left -= 1) t.mock.timers.tick(1);
}

function waiters(
  names: string,
  opened: string[],
  gate: Gate,
  again: (name: string) => boolean = () => false,
) {
  return [...names].map((name) => {
    const waiter: GateWaiter = {
      gateOpened() {
        opened.push(name);
        if (again(name)) gate.wait(waiter);
      },
    };
    return waiter;
  });
}

test("those who wait are called in the order in which they came, once per wait", () => {
  const { gate } = makeGate();
  const opened: string[] = [];
  const [a, b, c] = waiters("abc", opened, gate);
  for (const waiter of [b!, a!, c!, b!]) gate.wait(waiter);
  assert.equal(gate.waiting, 3);
  gate.open();
  gate.open();
  assert.deepEqual(opened, ["b", "a", "c"]);
  assert.equal(gate.waiting, 0);
});

test("one who finds it full again waits behind the others, who keep their turn", () => {
  const { gate } = makeGate();
  const opened: string[] = [];
  const all = waiters("abc", opened, gate, () => true);
  for (const waiter of all) gate.wait(waiter);
  for (let left = 6; left > 0; left -= 1) gate.open();
  assert.deepEqual(opened, ["a", "b", "c", "a", "b", "c"]);
  assert.equal(gate.waiting, 3);
  for (const waiter of all) gate.leave(waiter);
});

test("one who left is not called, also if it leaves while others are", () => {
  const { gate } = makeGate();
  const opened: string[] = [];
  const [a, b, c] = waiters("abc", opened, gate);
  for (const waiter of [a!, b!, c!]) gate.wait(waiter);
  gate.leave(a!);
  b!.gateOpened = () => gate.leave(c!);
  gate.open();
  assert.deepEqual(opened, []);
  assert.equal(gate.waiting, 0);
});

test("a queue that gives nothing away for the time is reported, while somebody waits", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { gate, queue } = makeGate(1_000);
  const [waiter] = waiters("a", [], gate);
  pass(t, 10_000);
  assert.equal(queue.stalled, 0, "nobody waits");
  gate.wait(waiter!);
  pass(t, 999);
  assert.equal(queue.stalled, 0);
  pass(t, 1);
  assert.equal(queue.stalled, 1);
});

test("a queue that gives something away each time is never reported, however slowly", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { gate, queue } = makeGate(1_000);
  const [waiter] = waiters("a", [], gate);
  gate.wait(waiter!);
  for (let left = 20; left > 0; left -= 1) {
    pass(t, 900);
    queue.given += 1;
  }
  assert.equal(queue.stalled, 0);
  for (let left = 2; left > 0; left -= 1) pass(t, 1_000);
  assert.equal(queue.stalled, 1);
});

test("a queue that filled up after the wait began is reported a quarter of the time later at most", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { gate, queue } = makeGate(1_000);
  gate.wait(waiters("a", [], gate)[0]!);
  pass(t, 10);
  queue.given += 1;
  pass(t, 1_239);
  assert.equal(queue.stalled, 0);
  pass(t, 1);
  assert.equal(queue.stalled, 1);
});

test("a queue that is spared has as long again", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let stalled = 0;
  let spares = 1;
  const gate = new Gate({
    stallTimeoutMs: 1_000,
    progress: () => 0,
    watch: () => async () => spares-- > 0,
    onStalled: () => (stalled += 1),
  });
  gate.wait(waiters("a", [], gate)[0]!);
  pass(t, 1_000);
  await setImmediate();
  pass(t, 999);
  await setImmediate();
  assert.equal(stalled, 0);
  pass(t, 1);
  await setImmediate();
  assert.equal(stalled, 1);
});

/** A gate whose queue shows no progress, and how often it was watched; each watch ends as `hasTaken` says. */
function makeWatchedGate(hasTaken: () => Promise<boolean>) {
  const seen = { watched: 0, stalled: 0 };
  const gate = new Gate({
    stallTimeoutMs: 1_000,
    progress: () => 0,
    watch: () => {
      seen.watched += 1;
      return hasTaken;
    },
    onStalled: () => (seen.stalled += 1),
  });
  return { gate, seen };
}

test("a queue that was seen to be taken from has as long again, and is watched anew", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const answers = [true, false];
  const { gate, seen } = makeWatchedGate(async () => answers.shift()!);
  const opened: string[] = [];
  gate.wait(waiters("a", opened, gate)[0]!);
  pass(t, 249);
  assert.equal(seen.watched, 0, "a queue that gives something away all the time is not watched");
  pass(t, 751);
  await setImmediate();
  assert.deepEqual(seen, { watched: 2, stalled: 0 });
  pass(t, 1_000);
  await setImmediate();
  assert.deepEqual([seen, opened], [{ watched: 2, stalled: 1 }, ["a"]]);
});

test("who comes while the watch is asked waits for what it says", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const said = deferred<boolean>();
  const { gate, seen } = makeWatchedGate(() => said.promise);
  const opened: string[] = [];
  const [a, b] = waiters("ab", opened, gate);
  gate.wait(a!);
  pass(t, 1_000);
  gate.wait(b!);
  pass(t, 5_000);
  assert.deepEqual(seen, { watched: 1, stalled: 0 });
  said.resolve(false);
  await setImmediate();
  assert.deepEqual([seen.stalled, opened], [1, ["a", "b"]]);
});

test("what a watch says of a wait that is over counts for no other one", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const said = deferred<boolean>();
  const { gate, seen } = makeWatchedGate(() => said.promise);
  const [a] = waiters("a", [], gate);
  gate.wait(a!);
  pass(t, 1_000);
  gate.open();
  gate.wait(a!);
  said.resolve(false);
  await setImmediate();
  assert.equal(seen.stalled, 0);
  pass(t, 1_000);
  await setImmediate();
  assert.equal(seen.stalled, 1);
});

test("who waits at the gate of a queue that has gone is called all the same", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { gate } = makeGate(1_000);
  const opened: string[] = [];
  gate.open();
  for (const waiter of waiters("ab", opened, gate)) gate.wait(waiter);
  pass(t, 1_000);
  assert.deepEqual(opened, ["a", "b"]);
});

test("a gate that opened, or that nobody waits at any more, reports nothing", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { gate, queue } = makeGate(1_000);
  const [a, b] = waiters("ab", [], gate);
  gate.wait(a!);
  gate.open();
  pass(t, 5_000);
  gate.wait(a!);
  gate.wait(b!);
  gate.leave(a!);
  gate.leave(b!);
  pass(t, 5_000);
  assert.equal(queue.stalled, 0);
});

test("an opening inside an opening calls each that waits once", () => {
  const { gate } = makeGate();
  const opened: string[] = [];
  const [a, b, c] = waiters("abc", opened, gate);
  const outer: GateWaiter = { gateOpened: () => gate.open() };
  for (const waiter of [outer, a!, b!, c!]) gate.wait(waiter);
  gate.open();
  assert.deepEqual(opened, ["a", "b", "c"]);
  assert.equal(gate.waiting, 0);
});

test("another who begins to wait, or stops, does not put the report off", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { gate, queue } = makeGate(1_000);
  const [a, b, c] = waiters("abc", [], gate);
  gate.wait(a!);
  pass(t, 999);
  gate.wait(b!);
  gate.wait(c!);
  gate.leave(a!);
  pass(t, 1);
  assert.equal(queue.stalled, 1);
  pass(t, 10_000);
  assert.equal(queue.stalled, 1, "a stall is reported once");
});

test("what was given away before anybody waited is no progress", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { gate, queue } = makeGate(1_000);
  queue.given = 7;
  gate.wait(waiters("a", [], gate)[0]!);
  pass(t, 1_000);
  assert.equal(queue.stalled, 1);
});

test("a wait that begins while the gate opens has the whole time", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { gate, queue } = makeGate(1_000);
  for (const waiter of waiters("ab", [], gate, (name) => name === "a")) gate.wait(waiter);
  pass(t, 999);
  gate.open();
  pass(t, 999);
  assert.equal(queue.stalled, 0);
  pass(t, 1);
  assert.equal(queue.stalled, 1);
});

test("the owner may open the gate when it is told of the stall, which frees who waited", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const gate: Gate = new Gate({ stallTimeoutMs: 1_000, progress: () => 0, onStalled: () => gate.open() });
  const opened: string[] = [];
  const [waiter] = waiters("a", opened, gate);
  for (let wait = 1; wait <= 2; wait += 1) {
    gate.wait(waiter!);
    pass(t, 1_000);
    assert.equal(opened.length, wait);
    assert.equal(gate.waiting, 0);
  }
});
