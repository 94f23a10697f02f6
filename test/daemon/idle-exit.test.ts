import assert from "node:assert/strict";
import { test } from "node:test";
import { IdleExit } from "../../src/daemon/idle-exit.js";
import { FakeClock } from "../support/fake-clock.js";

function idleExit() {
  const clock = new FakeClock();
  const state = { nodes: 0, idles: 0 };
  const idle = new IdleExit({
    idleMs: 5_000,
    firstCallMs: 60_000,
    hasNodes: async () => state.nodes > 0,
    onIdle: () => {
      state.idles += 1;
    },
    clock,
  });
  return { idle, state, clock };
}

test("a daemon that nobody calls ends after a long time, one that was called after a short one", async () => {
  const uncalled = idleExit();
  await uncalled.clock.advance(59_999);
  assert.equal(uncalled.state.idles, 0);
  await uncalled.clock.advance(1);
  assert.equal(uncalled.state.idles, 1);

  const called = idleExit();
  called.idle.callBegan();
  called.idle.callEnded();
  await called.clock.advance(4_999);
  assert.equal(called.state.idles, 0);
  await called.clock.advance(1);
  assert.equal(called.state.idles, 1);
});

test("a daemon with an open call is not idle, and its time begins with the end of the last one", async () => {
  const { idle, state, clock } = idleExit();
  idle.callBegan();
  idle.callBegan();
  idle.callEnded();
  await clock.advance(600_000);
  idle.callEnded();
  await clock.advance(4_000);
  idle.callBegan();
  idle.callEnded();
  await clock.advance(4_000);
  assert.equal(state.idles, 0);
  await clock.advance(1_000);
  assert.equal(state.idles, 1);
});

test("a daemon with nodes is not idle until they are gone", async () => {
  const { idle, state, clock } = idleExit();
  idle.callBegan();
  state.nodes = 1;
  idle.callEnded();
  await clock.advance(600_000);
  assert.equal(state.idles, 0);
  idle.callBegan();
  state.nodes = 0;
  idle.callEnded();
  await clock.advance(5_000);
  assert.equal(state.idles, 1);
});

test("a call that begins while the nodes are looked at keeps a daemon", async () => {
  const clock = new FakeClock();
  let idles = 0;
  const idle: IdleExit = new IdleExit({
    idleMs: 5_000,
    firstCallMs: 60_000,
    hasNodes: async () => {
      idle.callBegan();
      return false;
    },
    onIdle: () => {
      idles += 1;
    },
    clock,
  });
  await clock.advance(60_000);
  assert.equal(idles, 0);
});

test("nothing happens after its end, and no timer is left", async () => {
  const { idle, state, clock } = idleExit();
  idle.callBegan();
  idle[Symbol.dispose]();
  idle.callEnded();
  assert.equal(clock.pending, 0);
  assert.equal(state.idles, 0);
});
