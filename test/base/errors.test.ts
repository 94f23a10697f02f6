import assert from "node:assert/strict";
import { test } from "node:test";
import { messageOf, PortwayError } from "../../src/base/errors.js";

test("an error has a code, a message, facts and a cause", () => {
  const cause = new Error("below");
  const error = new PortwayError("bad_route", "no such route", { route: "/x" }, { cause });
  assert.ok(error instanceof Error);
  assert.equal(error.name, "PortwayError");
  assert.equal(error.code, "bad_route");
  assert.equal(error.message, "no such route");
  assert.deepEqual(error.facts, { route: "/x" });
  assert.equal(error.cause, cause);
  assert.deepEqual(new PortwayError("stopped", "it stopped").facts, {});
});

test("anything thrown has a text", () => {
  assert.equal(messageOf(new Error("why")), "why");
  assert.equal(messageOf("why"), "why");
  assert.equal(messageOf(undefined), "undefined");
});
