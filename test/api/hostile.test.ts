import assert from "node:assert/strict";
import http2 from "node:http2";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { SendMessageRequestSchema } from "../../gen/portway/v1/message_service_pb.js";
import { CreateNodeRequestSchema } from "../../gen/portway/v1/node_service_pb.js";
import { envelopeOf } from "../../src/api/envelope.js";
import { deferred } from "../../src/base/signals.js";
import { apiFixture } from "../support/api-fixture.js";
import { grpcRequest, RawSocket, rawRequest } from "../support/raw-http.js";

const path = "/portway.v1.SystemService/GetServerInfo";
const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);

test("whatever bytes arrive, their connections end and the server serves on", async (t) => {
  const limits = {
    handshakeTimeoutMs: 500,
    unauthenticatedTimeoutMs: 500,
    headersTimeoutMs: 500,
    requestTimeoutMs: 500,
  };
  const { server, token } = await apiFixture(t, { limits });
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  const start = fc.constantFrom(
    Buffer.alloc(0),
    preface,
    Buffer.concat([preface, settings]),
    Buffer.from(`POST ${path} HTTP/1.1\r\nhost: localhost\r\n`),
    Buffer.from(`POST ${path} HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n`),
  );
  const frame = fc
    .record({
      type: fc.integer({ min: 0, max: 12 }),
      flags: fc.integer({ min: 0, max: 255 }),
      stream: fc.integer({ min: 0, max: 5 }),
      body: fc.uint8Array({ maxLength: 40 }),
    })
    .map(({ type, flags, stream, body }) =>
      Buffer.from([0, 0, body.byteLength, type, flags, 0, 0, 0, stream, ...body]),
    );
  const rest = fc.oneof(
    fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
    fc.array(frame, { maxLength: 6 }).map((frames) => Buffer.concat(frames)),
  );
  const inputs = fc.sample(fc.tuple(start, rest), 400);
  await Promise.all(
    inputs.map(async (parts, index) => {
      const socket = new RawSocket(at);
      // Every other client leaves at once, the rest stay to see what happens.
      if (index % 2 === 0) socket.socket.end(Buffer.concat(parts));
      else socket.socket.write(Buffer.concat(parts));
      await socket.closed();
    }),
  );
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  assert.equal((await rawRequest({ at, path, headers, body: "{}" })).status, 200);
});

test("a breach of HTTP/2 ends its connection and the calls on it, also behind a good-bye", async (t) => {
  const { server, token, engine } = await apiFixture(t);
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  let running = 0;
  let begun = (): void => {};
  engine.onSend = (_request, { signal }) => {
    running += 1;
    begun();
    return new Promise((_, reject) =>
      signal!.addEventListener("abort", () => {
        running -= 1;
        reject(signal!.reason);
      }),
    );
  };
  const call = firstCall(token, "MessageService/SendMessage", "application/json", '{"to":"/service/echo"}');
  const ask = frame(4, 0, 0, []).toString("latin1");
  const goodbye = frame(7, 0, 0, [Buffer.alloc(8)]);
  const dataOnIdleStream = frame(0, 0, 99, [Buffer.from("aa")]);
  const breaches = [
    dataOnIdleStream,
    Buffer.concat([goodbye, dataOnIdleStream]),
    frame(1, 4, 7, [Buffer.alloc(5, 255)]),
    frame(4, 0, 0, [Buffer.alloc(3)]),
    frame(9, 4, 3, [Buffer.alloc(1)]),
    frame(0, 0, 1, [Buffer.alloc(20_000)]),
  ];
  const ends: Promise<void>[] = [];
  for (const breach of breaches) {
    for (const leaves of [true, false]) {
      const client = new RawSocket(at);
      const runs = new Promise<void>((resolve) => {
        begun = resolve;
      });
      client.socket.write(Buffer.concat([preface, settings, call]));
      await runs;
      // Asked already, and never answers.
      if (leaves && breach === dataOnIdleStream) await client.until(ask);
      client.socket.write(breach);
      if (leaves) client.socket.end();
      ends.push(client.closed());
    }
  }
  await Promise.all(ends);
  await server.close({ graceMs: 60_000 });
  assert.equal(running, 0);
});

