import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { readAhead } from "../../src/client/read-ahead.js";

/** Gives `items` one by one, and then the end or `error`. */
function source(items: readonly string[], error?: Error) {
  const left = [...items];
  const next = async (): Promise<string | undefined> => {
    const one = left.shift();
    if (one === undefined && error !== undefined) throw error;
    return one;
  };
  return { left, next };
}

test("nothing is read before somebody asks, and then all of it, which is given in order", async () => {
  const { left, next } = source(["a", "b", "c"]);
  const take = readAhead(next, new AbortController().signal);
  await setImmediate();
  assert.equal(left.length, 3);
  assert.equal(await take(), "a");
  await setImmediate();
  assert.equal(left.length, 0);
  assert.deepEqual(
    [await take(), await take(), await take(), await take()],
    ["b", "c", undefined, undefined],
  );
});

test("an error comes behind what came before it", async () => {
  const take = readAhead(source(["a", "b"], new Error("lost")).next, new AbortController().signal);
  assert.deepEqual([await take(), await take()], ["a", "b"]);
  await assert.rejects(take(), /lost/);
  await assert.rejects(take(), /lost/);
});

test("what was not taken is dropped at the end", async () => {
  const over = new AbortController();
  const take = readAhead(source(["a", "b", "c"]).next, over.signal);
  assert.equal(await take(), "a");
  await setImmediate();
  over.abort();
  assert.equal(await take(), undefined);
});
