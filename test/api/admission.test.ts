import assert from "node:assert/strict";
import http2 from "node:http2";
import { join } from "node:path";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { MessageService, OpenWorkerRequestSchema } from "../../gen/portway/v1/message_service_pb.js";
import { apiFixture, clientFor, toldError, transportFor } from "../support/api-fixture.js";
import { rawRequest, reasonsIn } from "../support/raw-http.js";

const path = "/portway.v1.SystemService/GetServerInfo";
const json = { "content-type": "application/json" };

test("a host that is not this daemon's is refused, whatever else is right", async (t) => {
  const { server, token } = await apiFixture(t, { allowedHosts: ["relay.example.com"] });
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  const authorization = `Bearer ${token}`;
  const call = (host: string) =>
    rawRequest({ at, path, headers: { ...json, authorization, host }, body: "{}" });
  for (const host of [at, "localhost", "LOCALHOST:9", "127.0.0.1", "[::1]:80", "relay.example.com:443"]) {
    assert.equal((await call(host)).status, 200, host);
  }
  for (const host of [
    "evil.example.com",
    "localhost.evil.com",
    "localhost:99999",
    "user@localhost",
    "10.0.0.1",
    "[::2]",
    "a/b",
  ]) {
    const { status, body } = await call(host);
    assert.deepEqual([status, reasonsIn(body)], [403, ["HOST_NOT_ALLOWED"]], host);
  }
});

test("the authority of an HTTP/2 request is checked as a host is", async (t) => {
  const { server, token } = await apiFixture(t);
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  const session = http2.connect(`http://${at}`);
  const statusFor = async (authority: string): Promise<number | undefined> => {
    const headers = {
      ":method": "POST",
      ":path": path,
      ":authority": authority,
      authorization: `Bearer ${token}`,
    };
    const stream = session.request({ ...headers, ...json });
    stream.end("{}");
    stream.resume();
    return new Promise((resolve) => stream.once("response", (answer) => resolve(answer[":status"])));
  };
  assert.equal(await statusFor(at), 200);
  assert.equal(await statusFor("evil.example.com"), 403);
  session.destroy();
});

test("a page of another origin is refused, with the token too, and no answer has a CORS header", async (t) => {
  const { server, token } = await apiFixture(t, { allowedOrigins: ["https://dash.example.com"] });
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  const authorization = `Bearer ${token}`;
  for (const origin of ["https://evil.example.com", "null", `http://${at}`, "http://localhost"]) {
    const answer = await rawRequest({ at, path, headers: { ...json, authorization, origin }, body: "{}" });
    assert.deepEqual([answer.status, reasonsIn(answer.body)], [403, ["ORIGIN_NOT_ALLOWED"]], origin);
    assert.deepEqual(
      Object.keys(answer.headers).filter((name) => name.startsWith("access-control")),
      [],
    );
  }
  const origin = "https://dash.example.com";
  const answer = await rawRequest({ at, path, headers: { ...json, authorization, origin }, body: "{}" });
  assert.equal(answer.status, 200);
  const preflight = await rawRequest({ at, path, method: "OPTIONS", headers: { origin } });
  assert.equal(preflight.status, 401);
});

test("without the token nothing else is told: not which paths, methods or content types there are", async (t) => {
  const { server } = await apiFixture(t);
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  const requests = [
    { path: "/" },
    { path: "/grpc.health.v1.Health/Check" },
    { path: "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo" },
    { path, method: "GET" },
    { path, method: "PUT" },
    { path: "/%", method: "DELETE" },
    { path, headers: { "content-type": "text/plain" } },
    { path, headers: { authorization: "Basic dXNlcjpwYXNz" } },
    { path, headers: { authorization: "Bearer" } },
    { path, headers: { authorization: `Bearer ${"a".repeat(5000)}` } },
    { path: `${path}?token=abc&access_token=abc` },
  ];
  for (const request of requests) {
    const { status, headers, body } = await rawRequest({ at, ...request });
    assert.equal(status, 401, JSON.stringify(request));
    assert.equal(headers["www-authenticate"], "Bearer");
    assert.deepEqual(reasonsIn(body), ["UNAUTHENTICATED"]);
  }
  const head = await rawRequest({ at, path, method: "HEAD" });
  assert.deepEqual([head.status, head.body], [401, ""]);
});

