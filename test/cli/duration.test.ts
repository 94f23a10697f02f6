import assert from "node:assert/strict";
import { test } from "node:test";
import { durationMs, formatDuration, parseDuration, protoDuration } from "../../src/cli/duration.js";

test("a duration is a number with a unit, several of these, or a number of seconds", () => {
  for (const [text, ms] of [
    ["10s", 10_000],
    ["500ms", 500],
    ["1m", 60_000],
    ["1m 30s", 90_000],
    ["1h30m", 5_400_000],
    ["0.5s", 500],
    ["2", 2_000],
    ["0", 0],
    [" 5s ", 5_000],
  ] as const) {
    assert.equal(parseDuration(text), ms, text);
  }
});

test("anything else is refused, with an example", () => {
  for (const text of ["", "s", "-1s", "1x", "ten", "1s2", "1e3s", "1.s", "constructor"]) {
    assert.throws(
      () => parseDuration(text),
      { code: "bad_argument", message: /expected for example 10s/ },
      text,
    );
  }
});

test("a duration survives the way through the API", () => {
  for (const ms of [0, 1, 999, 1_000, 61_001]) assert.equal(durationMs(protoDuration(ms)), ms);
});

test("a duration is shown with three digits", () => {
  assert.equal(formatDuration(0.80912), "0.809 ms");
  assert.equal(formatDuration(1_234), "1.23 s");
  assert.equal(formatDuration(300_000), "5 min");
});