test("a breach ends a watch of which more and more waits", async (t) => {
  const { server, token, engine } = await apiFixture(t, { limits: { stallTimeoutMs: 1500 } });
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  const message = envelopeOf(0, Buffer.from("{}"));
  const watch = firstCall(token, "NodeService/WatchNodes", "application/connect+json", message);
  const client = new RawSocket(at);
  // Together, so that nothing of the answer leaves.
  client.socket.end(Buffer.concat([preface, settings, watch, frame(0, 0, 99, [Buffer.from("aa")])]));
  let count = 0;
  const more = setInterval(() => void engine.nodes.create(`n${count++}`, { tcpListenerAddress: "" }), 200);
  await client.closed();
  clearInterval(more);
  assert.equal(engine.changes.subscribers, 0);
});

test("a client that keeps to HTTP/2 is asked once for what it said, and its calls go on", async (t) => {
  const { server, token, engine } = await apiFixture(t);
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  let answer = (): void => {};
  engine.onSend = ({ payload }) =>
    new Promise((resolve) => {
      answer = () => resolve({ payload, returnRoute: "", roundTripMs: 1 });
    });
  const session = http2.connect(`http://${at}`);
  const stream = session.request({
    ":method": "POST",
    ":path": "/portway.v1.MessageService/SendMessage",
    authorization: `Bearer ${token}`,
    "content-type": "application/json",
  });
  const status = new Promise((resolve) => stream.once("response", (head) => resolve(head[":status"])));
  stream.end('{"to":"/service/echo"}');
  stream.resume();
  let asked = 0;
  session.on("remoteSettings", () => {
    asked += 1;
  });
  // The first are those that every session begins with.
  while (asked < 2) await new Promise((resolve) => session.once("remoteSettings", resolve));
  session.goaway();
  while (asked < 3) await new Promise((resolve) => session.once("remoteSettings", resolve));
  answer();
  assert.equal(await status, 200);
  session.destroy();
});

test("calls that are reset in every way and at every moment leave nothing behind", async (t) => {
  const { server, token, engine } = await apiFixture(t);
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  const signals: AbortSignal[] = [];
  engine.onSend = (_request, { signal }) => {
    signals.push(signal!);
    return new Promise((_, reject) => signal!.addEventListener("abort", () => reject(signal!.reason)));
  };
  const session = http2.connect(`http://${at}`);
  session.on("error", () => {});
  const requests = [
    {
      ":method": "POST",
      ":path": "/portway.v1.MessageService/SendMessage",
      authorization: `Bearer ${token}`,
    },
    { ":method": "POST", ":path": "/portway.v1.MessageService/SendMessage" },
    { ":method": "POST", ":path": "/nope", authorization: `Bearer ${token}`, expect: "nothing" },
    { ":method": "CONNECT", ":authority": "localhost:1" },
    { ":method": "GET", ":path": `${path}?${"a".repeat(3000)}` },
  ];
  const closed: Promise<unknown>[] = [];
  for (const code of [0, 1, 2, 7, 8, 11]) {
    for (const headers of requests) {
      for (const body of ["", "{", '{"to":"/service/echo"}']) {
        const stream = session.request(
          headers[":method"] === "CONNECT" ? headers : { ...headers, "content-type": "application/json" },
        );
        stream.on("error", () => {});
        stream.resume();
        closed.push(new Promise((resolve) => stream.once("close", resolve)));
        if (body === "{") stream.write(body);
        else stream.end(body);
        if (code % 2 === 0) setImmediate(() => stream.close(code));
        else stream.close(code);
      }
    }
  }
  await Promise.all(closed);
  await new Promise((resolve) => session.ping(resolve));
  session.destroy();
  // Nothing holds the server up: everything has ended by itself.
  await server.close({ graceMs: 60_000 });
  assert.ok(signals.every(({ aborted }) => aborted));
});

