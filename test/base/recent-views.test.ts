import assert from "node:assert/strict";
import { test } from "node:test";
import { RecentViews } from "../../src/base/recent-views.js";

const memory = Buffer.from("abcdefgh");

test("gives the bytes, and the same view for the same place", () => {
  const views = new RecentViews();
  const first = views.of(memory, 1, 3);
  assert.equal(first.toString(), "bc");
  assert.equal(first.buffer, memory.buffer);
  assert.equal(views.of(memory, 1, 3), first);
});

test("keeps the views of four places, in whatever order they are asked for", () => {
  const views = new RecentViews();
  const made = [0, 1, 2, 3].map((at) => views.of(memory, at, at + 2));
  for (const at of [2, 0, 3, 1]) assert.equal(views.of(memory, at, at + 2), made[at]);
});

test("makes a view anew that stands behind four others, and never gives one of another place", () => {
  const views = new RecentViews();
  const other = Buffer.from("ABCDEFGH");
  for (let round = 0; round < 3; round += 1) {
    for (const from of [memory, other]) {
      for (let at = 0; at < 3; at += 1) {
        assert.equal(views.of(from, at, at + 2).toString(), from.toString().slice(at, at + 2));
        assert.equal(views.of(from, at, at + 3).toString(), from.toString().slice(at, at + 3));
      }
    }
  }
});

test("keeps no view of a large buffer, which would stay in memory with it", () => {
  const views = new RecentViews();
  const large = Buffer.alloc(1024 * 1024);
  assert.notEqual(views.of(large, 1, 3), views.of(large, 1, 3));
});
