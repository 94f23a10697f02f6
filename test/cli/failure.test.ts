import assert from "node:assert/strict";
import { test } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema } from "../../gen/google/rpc/error_details_pb.js";
import { failureOf } from "../../src/cli/failure.js";

test("the fields of a request that are wrong are told unless the message says the same", async () => {
  for (const [message, told] of [
    ["the route leads nowhere", ["from: is empty"]],
    ["to: the route leads nowhere (and 1 more)", ["from: is empty"]],
    ["2 fields are wrong", ["to: the route leads nowhere", "from: is empty"]],
  ] as const) {
    const fieldViolations = [
      { field: "to", description: "the route leads nowhere" },
      { field: "from", description: "is empty" },
    ];
    const error = new ConnectError(message, Code.InvalidArgument, undefined, [
      { desc: BadRequestSchema, value: { fieldViolations } },
    ]);
    assert.deepEqual((await failureOf(error)).details, told);
  }
});