test("with the token, what is not served is refused by name in JSON", async (t) => {
  const { server, token } = await apiFixture(t);
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  const authorization = `Bearer ${token}`;
  const call = async (request: { path: string; method?: string; type?: string }) => {
    const headers = { authorization, ...(request.type !== undefined && { "content-type": request.type }) };
    const { status, body, headers: answered } = await rawRequest({ at, ...request, headers });
    return { told: [status, ...reasonsIn(body)], allow: answered.allow };
  };
  assert.deepEqual((await call({ path: "/nope" })).told, [404, "UNKNOWN_METHOD"]);
  assert.deepEqual((await call({ path: "//" })).told, [404, "UNKNOWN_METHOD"]);
  assert.deepEqual(await call({ path, method: "PUT" }), {
    told: [405, "UNKNOWN_METHOD"],
    allow: "POST, GET",
  });
  const create = "/portway.v1.NodeService/CreateNode";
  assert.deepEqual(await call({ path: create, method: "GET" }), {
    told: [405, "UNKNOWN_METHOD"],
    allow: "POST",
  });
  for (const type of [
    undefined,
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=a",
    "application/json; charset=latin1",
    "application/grpc-web-text",
    "application/connect+json",
  ]) {
    const { told } = await call({ path, ...(type !== undefined && { type }) });
    assert.deepEqual(told, [415, "UNSUPPORTED_MEDIA_TYPE"], type);
  }
});

test("a gRPC caller is refused with a status in the headers, and nothing after them", async (t) => {
  const { server } = await apiFixture(t);
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  const session = http2.connect(`http://${at}`);
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.end();
  let flags = 0;
  const headers = await new Promise<http2.IncomingHttpHeaders>((resolve) => {
    stream.once("response", (given, givenFlags) => {
      flags = givenFlags;
      resolve(given);
    });
  });
  assert.equal(headers[":status"], 200);
  assert.equal(headers["grpc-status"], "16");
  assert.match(String(headers["grpc-message"]), /token/);
  assert.ok(headers["grpc-status-details-bin"]);
  assert.ok((flags & http2.constants.NGHTTP2_FLAG_END_STREAM) !== 0, "the headers end the stream");
  session.destroy();
});

test("a client that waits to be asked for its body is not asked before it is let in", async (t) => {
  const { server, token } = await apiFixture(t);
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  const { RawSocket } = await import("../support/raw-http.js");
  const head = `POST ${path} HTTP/1.1\r\nhost: ${at}\r\ncontent-type: application/json\r\ncontent-length: 2\r\nexpect: 100-Continue\r\n`;
  const stranger = new RawSocket(at);
  stranger.socket.write(`${head}\r\n`);
  assert.match(await stranger.until("\r\n\r\n"), /^HTTP\/1.1 401 /);
  stranger.socket.destroy();
  const known = new RawSocket(at);
  known.socket.write(`${head}authorization: Bearer ${token}\r\n\r\n`);
  assert.match(await known.until("\r\n\r\n"), /^HTTP\/1.1 100 /);
  known.socket.write("{}");
  assert.match(await known.until("1.2.3"), /HTTP\/1.1 200 /);
  known.socket.destroy();
});

test("a rotated token is refused from then on, and the new one is taken", async (t) => {
  const { server, tokens, token } = await apiFixture(t);
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  const statusWith = async (presented: string) => {
    const headers = { ...json, authorization: `Bearer ${presented}` };
    return (await rawRequest({ at, path, headers, body: "{}" })).status;
  };
  assert.equal(await statusWith(token), 200);
  const rotate = {
    at,
    path: "/portway.v1.SystemService/RotateToken",
    headers: { ...json, authorization: `Bearer ${token}` },
  };
  const answer = await rawRequest({ ...rotate, body: "{}" });
  assert.deepEqual(JSON.parse(answer.body), { tokenPath: tokens.path });
  assert.equal(await statusWith(token), 401);
  const { readToken } = await import("../../src/api/token.js");
  assert.equal(await statusWith((await readToken(tokens.path))!), 200);
});

