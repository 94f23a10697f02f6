import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import {
  CreateNodeRequestSchema,
  CreateNodeResponseSchema,
  NodeService,
} from "../../gen/portway/v1/node_service_pb.js";
import { Answers, type IdentifiedCall } from "../../src/api/idempotency.js";
import { deferred } from "../../src/base/signals.js";
import { apiFixture, clientFor, toldError, transportFor } from "../support/api-fixture.js";

const uuid = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;
const method = NodeService.method.createNode;
const never = new AbortController().signal;

function call(n: number, nodeId = "n1", more: Partial<IdentifiedCall> = {}): IdentifiedCall {
  const request = create(CreateNodeRequestSchema, { nodeId, requestId: uuid(n) });
  return { caller: "token", requestId: uuid(n), method, request, signal: never, ...more };
}

function answer(name: string) {
  return create(CreateNodeResponseSchema, { node: { name } });
}

test("a repeated call gets the first answer and changes nothing, also in another protocol", async (t) => {
  const { server, token, engine } = await apiFixture(t);
  const url = `http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`;
  const uids = [];
  for (const protocol of ["grpc", "connect json", "grpc-web", "connect binary"] as const) {
    const nodes = clientFor(NodeService, transportFor(protocol, url, { token }));
    const { node, alreadyExisted } = await nodes.createNode({ nodeId: "n1", requestId: uuid(1) });
    assert.equal(alreadyExisted, false);
    uids.push(node?.uid);
  }
  assert.deepEqual([engine.created, new Set(uids).size], [1, 1]);
  const nodes = clientFor(NodeService, transportFor("grpc", url, { token }));
  assert.equal((await nodes.createNode({ nodeId: "n1", requestId: uuid(2) })).alreadyExisted, true);
  assert.equal((await nodes.createNode({ nodeId: "n1" })).alreadyExisted, true);
});

test("an id is the same in upper case", async (t) => {
  const { server, token, engine } = await apiFixture(t);
  const url = `http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`;
  const nodes = clientFor(NodeService, transportFor("grpc", url, { token }));
  const requestId = "7b0f5a52-2f3c-4d7e-9c0b-8f1f5a3f0aa1";
  const first = await nodes.createNode({ nodeId: "n1", requestId });
  const again = await nodes.createNode({ nodeId: "n1", requestId: requestId.toUpperCase() });
  assert.deepEqual([again, engine.created], [first, 1]);
});

test("an id that was used for another request or method is refused by name", async (t) => {
  const { server, token } = await apiFixture(t);
  const url = `http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`;
  const nodes = clientFor(NodeService, transportFor("grpc", url, { token }));
  await nodes.createNode({ nodeId: "n1", requestId: uuid(1) });
  for (const again of [
    nodes.createNode({ nodeId: "n2", requestId: uuid(1) }),
    nodes.deleteNode({ name: "nodes/n1", requestId: uuid(1) }),
  ]) {
    const told = await toldError(again);
    assert.deepEqual(
      [told.code, told.reasons, told.fields],
      [Code.InvalidArgument, ["BAD_ARGUMENT"], ["request_id"]],
    );
  }
});

test("a repetition that comes while the first call runs waits for its answer", async () => {
  const answers = new Answers({ capacity: 10 });
  const first = deferred<ReturnType<typeof answer>>();
  let runs = 0;
  const run = () => {
    runs += 1;
    return first.promise;
  };
  const calls = [answers.answer(call(1), run), answers.answer(call(1), run), answers.answer(call(1), run)];
  first.resolve(answer("nodes/n1"));
  const [a, b, c] = await Promise.all(calls);
  assert.equal(runs, 1);
  assert.ok(a === b && b === c);
});

test("a failed call is not remembered: all who wait hear of it, and the id may be used again", async () => {
  const answers = new Answers({ capacity: 10 });
  const first = deferred<ReturnType<typeof answer>>();
  const calls = [answers.answer(call(1), () => first.promise), answers.answer(call(1), () => first.promise)];
  const heard = Promise.allSettled(calls);
  first.reject(new Error("no"));
  assert.deepEqual(
    (await heard).map(({ status }) => status),
    ["rejected", "rejected"],
  );
  assert.equal(answers.size, 0);
  const later = await answers.answer(call(1, "other"), async () => answer("nodes/other"));
  assert.equal((later as ReturnType<typeof answer>).node?.name, "nodes/other");
});

test("when the first caller goes away, one of those who wait takes its place", async () => {
  const answers = new Answers({ capacity: 10 });
  const caller = new AbortController();
  const first = answers.answer(
    call(1, "n1", { signal: caller.signal }),
    () =>
      new Promise((_, reject) => caller.signal.addEventListener("abort", () => reject(caller.signal.reason))),
  );
  let runs = 0;
  const run = async () => {
    runs += 1;
    return answer("nodes/n1");
  };
  const waiting = [answers.answer(call(1), run), answers.answer(call(1), run)];
  caller.abort(new Error("gone"));
  await assert.rejects(first, /gone/);
  const [a, b] = await Promise.all(waiting);
  assert.ok(a === b);
  assert.equal(runs, 1);
});

test("whoever waits stops waiting with its own signal", async () => {
  const answers = new Answers({ capacity: 10 });
  const first = deferred<ReturnType<typeof answer>>();
  const one = answers.answer(call(1), () => first.promise);
  const caller = new AbortController();
  const two = answers.answer(call(1, "n1", { signal: caller.signal }), () => first.promise);
  caller.abort(new Error("enough"));
  await assert.rejects(two, /enough/);
  first.resolve(answer("nodes/n1"));
  await one;
});

test("an answer is kept for ten minutes and not longer", async () => {
  let nowMs = 0;
  const answers = new Answers({ capacity: 10, nowMs: () => nowMs });
  let runs = 0;
  const run = async () => {
    runs += 1;
    return answer("nodes/n1");
  };
  await answers.answer(call(1), run);
  nowMs = 599_999;
  await answers.answer(call(1), run);
  assert.equal(runs, 1);
  nowMs = 600_000;
  await answers.answer(call(1), run);
  assert.equal(runs, 2);
});

test("no more answers are kept than the capacity; the oldest finished one gives way to a new one", async () => {
  const answers = new Answers({ capacity: 3 });
  const first = deferred<ReturnType<typeof answer>>();
  const running = answers.answer(call(0), () => first.promise);
  const runs: number[] = [];
  const run = (n: number) => async () => {
    runs.push(n);
    return answer(`nodes/n${n}`);
  };
  for (const n of [1, 2, 3, 4]) await answers.answer(call(n), run(n));
  assert.equal(answers.size, 3);
  await answers.answer(call(4), run(4));
  await answers.answer(call(3), run(3));
  assert.deepEqual(runs, [1, 2, 3, 4]);
  await answers.answer(call(1), run(1));
  assert.deepEqual(runs, [1, 2, 3, 4, 1]);
  const again = answers.answer(call(0), () => assert.fail("the running call was forgotten"));
  first.resolve(answer("nodes/n0"));
  assert.ok((await running) === (await again));
});

test("two callers do not share an id", async () => {
  const answers = new Answers({ capacity: 10 });
  const mine = await answers.answer(call(1), async () => answer("nodes/mine"));
  const yours = await answers.answer(call(1, "n2", { caller: "alice" }), async () => answer("nodes/yours"));
  assert.notEqual(mine, yours);
});
