import assert from "node:assert/strict";
import http2 from "node:http2";
import { type TestContext, test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { findTrailerError } from "@connectrpc/connect/protocol-grpc";
import {
  SendMessageRequestSchema,
  SendMessageResponseSchema,
} from "../../gen/portway/v1/message_service_pb.js";
import { resolveApiLimits } from "../../src/api/limits.js";
import type { Reply } from "../../src/node/engine.js";
import { apiFixture, toldError } from "../support/api-fixture.js";

const path = "/portway.v1.MessageService/SendMessage";

function envelope(bytes: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

const message = create(SendMessageRequestSchema, {
  node: "nodes/n1",
  to: "echo",
  payload: Buffer.from("hi"),
});
const body = envelope(toBinary(SendMessageRequestSchema, message));

/** A server, and calls of native gRPC whose body is in the test's hands. */
async function grpc(t: TestContext) {
  const fixture = await apiFixture(t);
  const at = await fixture.server.listenTcp({ host: "127.0.0.1", port: 0 });
  const session = http2.connect(`http://${at}`);
  t.after(() => session.destroy());
  const call = (headers: http2.OutgoingHttpHeaders = {}): http2.ClientHttp2Stream =>
    session.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
      authorization: `Bearer ${fixture.token}`,
      ...headers,
    });
  return { ...fixture, call };
}

/** The message of the answer; rejects with the error that its headers or trailers tell. */
async function answerOf(stream: http2.ClientHttp2Stream): Promise<Buffer> {
  const told = new Headers();
  const keep = (headers: http2.IncomingHttpHeaders): void => {
    for (const [name, value] of Object.entries(headers)) {
      if (!name.startsWith(":")) told.set(name, String(value));
    }
  };
  stream.on("response", keep).on("trailers", keep);
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  const error = findTrailerError(told);
  if (error !== undefined) throw error;
  assert.equal(told.get("grpc-status"), "0");
  return Buffer.concat(chunks).subarray(5);
}

test("a message that comes byte by byte is answered", async (t) => {
  const { call } = await grpc(t);
  const stream = call();
  const answer = answerOf(stream);
  for (const byte of body) stream.write(Buffer.of(byte));
  stream.end();
  const { payload } = fromBinary(SendMessageResponseSchema, await answer);
  assert.equal(Buffer.from(payload).toString(), "hi");
});

test("a deadline that passes before the message is there is told", async (t) => {
  const { call, engine } = await grpc(t);
  engine.onCall = () => assert.fail("the engine was asked");
  const stream = call({ "grpc-timeout": "50m" });
  stream.write(body.subarray(0, 7));
  const error = await toldError(answerOf(stream));
  assert.deepEqual([error.code, error.reasons], [4, ["TIMED_OUT"]]);
});

test("a timeout without a unit is refused, as Connect refuses it", async (t) => {
  const { call, engine } = await grpc(t);
  engine.onCall = () => assert.fail("the engine was asked");
  const stream = call({ "grpc-timeout": "5000" });
  stream.end(body);
  assert.equal((await toldError(answerOf(stream))).code, 3);
});

test("what is not one message is refused as Connect refuses it", async (t) => {
  const { call, engine } = await grpc(t);
  engine.onCall = () => assert.fail("the engine was asked");
  const cases = [
    { bytes: Buffer.alloc(0), code: 12 },
    { bytes: Buffer.concat([body, body]), code: 12 },
    { bytes: body.subarray(0, body.length - 1), code: 3 },
    { bytes: body.subarray(0, 3), code: 3 },
    { bytes: envelope(Buffer.of(0x0f)), code: 3 },
  ];
  for (const { bytes, code } of cases) {
    const stream = call();
    stream.end(bytes);
    const error = await toldError(answerOf(stream));
    assert.deepEqual([error.code, error.reasons.length], [code, 1], bytes.toString("hex"));
  }
});

test("what is longer than a message may be is read on until Connect can say what is wrong", async (t) => {
  const { call, engine } = await grpc(t);
  engine.onCall = () => assert.fail("the engine was asked");
  const { maxRequestBytes } = resolveApiLimits({});
  const tooLong = call();
  tooLong.end(envelope(Buffer.alloc(maxRequestBytes + 1)));
  assert.equal((await toldError(answerOf(tooLong))).code, 8);

  const payload = Buffer.alloc(maxRequestBytes - 5);
  const longest = toBinary(SendMessageRequestSchema, create(SendMessageRequestSchema, { payload }));
  assert.equal(longest.length, maxRequestBytes);
  const second = envelope(new Uint8Array());
  const twice = call();
  const answer = toldError(answerOf(twice));
  twice.write(Buffer.concat([envelope(longest), second.subarray(0, 2)]));
  // When this was answered, all before it has arrived.
  await new Promise((resolve) => twice.once("drain", () => twice.session?.ping(resolve)));
  twice.end(second.subarray(2));
  assert.equal((await answer).code, 12);
});

test("a caller that goes away in the middle of its message leaves nothing behind", async (t) => {
  const { call, engine, lines } = await grpc(t);
  const stream = call();
  stream.write(body.subarray(0, 7));
  const closed = new Promise((resolve) => stream.once("close", resolve));
  stream.on("error", () => {});
  stream.close(http2.constants.NGHTTP2_CANCEL);
  await closed;
  const asked: string[] = [];
  engine.onCall = (name) => void asked.push(name);
  const next = call();
  next.end(body);
  await answerOf(next);
  assert.deepEqual(asked, ["sendMessage"]);
  assert.deepEqual(
    lines.filter(({ level }) => level === "error"),
    [],
  );
});

test("a method that answers after its deadline is not heard", async (t) => {
  const { call, engine } = await grpc(t);
  let answerLate: (reply: Reply) => void = () => {};
  engine.onSend = () =>
    new Promise((resolve) => {
      answerLate = resolve;
    });
  const stream = call({ "grpc-timeout": "50m" });
  stream.end(body);
  assert.equal((await toldError(answerOf(stream))).code, 4);
  answerLate({ payload: Buffer.from("late"), returnRoute: "", roundTripMs: 1 });
  const next = call();
  engine.onSend = async ({ payload }) => ({ payload, returnRoute: "", roundTripMs: 1 });
  next.end(body);
  const { payload } = fromBinary(SendMessageResponseSchema, await answerOf(next));
  assert.equal(Buffer.from(payload).toString(), "hi");
});
