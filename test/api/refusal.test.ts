import assert from "node:assert/strict";
import http2 from "node:http2";
import { type TestContext, test } from "node:test";
import { apiFixture } from "../support/api-fixture.js";
import { RawSocket, rawRequest, reasonsIn } from "../support/raw-http.js";

const path = "/portway.v1.SystemService/GetServerInfo";

test("what HTTP itself refuses is a problem, and what is no method is a failed call", async (t) => {
  const { server, token } = await apiFixture(t);
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  const authorization = `Bearer ${token}`;
  const requests = [
    { request: { path, method: "DELETE" }, status: 405, type: "application/problem+json" },
    {
      request: { path, headers: { "content-type": "image/jpeg" } },
      status: 415,
      type: "application/problem+json",
    },
    { request: { path: "/portway.v1.SystemService/Nope" }, status: 404, type: "application/json" },
    {
      request: {
        path: "/portway.v1.NodeService/WatchNodes",
        headers: { "content-type": "application/json" },
      },
      status: 415,
      type: "application/problem+json",
      said: /expected application\/connect\+json, /,
    },
  ];
  for (const { request, status, type, said = /./ } of requests) {
    const answer = await rawRequest({ at, ...request, headers: { ...request.headers, authorization } });
    assert.deepEqual([answer.status, answer.headers["content-type"]], [status, type]);
    assert.equal(reasonsIn(answer.body).length, 1);
    assert.match(answer.body, said);
  }
});

/** A call whose request is not sent yet. */
async function grpcCall(t: TestContext, contentType: string): Promise<http2.ClientHttp2Stream> {
  const { server, token } = await apiFixture(t);
  const session = http2.connect(`http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`);
  t.after(() => session.destroy());
  return session.request({
    ":method": "POST",
    ":path": path,
    authorization: `Bearer ${token}`,
    "content-type": contentType,
    te: "trailers",
  });
}

test("a gRPC caller with a codec that is not spoken hears a gRPC status", async (t) => {
  const stream = await grpcCall(t, "application/grpc+avro");
  stream.end();
  const headers = await new Promise<http2.IncomingHttpHeaders>((resolve) => stream.once("response", resolve));
  assert.deepEqual([headers[":status"], headers["grpc-status"]], [200, "12"]);
});

test("a message that is compressed without saying how is refused as malformed", async (t) => {
  const stream = await grpcCall(t, "application/grpc");
  stream.end(Buffer.from([1, 0, 0, 0, 1, 0]));
  stream.resume();
  const trailers = await new Promise<http2.IncomingHttpHeaders>((resolve) => {
    stream.once("trailers", resolve);
    stream.once("response", (headers) => {
      if (headers["grpc-status"] !== undefined) resolve(headers);
    });
  });
  assert.equal(trailers["grpc-status"], "13");
});

test("a body that nobody reads does not stand in the way of the next request", async (t) => {
  const { server, token } = await apiFixture(t, { limits: { maxRequestBytes: 1000 } });
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  const client = new RawSocket(at);
  t.after(() => client.socket.destroy());
  client.socket.write(
    `POST ${path} HTTP/1.1\r\nhost: ${at}\r\nauthorization: Bearer ${token}\r\n` +
      `content-type: application/proto\r\ncontent-length: 5000\r\n\r\n${"a".repeat(2000)}`,
  );
  const answer = await client.until("MESSAGE_TOO_LARGE");
  assert.match(answer, /^HTTP\/1\.1 429 /);
  assert.match(answer, /\r\nconnection: close\r\n/i);
});

test("a client that is still sending when it is refused hears why, and keeps its connection", async (t) => {
  const { server, token } = await apiFixture(t);
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  const client = new RawSocket(at);
  t.after(() => client.socket.destroy());
  const head = (authorization: string): string =>
    `POST ${path} HTTP/1.1\r\nhost: ${at}\r\n${authorization}content-type: application/json\r\n` +
    "transfer-encoding: chunked\r\n\r\n";
  client.socket.write(`${head("")}1\r\n{\r\n`);
  await new Promise((resolve) => setImmediate(resolve));
  client.socket.write("1\r\n}\r\n0\r\n\r\n");
  const answer = await client.until("UNAUTHENTICATED");
  assert.match(answer, /^HTTP\/1\.1 401 /);
  assert.doesNotMatch(answer, /connection: close/i);
  client.socket.write(`${head(`authorization: Bearer ${token}\r\n`)}2\r\n{}\r\n0\r\n\r\n`);
  assert.match(await client.until("1.2.3"), /HTTP\/1\.1 200 /);
});

test("a client that does not end its body is refused all the same, and loses its connection", async (t) => {
  const { server } = await apiFixture(t);
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  for (const length of ["transfer-encoding: chunked", `content-length: ${2 ** 30}`]) {
    const client = new RawSocket(at);
    t.after(() => client.socket.destroy());
    client.socket.write(
      `POST ${path} HTTP/1.1\r\nhost: ${at}\r\ncontent-type: application/json\r\n${length}\r\n\r\n`,
    );
    assert.match(await client.until("UNAUTHENTICATED"), /\r\nconnection: close\r\n/i, length);
    await client.closed();
  }
});
