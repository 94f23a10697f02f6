import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RecycledList } from "../../src/base/recycled-list.js";

test("a list has what was pushed since it was emptied last, in order", () => {
  fc.assert(
    fc.property(fc.array(fc.array(fc.integer())), (rounds) => {
      const list = new RecycledList<number>();
      for (const items of rounds) {
        for (const item of items) list.push(item);
        assert.deepEqual(
          Array.from({ length: list.length }, (_, at) => list.at(at)),
          items,
        );
        list.clear();
        assert.equal(list.length, 0);
      }
    }),
  );
});

test("an emptied list keeps none of its items", () => {
  const list = new RecycledList<object>();
  for (let left = 3; left > 0; left -= 1) list.push({});
  list.clear();
  assert.equal(list.at(0), undefined);
  assert.equal(list.at(2), undefined);
});

test("a list is right after a burst as before it", () => {
  const list = new RecycledList<number>();
  for (const length of [3, 1_024, 1_025, 2, 100_000, 0, 5]) {
    for (let item = 0; item < length; item += 1) list.push(item);
    assert.equal(list.length, length);
    for (let at = 0; at < length; at += 1) assert.equal(list.at(at), at);
    list.clear();
    for (let at = 0; at < length; at += 1) assert.equal(list.at(at), undefined);
  }
});
