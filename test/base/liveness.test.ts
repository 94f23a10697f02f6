import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "../../src/base/clock.js";
import { PortwayError } from "../../src/base/errors.js";
import { LivenessRecord } from "../../src/base/liveness.js";

/** A clock that shows what it is set to. */
function clockAt(startMs: number): Clock & { nowMs: number } {
  return {
    nowMs: startMs,
    wallMs() {
      return this.nowMs;
    },
    monotonicMs() {
      return this.nowMs;
    },
    after: () => ({ [Symbol.dispose]() {} }),
  };
}

test("a thing is connecting until it succeeds, and a failure before that leaves it connecting", () => {
  const clock = clockAt(1000);
  const record = new LivenessRecord(clock);
  assert.deepEqual(record.view(), { state: "connecting", reconciling: true, conditions: [] });
  record.failed(new Error("no"), 1500);
  clock.nowMs = 1500;
  record.failed(new Error("still no"), 2500);
  assert.equal(record.wasUp, false);
  assert.deepEqual(record.view(), {
    state: "connecting",
    reconciling: true,
    conditions: [],
    failure: { count: 2, lastError: "still no", lastErrorTimeMs: 1500, nextRetryTimeMs: 2500 },
  });
});

test("a success makes it active, forgets the failures and keeps the time", () => {
  const clock = clockAt(1000);
  const record = new LivenessRecord(clock);
  record.failed(new Error("no"));
  clock.nowMs = 2000;
  record.succeeded(12);
  assert.equal(record.wasUp, true);
  assert.deepEqual(record.view(), {
    state: "active",
    reconciling: false,
    conditions: [],
    lastSuccessTimeMs: 2000,
    roundTripMs: 12,
  });
});

test("a failure after a success makes it degraded, with the last success in sight", () => {
  const clock = clockAt(1000);
  const record = new LivenessRecord(clock);
  record.succeeded(12);
  clock.nowMs = 2000;
  record.failed("no answer", 3000);
  const view = record.view();
  assert.equal(view.state, "degraded");
  assert.equal(view.reconciling, true);
  assert.equal(view.lastSuccessTimeMs, 1000);
  assert.deepEqual(view.failure, {
    count: 1,
    lastError: "no answer",
    lastErrorTimeMs: 2000,
    nextRetryTimeMs: 3000,
  });
});

test("what needs a person is failed and not reconciling", () => {
  const record = new LivenessRecord(clockAt(1000));
  record.gaveUp(new Error("the name is taken"));
  const view = record.view();
  assert.equal(view.state, "failed");
  assert.equal(view.reconciling, false);
  assert.deepEqual(view.failure, { count: 1, lastError: "the name is taken", lastErrorTimeMs: 1000 });
});

test("a condition has the time at which it last changed, not at which it was last claimed", () => {
  const clock = clockAt(1000);
  const record = new LivenessRecord(clock);
  const only = () => record.view().conditions[0];
  record.condition("Path", true);
  clock.nowMs = 2000;
  record.condition("Path", true);
  assert.deepEqual(only(), {
    type: "Path",
    holds: true,
    reason: "",
    message: "",
    lastTransitionTimeMs: 1000,
  });
  record.condition("Path", false, new PortwayError("no_reply", "nobody answered"));
  assert.deepEqual(only(), {
    type: "Path",
    holds: false,
    reason: "NO_REPLY",
    message: "nobody answered",
    lastTransitionTimeMs: 2000,
  });
  clock.nowMs = 3000;
  record.condition("Path", false, new Error("a fault"));
  assert.deepEqual(only(), {
    type: "Path",
    holds: false,
    reason: "INTERNAL",
    message: "a fault",
    lastTransitionTimeMs: 2000,
  });
});
