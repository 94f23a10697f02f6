import assert from "node:assert/strict";
import http2 from "node:http2";
import { describe, type TestContext, test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { errorFromJsonBytes } from "@connectrpc/connect/protocol-connect";
import { findTrailerError } from "@connectrpc/connect/protocol-grpc";
import {
  SendMessageRequestSchema,
  SendMessageResponseSchema,
} from "../../gen/portway/v1/message_service_pb.js";
import { resolveApiLimits } from "../../src/api/limits.js";
import { PortwayError } from "../../src/base/errors.js";
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
const bytes = toBinary(SendMessageRequestSchema, message);
const body = envelope(bytes);

interface Told {
  readonly headers: Headers;
  readonly body: Buffer;
}

/** What a client says and hears in each protocol. */
interface Wire {
  readonly name: string;
  readonly headers: http2.OutgoingHttpHeaders;
  readonly body: Buffer;
  deadline(ms: number): http2.OutgoingHttpHeaders;
  /** A message as it is sent. */
  wrap(bytes: Uint8Array): Buffer;
  /** The message; throws the error that was told. */
  read(told: Told): Buffer;
}

const grpcWire: Wire = {
  name: "gRPC",
  headers: { "content-type": "application/grpc", te: "trailers" },
  body,
  deadline: (ms) => ({ "grpc-timeout": `${ms}m` }),
  wrap: envelope,
  read({ headers, body }) {
    const error = findTrailerError(headers);
    if (error !== undefined) throw error;
    assert.equal(headers.get("grpc-status"), "0");
    return body.subarray(5);
  },
};

const connectWire: Wire = {
  name: "Connect",
  headers: { "content-type": "application/proto", "connect-protocol-version": "1" },
  body: Buffer.from(bytes),
  deadline: (ms) => ({ "connect-timeout-ms": String(ms) }),
  wrap: (given) => Buffer.from(given),
  read({ headers, body }) {
    if (headers.get("content-length") !== String(body.length)) throw new Error("another length was told");
    if (headers.get("content-type") === "application/proto") return body;
    throw errorFromJsonBytes(body, undefined, new ConnectError("no error either", Code.DataLoss));
  },
};

/** A server, and calls whose body is in the test's hands. */
async function serving(t: TestContext, wire: Wire) {
  const fixture = await apiFixture(t);
  const at = await fixture.server.listenTcp({ host: "127.0.0.1", port: 0 });
  const session = http2.connect(`http://${at}`);
  t.after(() => session.destroy());
  const call = (headers: http2.OutgoingHttpHeaders = {}): http2.ClientHttp2Stream =>
    session.request({
      ":method": "POST",
      ":path": path,
      authorization: `Bearer ${fixture.token}`,
      ...wire.headers,
      ...headers,
    });
  /** The message of the answer; rejects with the error that it tells. */
  const answerOf = async (stream: http2.ClientHttp2Stream): Promise<Buffer> => {
    const told = new Headers();
    const keep = (headers: http2.IncomingHttpHeaders): void => {
      for (const [name, value] of Object.entries(headers)) {
        if (!name.startsWith(":")) told.set(name, String(value));
      }
    };
    stream.on("response", keep).on("trailers", keep);
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    return wire.read({ headers: told, body: Buffer.concat(chunks) });
  };
  return { ...fixture, call, answerOf };
}

for (const wire of [grpcWire, connectWire]) {
  describe(`a unary call of ${wire.name} over HTTP/2`, () => {
    test("a message that comes byte by byte is answered", async (t) => {
      const { call, answerOf } = await serving(t, wire);
      const stream = call();
      const answer = answerOf(stream);
      for (const byte of wire.body) stream.write(Buffer.of(byte));
      stream.end();
      const { payload } = fromBinary(SendMessageResponseSchema, await answer);
      assert.equal(Buffer.from(payload).toString(), "hi");
    });

    test("a deadline that passes before the message is there is told", async (t) => {
      const { call, answerOf, engine } = await serving(t, wire);
      engine.onCall = () => assert.fail("the engine was asked");
      const stream = call(wire.deadline(50));
      stream.write(wire.body.subarray(0, 7));
      const error = await toldError(answerOf(stream));
      assert.deepEqual([error.code, error.reasons], [4, ["TIMED_OUT"]]);
    });

    test("a caller that goes away in the middle of its message leaves nothing behind", async (t) => {
      const { call, answerOf, engine, lines } = await serving(t, wire);
      const stream = call();
      stream.write(wire.body.subarray(0, 7));
      const closed = new Promise((resolve) => stream.once("close", resolve));
      stream.on("error", () => {});
      stream.close(http2.constants.NGHTTP2_CANCEL);
      await closed;
      const asked: string[] = [];
      engine.onCall = (name) => void asked.push(name);
      const next = call();
      next.end(wire.body);
      await answerOf(next);
      assert.deepEqual(asked, ["sendMessage"]);
      assert.deepEqual(
        lines.filter(({ level }) => level === "error"),
        [],
      );
    });

    test("a method that answers after its deadline is not heard", async (t) => {
      const { call, answerOf, engine } = await serving(t, wire);
      let answerLate: (reply: Reply) => void = () => {};
      engine.onSend = () =>
        new Promise((resolve) => {
          answerLate = resolve;
        });
      const stream = call(wire.deadline(50));
      stream.end(wire.body);
      assert.equal((await toldError(answerOf(stream))).code, 4);
      answerLate({ payload: Buffer.from("late"), returnRoute: "", roundTripMs: 1 });
      const next = call();
      engine.onSend = async ({ payload }) => ({ payload, returnRoute: "", roundTripMs: 1 });
      next.end(wire.body);
      const { payload } = fromBinary(SendMessageResponseSchema, await answerOf(next));
      assert.equal(Buffer.from(payload).toString(), "hi");
    });

    test("an answer that is an error is told in the protocol's own way", async (t) => {
      const { call, answerOf, engine } = await serving(t, wire);
      engine.onSend = async () => {
        throw new PortwayError("node_not_found", "there is no node n1", { node: "n1" });
      };
      const stream = call();
      stream.end(wire.body);
      const error = await toldError(answerOf(stream));
      assert.deepEqual([error.code, error.reasons], [Code.NotFound, ["NODE_NOT_FOUND"]]);
    });

    test("what is longer than a message may be is refused", async (t) => {
      const { call, answerOf, engine } = await serving(t, wire);
      engine.onCall = () => assert.fail("the engine was asked");
      const { maxRequestBytes } = resolveApiLimits({});
      const stream = call();
      stream.end(wire.wrap(Buffer.alloc(maxRequestBytes + 1)));
      assert.equal((await toldError(answerOf(stream))).code, Code.ResourceExhausted);
    });

    test("bytes that are no message are refused", async (t) => {
      const { call, answerOf, engine } = await serving(t, wire);
      engine.onCall = () => assert.fail("the engine was asked");
      const stream = call();
      stream.end(wire.wrap(Buffer.of(0x0f)));
      const error = await toldError(answerOf(stream));
      assert.deepEqual([error.code, error.reasons.length], [Code.InvalidArgument, 1]);
    });
  });
}

test("a timeout without a unit is refused, as Connect refuses it", async (t) => {
  const { call, answerOf, engine } = await serving(t, grpcWire);
  engine.onCall = () => assert.fail("the engine was asked");
  const stream = call({ "grpc-timeout": "5000" });
  stream.end(body);
  assert.equal((await toldError(answerOf(stream))).code, 3);
});

test("what is not one message is refused as Connect refuses it", async (t) => {
  const { call, answerOf, engine } = await serving(t, grpcWire);
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
  const { call, answerOf, engine } = await serving(t, grpcWire);
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

test("a timeout of Connect's that is no number is refused", async (t) => {
  const { call, answerOf, engine } = await serving(t, connectWire);
  engine.onCall = () => assert.fail("the engine was asked");
  const stream = call({ "connect-timeout-ms": "soon" });
  stream.end(connectWire.body);
  assert.equal((await toldError(answerOf(stream))).code, Code.InvalidArgument);
});