test("neither tokens nor requests nor answers are in the log", async (t) => {
  const { server, token, lines, engine } = await apiFixture(t);
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  const headers = { ...json, authorization: `Bearer ${token}` };
  const payload = Buffer.from("secret payload").toString("base64");
  const send = "/portway.v1.MessageService/SendMessage";
  await rawRequest({ at, path: send, headers, body: JSON.stringify({ to: "/service/echo", payload }) });
  engine.onCall = () => {
    throw new Error("a fault");
  };
  await rawRequest({ at, path: send, headers, body: JSON.stringify({ to: "/service/echo", payload }) });
  const message = encodeURIComponent(JSON.stringify({ name: "nodes/secret" }));
  const get = `/portway.v1.NodeService/GetNode?connect=v1&encoding=json&message=${message}`;
  await rawRequest({ at, path: get, method: "GET", headers: { authorization: `Bearer ${token}` } });
  await rawRequest({ at, path: get, method: "GET", headers: { authorization: "Bearer wrong-token" } });
  const text = JSON.stringify(lines);
  assert.ok(lines.some(({ event, facts }) => event === "call.answered" && facts["principal"] === "token"));
  assert.ok(lines.some(({ event, facts }) => event === "call.failed" && facts["error"] instanceof Error));
  assert.ok(lines.some(({ event }) => event === "request.refused"));
  for (const secret of [token, payload, "secret", "wrong-token"]) assert.ok(!text.includes(secret), secret);
});

test("the Unix socket asks for no token, and takes no host but this machine", async (t) => {
  const { server, directory } = await apiFixture(t);
  const at = join(directory, "run", "api.sock");
  await server.listenUnix(at);
  const call = (host: string) => rawRequest({ at, path, headers: { ...json, host }, body: "{}" });
  assert.equal((await call("localhost")).status, 200);
  assert.equal((await call("evil.example.com")).status, 403);
});

test("the authorizer is asked once for each call, with who calls what on what, and its no is PERMISSION_DENIED", async (t) => {
  const asked: unknown[] = [];
  const { server, token, engine } = await apiFixture(t, {
    authorizer: (principal, method, resource) => {
      asked.push([principal.kind, method, resource]);
      return Promise.resolve(method.endsWith("DeleteNode") ? "deny" : "allow");
    },
  });
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  const headers = { ...json, authorization: `Bearer ${token}` };
  const call = (name: string, body: object) =>
    rawRequest({ at, path: `/portway.v1.NodeService/${name}`, headers, body: JSON.stringify(body) });
  await call("CreateNode", { nodeId: "n1" });
  await call("ListServices", { parent: "nodes/n1" });
  engine.onCall = () => assert.fail("the engine was asked");
  const denied = await call("DeleteNode", { name: "nodes/n1" });
  assert.deepEqual([denied.status, reasonsIn(denied.body)], [403, ["PERMISSION_DENIED"]]);
  assert.deepEqual(asked, [
    ["token", "portway.v1.NodeService/CreateNode", "nodes/n1"],
    ["token", "portway.v1.NodeService/ListServices", "nodes/n1"],
    ["token", "portway.v1.NodeService/DeleteNode", "nodes/n1"],
  ]);
});

test("the authorizer hears of the node that a worker is to be opened on", async (t) => {
  const asked: unknown[] = [];
  const { server, token } = await apiFixture(t, {
    authorizer: (_principal, method, resource) => {
      asked.push([method, resource]);
      return "deny";
    },
  });
  const url = `http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`;
  const client = clientFor(MessageService, transportFor("grpc", url, { token }));
  const open = { node: "nodes/n1", address: "a" };
  async function* requests() {
    yield create(OpenWorkerRequestSchema, { request: { case: "open", value: open } });
  }
  const first = async (answers: AsyncIterable<unknown>): Promise<unknown> =>
    (await answers[Symbol.asyncIterator]().next()).value;
  for (const answers of [client.openWorker(requests()), client.receiveMessages({ open })]) {
    assert.deepEqual((await toldError(first(answers))).reasons, ["PERMISSION_DENIED"]);
  }
  assert.deepEqual(asked, [
    ["portway.v1.MessageService/OpenWorker", "nodes/n1"],
    ["portway.v1.MessageService/ReceiveMessages", "nodes/n1"],
  ]);
});
