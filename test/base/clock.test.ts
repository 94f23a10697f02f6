import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../../src/base/clock.js";

test("what is due later runs once, and not if it was canceled", async () => {
  let canceledRuns = 0;
  const canceled = systemClock.after(0, () => {
    canceledRuns += 1;
  });
  canceled[Symbol.dispose]();
  let runs = 0;
  // The clock's timer does not keep the process alive, so another must.
  const keepAlive = setInterval(() => {}, 1000);
  await new Promise<void>((resolve) => {
    const timer = systemClock.after(1, () => {
      runs += 1;
      resolve();
    });
    assert.equal(runs, 0);
    return timer;
  });
  clearInterval(keepAlive);
  canceled[Symbol.dispose]();
  assert.deepEqual([runs, canceledRuns], [1, 0]);
});

test("monotonic time does not go back, and wall time is that of the system", () => {
  const [before, wall] = [systemClock.monotonicMs(), Date.now()];
  assert.ok(systemClock.monotonicMs() >= before);
  assert.ok(Math.abs(systemClock.wallMs() - wall) < 1000);
});
