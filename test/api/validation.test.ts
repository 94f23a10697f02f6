import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type DescMessage, type Message } from "@bufbuild/protobuf";
import { BadRequestSchema } from "../../gen/google/rpc/error_details_pb.js";
import { OpenWorkerRequestSchema } from "../../gen/portway/v1/message_service_pb.js";
import { CreateInletRequestSchema } from "../../gen/portway/v1/portal_service_pb.js";
import { createValidation } from "../../src/api/validation.js";

const validation = createValidation([]);

function refused(type: DescMessage, message: Message): string[] {
  const error = validation.check(type, message);
  const [details] = error?.findDetails(BadRequestSchema) ?? [];
  return (details?.fieldViolations ?? []).map(({ field, reason }) => `${field} ${reason}`);
}

test("a duration that protobuf forbids is refused, wherever it stands in a request", () => {
  const parent = "nodes/n1";
  const inlet = (openTimeout: { seconds: bigint; nanos: number }) =>
    refused(
      CreateInletRequestSchema,
      create(CreateInletRequestSchema, { parent, inlet: { to: "/service/outlet", openTimeout } }),
    );
  for (const [seconds, nanos] of [
    [1n, 0],
    [0n, 1],
    [1n, 999_999_999],
  ] as const) {
    assert.deepEqual(inlet({ seconds, nanos }), []);
  }
  for (const [seconds, nanos] of [
    [1n, -5],
    [0n, 2_000_000_000],
    [2n, 1_000_000_000],
  ] as const) {
    assert.deepEqual(inlet({ seconds, nanos }), ["inlet.open_timeout DURATION_NANOS"]);
  }
  const wait = { seconds: 1n, nanos: -1 };
  assert.deepEqual(
    refused(CreateInletRequestSchema, create(CreateInletRequestSchema, { parent: "n1", wait })).sort(),
    ["inlet REQUIRED", "parent STRING_PATTERN", "wait DURATION_NANOS"],
  );
  const request = {
    case: "open" as const,
    value: { node: parent, resumeWindow: { seconds: 5n, nanos: -1 } },
  };
  assert.deepEqual(refused(OpenWorkerRequestSchema, create(OpenWorkerRequestSchema, { request })), [
    "open.resume_window DURATION_NANOS",
  ]);
});
