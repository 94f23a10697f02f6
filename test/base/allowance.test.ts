import assert from "node:assert/strict";
import { test } from "node:test";
import { Allowance } from "../../src/base/allowance.js";
import { FakeClock } from "../support/fake-clock.js";

test("so many uses are left at once, and more as time passes, up to as many again", async () => {
  const clock = new FakeClock();
  const allowance = new Allowance(clock, 3, 1 / 1_000);
  assert.equal(allowance.left, 3);
  allowance.use();
  allowance.use(2);
  assert.equal(allowance.left, 0);
  await clock.advance(500);
  assert.equal(allowance.left, 0.5);
  await clock.advance(1_000);
  assert.equal(allowance.left, 1.5);
  await clock.advance(60_000);
  assert.equal(allowance.left, 3);
});
