import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type DescMessage, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.js";
import { PortwayError } from "../../src/base/errors.js";
import { CallError, connectErrorOf } from "../../src/client/call-error.js";
import { failureOf } from "../../src/client/errors.js";
import { createPortwayClient } from "../../src/client/node-client.js";
import { answerError, fakeDaemon } from "./fake-daemon.js";

/** As a daemon sends it: base64 without padding. */
function detail<D extends DescMessage>(schema: D, init: MessageInitShape<D>): object {
  const bytes = toBinary(schema, create(schema, init));
  return { type: schema.typeName, value: Buffer.from(bytes).toString("base64").replace(/=+$/, "") };
}

test("a failed call says its code, reason, message, facts and field violations", async () => {
  const details = [
    detail(ErrorInfoSchema, { reason: "NODE_NOT_FOUND", domain: "portway", metadata: { node: "n1" } }),
    detail(BadRequestSchema, { fieldViolations: [{ field: "name", description: "no such one" }] }),
  ];
  await using daemon = await fakeDaemon(
    answerError(404, { code: "not_found", message: "there is no node n1", details }),
  );
  using client = createPortwayClient({ socketPath: daemon.socketPath });
  await assert.rejects(client.nodes.getNode({ name: "nodes/n1" }), (error) => {
    assert.ok(error instanceof ConnectError);
    assert.equal(error.code, Code.NotFound);
    assert.equal(error.findDetails(ErrorInfoSchema)[0]?.reason, "NODE_NOT_FOUND");
    assert.equal(error.findDetails(BadRequestSchema)[0]?.fieldViolations[0]?.field, "name");
    assert.deepEqual(failureOf(error), {
      code: "not_found",
      reason: "NODE_NOT_FOUND",
      message: "there is no node n1",
      facts: { node: "n1" },
      fieldViolations: [{ field: "name", description: "no such one" }],
    });
    return true;
  });
});

test("an error of Connect that did not come from our client is read as well", () => {
  const error = new ConnectError("no", Code.ResourceExhausted);
  error.details.push({ desc: ErrorInfoSchema, value: create(ErrorInfoSchema, { reason: "TOO_MANY" }) });
  assert.equal(failureOf(error).code, "resource_exhausted");
  assert.equal(failureOf(error).message, "no");
  assert.equal(failureOf(error).reason, "TOO_MANY");
});

test("every code keeps its name and number on the way to ConnectError and back", async () => {
  for (const [name, code] of Object.entries(Code).filter(([, code]) => typeof code === "number")) {
    const snake = name.replace(/(?<=[a-z])[A-Z]/g, (letter) => `_${letter}`).toLowerCase();
    const error = connectErrorOf(new CallError(snake as CallError["code"], "m"), ConnectError);
    assert.equal(error.code, code);
    assert.equal(failureOf(error).code, snake);
  }
});

test("a detail that can't be read takes nothing from the rest", async () => {
  const broken = { type: "google.rpc.ErrorInfo", value: Uint8Array.of(0xff, 0xff) };
  const error = connectErrorOf(new CallError("internal", "boom", { details: [broken] }), ConnectError);
  assert.deepEqual(failureOf(error), {
    code: "internal",
    reason: "",
    message: "boom",
    facts: {},
    fieldViolations: [],
  });
});

test("an error of ours gives its code as the reason, with its facts as texts", () => {
  const { reason, message, facts } = failureOf(
    new PortwayError("bad_route", "no route", { hops: 3, last: true }),
  );
  assert.deepEqual([reason, message, facts], ["BAD_ROUTE", "no route", { hops: "3", last: "true" }]);
});

test("anything else is unknown, with its text", () => {
  assert.equal(failureOf(new Error("what")).message, "what");
  assert.equal(failureOf("what").message, "what");
  assert.equal(failureOf(undefined).code, "unknown");
});
