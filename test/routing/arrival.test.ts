import assert from "node:assert/strict";
import { test } from "node:test";
import { join, part } from "../../src/routing/arrival.js";
import { createTestNode, TestEnd } from "../support/router-pair.js";

const end = (): TestEnd => new TestEnd({ router: createTestNode(), by: "node_listener" });

test("joining is mutual, happens once, and joins no connection with itself", () => {
  const [one, other] = [end(), end()];
  join(one, other);
  join(other, one);
  join(one, one);
  assert.deepEqual([one.joined.size, other.joined.size], [1, 1]);
  assert.ok(one.joined.has(other) && other.joined.has(one));
});

test("a connection that parts leaves no trace at any other, and those stay joined", () => {
  const [one, two, three] = [end(), end(), end()];
  join(one, two);
  join(one, three);
  join(two, three);
  part(one);
  assert.equal(one.joined.size, 0);
  assert.deepEqual([...two.joined], [three]);
  assert.deepEqual([...three.joined], [two]);
});