test("a request that its client breaks off inside of its body is not carried out", async (t) => {
  const { server, token, engine } = await apiFixture(t);
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  const asked: string[] = [];
  engine.onCall = (name) => void asked.push(name);
  // What has come is a request of its own: of a longer one the fields at the end are missing.
  const message = toBinary(CreateNodeRequestSchema, create(CreateNodeRequestSchema, { nodeId: "n9" }));
  const bodies = [
    ["application/proto", message],
    ["application/grpc", envelopeOf(0, message)],
    ["application/grpc-web", envelopeOf(0, message)],
    ["application/json", Buffer.from('{"nodeId":"n9"}')],
  ] as const;
  const reset = (code: number): Buffer => frame(3, 0, 1, [Buffer.of(0, 0, 0, code)]);
  for (const [type, body] of bodies) {
    const begun = firstCall(token, "NodeService/CreateNode", type, body, { isEnd: false });
    for (const breaksOff of [reset(http2.constants.NGHTTP2_CANCEL), reset(0), undefined]) {
      const client = new RawSocket(at);
      client.socket.write(
        Buffer.concat([preface, settings, begun, frame(6, 0, 0, [Buffer.from("arrived.")])]),
      );
      await client.until("arrived.");
      if (breaksOff === undefined) client.socket.end();
      else client.socket.write(Buffer.concat([breaksOff, frame(6, 0, 0, [Buffer.from("received")])]));
      await (breaksOff === undefined ? client.closed() : client.until("received"));
      client.socket.destroy();
    }
  }
  // All calls have ended by themselves, and what they began has as well.
  await server.close({ graceMs: 60_000 });
  assert.deepEqual(asked, []);
});

function frame(type: number, flags: number, stream: number, parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const head = Buffer.alloc(9);
  head.writeUIntBE(body.byteLength, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, body]);
}

/** A literal header field (RFC 7541, 6.2.2) with a name and a value of less than 127 bytes. */
/** The frames of a call that is the first of its connection. */
function firstCall(
  token: string,
  method: string,
  contentType: string,
  body: string | Uint8Array,
  { isEnd = true } = {},
): Buffer {
  const fields = [
    field(":method", "POST"),
    field(":scheme", "http"),
    field(":path", `/portway.v1.${method}`),
    field(":authority", "localhost"),
    field("content-type", contentType),
    field("authorization", `Bearer ${token}`),
  ];
  return Buffer.concat([frame(1, 4, 1, fields), frame(0, isEnd ? 1 : 0, 1, [Buffer.from(body)])]);
}

function field(name: string, value: string): Buffer {
  const text = (of: string): Buffer => Buffer.concat([Buffer.of(of.length), Buffer.from(of)]);
  return Buffer.concat([Buffer.of(0), text(name), text(value)]);
}

test("a request of millions of unknown fields takes no more memory than its bytes", async (t) => {
  const { server, token, engine } = await apiFixture(t);
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  const session = http2.connect(`http://${at}`);
  t.after(() => session.destroy());
  const [asked, answered] = [deferred<void>(), deferred<void>()];
  engine.onSend = async ({ payload }) => {
    asked.resolve();
    await answered.promise;
    return { payload, returnRoute: "", roundTripMs: 1 };
  };
  const known = toBinary(SendMessageRequestSchema, create(SendMessageRequestSchema, { to: "/service/echo" }));
  // Field 15 with the value 1.
  const message = Buffer.concat([known, Buffer.alloc(4_000_000, Buffer.from([0x78, 1]))]);
  const before = process.memoryUsage().heapUsed;
  const grpc = grpcRequest(session, { token, method: "MessageService/SendMessage", message });
  await asked.promise;
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/proto" };
  const connect = rawRequest({ at, path: "/portway.v1.MessageService/SendMessage", headers, body: message });
  const twice = deferred<void>();
  const send = engine.onSend;
  engine.onSend = (...args) => {
    twice.resolve();
    return send(...args);
  };
  await twice.promise;
  const heapBytes = process.memoryUsage().heapUsed - before;
  answered.resolve();
  assert.equal((await connect).status, 200);
  await new Promise((resolve) => grpc.resume().once("close", resolve));
  assert.ok(heapBytes < 100e6, `${heapBytes}`);
});
