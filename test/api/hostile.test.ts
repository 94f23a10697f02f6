import assert from "node:assert/strict";
import http2 from "node:http2";
import { test } from "node:test";
import fc from "fast-check";
import { apiFixture } from "../support/api-fixture.js";
import { RawSocket, rawRequest } from "../support/raw-http.js";

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
