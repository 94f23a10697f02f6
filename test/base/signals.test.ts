import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { abortable, anyOf, deadline, deferred } from "../../src/base/signals.js";

const listeners = (signal: AbortSignal): number => getEventListeners(signal, "abort").length;

test("a deadline ends with timed_out and says what was waited for", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const limit = deadline(1500, "the dial of localhost:80");
  context.mock.timers.tick(1499);
  assert.equal(limit.signal.aborted, false);
  context.mock.timers.tick(1);
  assert.equal(limit.signal.aborted, true);
  assert.equal(limit.signal.reason.code, "timed_out");
  assert.equal(limit.signal.reason.message, "the dial of localhost:80 took longer than 1500 ms");
});

test("a deadline ends with its parent, for the parent's reason", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const parent = new AbortController();
  const limit = deadline(1500, "a dial", parent.signal);
  const reason = new Error("stopped");
  parent.abort(reason);
  assert.equal(limit.signal.reason, reason);
  context.mock.timers.tick(1500);
  assert.equal(limit.signal.reason, reason);
});

test("a deadline of a parent that has ended has ended", () => {
  const reason = new Error("stopped");
  const limit = deadline(60_000, "a dial", AbortSignal.abort(reason));
  assert.equal(limit.signal.reason, reason);
  limit[Symbol.dispose]();
});

test("any of some signals ends with the first of them, for its reason", () => {
  const [one, other] = [new AbortController(), new AbortController()];
  const first = anyOf(one.signal, other.signal);
  assert.equal(first.signal.aborted, false);
  const reason = new Error("stopped");
  other.abort(reason);
  one.abort(new Error("too late"));
  assert.equal(first.signal.reason, reason);
  assert.equal(anyOf(new AbortController().signal, other.signal).signal.reason, reason);
});

test("any of some signals, disposed, leaves no listener and does not end any more", () => {
  const [one, other] = [new AbortController(), new AbortController()];
  const first = anyOf(one.signal, other.signal);
  assert.deepEqual([listeners(one.signal), listeners(other.signal)], [1, 1]);
  first[Symbol.dispose]();
  assert.deepEqual([listeners(one.signal), listeners(other.signal)], [0, 0]);
  one.abort();
  assert.equal(first.signal.aborted, false);
});

test("a deadline that is disposed leaves no listener and does not end any more", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const parent = new AbortController();
  const limits = [1, 2, 3].map(() => deadline(1500, "a dial", parent.signal));
  assert.equal(listeners(parent.signal), 3);
  for (const limit of limits) {
    limit[Symbol.dispose]();
    limit[Symbol.dispose]();
  }
  assert.equal(listeners(parent.signal), 0);
  context.mock.timers.tick(1500);
  parent.abort();
  assert.ok(limits.every((limit) => !limit.signal.aborted));
});

test("a deadline that timed out leaves no listener once it is disposed", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const parent = new AbortController();
  const limit = deadline(1500, "a dial", parent.signal);
  context.mock.timers.tick(1500);
  limit[Symbol.dispose]();
  assert.equal(listeners(parent.signal), 0);
});

test("abortable without a signal is the promise", async () => {
  const promise = Promise.resolve(1);
  assert.equal(abortable(promise, undefined), promise);
});

test("abortable gives what the promise gives and leaves no listener", async () => {
  const { signal } = new AbortController();
  const [good, bad] = [deferred<number>(), deferred<number>()];
  const waits = [abortable(good.promise, signal), abortable(bad.promise, signal)] as const;
  assert.equal(listeners(signal), 2);
  good.resolve(1);
  bad.reject(new Error("no"));
  assert.equal(await waits[0], 1);
  await assert.rejects(waits[1], /^Error: no$/);
  await new Promise(setImmediate);
  assert.equal(listeners(signal), 0);
});

test("abortable ends with the signal's reason and leaves no listener, although the promise never settles", async () => {
  const controller = new AbortController();
  const reason = new Error("stopped");
  const wait = abortable(new Promise(() => {}), controller.signal);
  controller.abort(reason);
  await assert.rejects(wait, (error) => error === reason);
  assert.equal(listeners(controller.signal), 0);
});

test("abortable of a signal that has ended rejects at once, and the promise may fail unseen later", async (context) => {
  const unhandled: unknown[] = [];
  const onUnhandled = (reason: unknown): void => void unhandled.push(reason);
  process.on("unhandledRejection", onUnhandled);
  context.after(() => process.off("unhandledRejection", onUnhandled));
  const [late, later] = [deferred<void>(), deferred<void>()];
  const controller = new AbortController();
  const during = abortable(late.promise, controller.signal);
  const reason = new Error("stopped");
  controller.abort(reason);
  const after = abortable(later.promise, controller.signal);
  await assert.rejects(during, (error) => error === reason);
  await assert.rejects(after, (error) => error === reason);
  late.reject(new Error("late"));
  later.reject(new Error("later"));
  await new Promise(setImmediate);
  assert.deepEqual(unhandled, []);
  assert.equal(listeners(controller.signal), 0);
});
