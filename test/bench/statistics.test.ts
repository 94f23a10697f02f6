import assert from "node:assert/strict";
import { test } from "node:test";
import type { Figure } from "./figures.js";
import { figure, ratios, rotated, spreadOf, spreadText } from "./statistics.js";
import { Results, row } from "./table.js";

test("the median is the middle value, or the mean of the two in the middle", () => {
  assert.deepEqual(spreadOf([5, 1, 3]), { median: 3, min: 1, max: 5 });
  assert.deepEqual(spreadOf([4, 1, 3, 2]), { median: 2.5, min: 1, max: 4 });
  assert.throws(() => spreadOf([]));
});

test("ratios are taken round by round, and a round without a base gives none", () => {
  assert.deepEqual(ratios([2, 9, 8], [1, 3, 4]), [2, 3, 2]);
  assert.deepEqual(ratios([2, 9], [0, 3, 4]), [3]);
});

test("each contender comes first equally often", () => {
  const orders = [0, 1, 2, 3].map((round) => rotated(["a", "b", "c"], round).join(""));
  assert.deepEqual(orders, ["abc", "bca", "cab", "abc"]);
});

test("figures have three significant digits", () => {
  const cases: [number, string][] = [
    [12_345, "12,300"],
    [4.5678, "4.57"],
    [0.012345, "0.0123"],
    [Number.NaN, "–"],
  ];
  for (const [value, text] of cases) assert.equal(figure(value), text);
  assert.equal(spreadText(spreadOf([1, 2, 3])), "2 (1–3)");
  assert.equal(spreadText(spreadOf([2])), "2");
});

test("a row holds or falls short by the median of its ratios or by its value", () => {
  const rowOf = (wanted: Figure["wanted"], yardstick: number[], portway: number[]) => {
    const subject: Figure = { key: "x", name: "x", unit: "u", ...(wanted === undefined ? {} : { wanted }) };
    const results = new Results();
    for (const value of yardstick) results.add(subject, "yardstick", value);
    for (const value of portway) results.add(subject, "portway", value);
    return row(results, subject)?.slice(-2);
  };
  const atLeast = { what: "ratio", atLeast: 1.4 } as const;
  assert.deepEqual(rowOf(atLeast, [1, 2, 3], [1.4, 2.8, 3]), ["≥ 1.4 ×", "holds"]);
  assert.deepEqual(rowOf(atLeast, [1, 2, 3], [1.3, 2.6, 9]), ["≥ 1.4 ×", "FALLS SHORT"]);
  assert.deepEqual(rowOf({ what: "value", atMost: 20 }, [99], [20]), ["≤ 20", "holds"]);
  assert.deepEqual(rowOf({ what: "value", atMost: 20 }, [1], [21]), ["≤ 20", "FALLS SHORT"]);
  assert.deepEqual(rowOf(undefined, [], [1]), ["", ""]);
  assert.equal(rowOf(atLeast, [1], []), undefined);
});
