import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Backoff } from "../../src/base/backoff.js";

const below1 = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

test("each delay lies between half of a ceiling and the ceiling, which doubles from the first to the last", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 10_000 }),
      fc.integer({ min: 1, max: 100_000 }),
      fc.array(below1, { minLength: 1, maxLength: 30 }),
      (firstMs, maxMs, randoms) => {
        let at = 0;
        const backoff = new Backoff({ firstMs, maxMs, random: () => randoms[at++]! });
        for (let attempt = 0; attempt < randoms.length; attempt += 1) {
          const ceiling = Math.min(firstMs * 2 ** attempt, maxMs);
          const delay = backoff.nextMs();
          assert.ok(delay >= ceiling / 2 && delay <= ceiling, `attempt ${attempt}: ${delay} of ${ceiling}`);
        }
        assert.equal(at, randoms.length);
      },
    ),
  );
});

test("the delays reach both ends of what they may be", () => {
  const low = new Backoff({ firstMs: 100, maxMs: 350, random: () => 0 });
  assert.deepEqual([low.nextMs(), low.nextMs(), low.nextMs(), low.nextMs()], [50, 100, 175, 175]);
  const high = new Backoff({ firstMs: 100, maxMs: 350, random: () => 0.5 });
  assert.deepEqual([high.nextMs(), high.nextMs(), high.nextMs()], [75, 150, 262.5]);
});

test("after a reset the delays begin again", () => {
  fc.assert(
    fc.property(fc.nat(40), (attempts) => {
      const backoff = new Backoff({ firstMs: 100, maxMs: 60_000, random: () => 0 });
      for (let attempt = 0; attempt < attempts; attempt += 1) backoff.nextMs();
      backoff.reset();
      assert.deepEqual([backoff.nextMs(), backoff.nextMs()], [50, 100]);
    }),
  );
});

test("without a random source of its own, two who begin together drift apart", () => {
  const delays = Array.from({ length: 20 }, () => new Backoff({ firstMs: 1000, maxMs: 1000 }).nextMs());
  assert.ok(new Set(delays).size > 1);
  assert.ok(delays.every((delay) => delay >= 500 && delay < 1000));
});
