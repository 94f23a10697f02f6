import assert from "node:assert/strict";
import http2 from "node:http2";
import net from "node:net";
import type { Readable } from "node:stream";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { SendMessageRequestSchema } from "../../gen/portway/v1/message_service_pb.js";
import { apiFixture } from "../support/api-fixture.js";
import { grpcRequest, RawSocket, rawRequest } from "../support/raw-http.js";

const path = "/portway.v1.SystemService/GetServerInfo";
const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const settingsFrame = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);

test("HTTP/1.1 and HTTP/2 are told apart byte by byte", async (t) => {
  const { server, token } = await apiFixture(t);
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  const head = `host: ${at}\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}`;
  // A method with the first letter of the preface is the hard case.
  const post = new RawSocket(at);
  await post.writeByByte(Buffer.from(`POST ${path} HTTP/1.1\r\n${head}`));
  assert.match(await post.until("1.2.3"), /^HTTP\/1.1 200 /);
  post.socket.destroy();
  const h2 = new RawSocket(at);
  await h2.writeByByte(Buffer.concat([preface, settingsFrame]));
  while (h2.received.byteLength < 9) await new Promise((resolve) => h2.socket.once("data", resolve));
  assert.equal(h2.received[3], 4, "the answer begins with SETTINGS");
  h2.socket.destroy();
  const odd = new RawSocket(at);
  odd.socket.write("PRX * HTTP/2.0\r\n\r\n");
  assert.match(await odd.until("\r\n"), /^HTTP\/1.1 400 /);
});

test("pipelined requests whose first bytes came together are all answered", async (t) => {
  const { server, token } = await apiFixture(t);
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  const one = `POST ${path} HTTP/1.1\r\nhost: ${at}\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}`;
  const socket = new RawSocket(at);
  socket.socket.end(one.repeat(3));
  await socket.closed();
  assert.equal(socket.received.toString().split("HTTP/1.1 200 ").length - 1, 3);
});

test("a socket that says nothing, one byte, or half a preface is closed", async (t) => {
  const { server } = await apiFixture(t, { limits: { handshakeTimeoutMs: 100 } });
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  for (const said of ["", "P", "PRI * HTTP/2.0\r\n"]) {
    const socket = new RawSocket(at);
    if (said !== "") socket.socket.write(said);
    await socket.closed();
    assert.equal(socket.received.byteLength, 0, said);
  }
  const gone = new RawSocket(at);
  gone.socket.end();
  await gone.closed();
});

test("headers that do not end, and a body that does not come, end the connection", async (t) => {
  const { server, token } = await apiFixture(t, { limits: { headersTimeoutMs: 200, requestTimeoutMs: 400 } });
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  const slowHead = new RawSocket(at);
  slowHead.socket.write(`POST ${path} HTTP/1.1\r\nhost: ${at}\r\n`);
  const slowBody = new RawSocket(at);
  slowBody.socket.write(
    `POST ${path} HTTP/1.1\r\nhost: ${at}\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{`,
  );
  await Promise.all([slowHead.closed(), slowBody.closed()]);
  assert.match(slowHead.received.toString(), /^HTTP\/1.1 408 /);
  assert.match(slowBody.received.toString(), /^HTTP\/1.1 504 .*did not arrive within 0.4 s.*TIMED_OUT/s);
});

test("a request over HTTP/2 whose body does not come is told so in the words of its protocol", async (t) => {
  const { server, token } = await apiFixture(t, { limits: { headersTimeoutMs: 200, requestTimeoutMs: 400 } });
  const session = http2.connect(`http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`);
  t.after(() => session.destroy());
  for (const type of ["application/json", "application/proto", "application/grpc", "application/grpc-web"]) {
    const headers = { ":method": "POST", ":path": path, authorization: `Bearer ${token}` };
    const stream = session.request({ ...headers, "content-type": type });
    stream.write("{");
    let said = "";
    stream.on("response", (head) => {
      const details = head["grpc-status-details-bin"];
      if (details !== undefined) said += `grpc-status-details-bin: ${details}`;
    });
    stream.on("data", (chunk) => {
      said += chunk;
    });
    await new Promise((resolve) => stream.once("close", resolve));
    assert.equal(stream.rstCode, http2.constants.NGHTTP2_NO_ERROR, type);
    const details = /grpc-status-details-bin: (\S+)/.exec(said)?.[1] ?? "";
    const told = said + Buffer.from(details, "base64").toString("latin1");
    assert.match(told, /did not arrive within 0.4 s.*TIMED_OUT/s, type);
  }
});

test("an HTTP/2 connection that makes no call that is let in is closed, and so is an idle one", async (t) => {
  const { server, token, lines } = await apiFixture(t, {
    limits: { unauthenticatedTimeoutMs: 100, idleTimeoutMs: 1000 },
  });
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  const closed = (session: http2.ClientHttp2Session) =>
    new Promise<void>((resolve) => session.once("close", () => resolve()));
  const call = (session: http2.ClientHttp2Session, headers: object) =>
    new Promise((resolve) => {
      const stream = session.request({
        ":method": "POST",
        ":path": path,
        "content-type": "application/json",
        ...headers,
      });
      stream.end("{}");
      stream.resume();
      stream.once("close", resolve);
    });
  const silent = http2.connect(`http://${at}`).on("error", () => {});
  const refused = http2.connect(`http://${at}`).on("error", () => {});
  const idle = http2.connect(`http://${at}`).on("error", () => {});
  const ends = [closed(silent), closed(refused), closed(idle)];
  await Promise.all([call(refused, {}), call(idle, { authorization: `Bearer ${token}` })]);
  await Promise.all(ends);
  const why = lines.filter(({ event }) => event === "connection.ended").map(({ facts }) => facts["why"]);
  assert.deepEqual(why.sort(), ["idle", "unauthenticated", "unauthenticated"]);
});

test("an HTTP/1.1 connection that makes no call that is let in is closed, however busy it is", async (t) => {
  const { server } = await apiFixture(t, { limits: { unauthenticatedTimeoutMs: 100 } });
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  const stranger = new RawSocket(at);
  const ask = (): void => {
    stranger.socket.write(`POST ${path} HTTP/1.1\r\nhost: ${at}\r\n\r\n`);
  };
  const asking = setInterval(ask, 50);
  await stranger.closed();
  clearInterval(asking);
  assert.match(stranger.received.toString(), /^HTTP\/1.1 401 /);
});

test("a client that stops reading is cut off, over HTTP/1.1 and HTTP/2", async (t) => {
  const { server, token, engine } = await apiFixture(t, { limits: { stallTimeoutMs: 300 } });
  engine.onSend = async () => ({ payload: Buffer.alloc(4_000_000), returnRoute: "", roundTripMs: 1 });
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  const body = '{"to":"/service/echo"}';
  const send = "/portway.v1.MessageService/SendMessage";
  const one = `POST ${send} HTTP/1.1\r\nhost: ${at}\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
  const slow = new RawSocket(at);
  slow.socket.pause();
  slow.socket.write(one.repeat(4));
  const cut = new Promise<void>((resolve) => slow.socket.once("error", () => resolve()));
  slow.socket.on("close", () => {});
  const poke = setInterval(() => slow.socket.write("\r\n"), 50);
  await cut;
  clearInterval(poke);

  const session = http2.connect(`http://${at}`, { settings: { initialWindowSize: 1000 } });
  const headers = { ":method": "POST", ":path": send, authorization: `Bearer ${token}` };
  const stream = session.request({ ...headers, "content-type": "application/json" });
  stream.on("error", () => {});
  stream.end(body);
  stream.pause();
  await new Promise((resolve) => stream.once("aborted", resolve).once("close", resolve));
  assert.equal(stream.rstCode, http2.constants.NGHTTP2_ENHANCE_YOUR_CALM);
  session.destroy();
});

test("a client that takes a large answer slowly but steadily gets all of it, over HTTP/1.1 and HTTP/2", async (t) => {
  const { server, token, engine, directory } = await apiFixture(t, { limits: { stallTimeoutMs: 1000 } });
  engine.onSend = async () => ({ payload: Buffer.alloc(2_000_000), returnRoute: "", roundTripMs: 1 });
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  // A socket of a kind that the system buffers little for.
  const socketPath = `${directory}/run/api.sock`;
  await server.listenUnix(socketPath);
  const body = '{"to":"/service/echo"}';
  const send = "/portway.v1.MessageService/SendMessage";
  const head = `POST ${send} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n`;
  const slow = net.connect(socketPath);
  slow.write(`${head}connection: close\r\ncontent-length: ${body.length}\r\n\r\n${body}`);

  const session = http2.connect(`http://${at}`);
  t.after(() => session.destroy());
  const unary = grpcRequest(session, {
    token,
    method: "MessageService/SendMessage",
    message: toBinary(SendMessageRequestSchema, create(SendMessageRequestSchema, { to: "/service/echo" })),
  });
  const bytes = await Promise.all([readSlowly(slow), readSlowly(unary)]);
  assert.ok(bytes[0] > 2_600_000, `in base64: ${bytes[0]}`);
  assert.ok(bytes[1] > 2_000_000, `${bytes[1]}`);
});

/** Reads some 700 KB a second; gives how much there was. */
async function readSlowly(source: Readable): Promise<number> {
  let bytes = 0;
  for await (const chunk of source) {
    bytes += chunk.length;
    await new Promise((resolve) => setTimeout(resolve, chunk.length / 700));
  }
  return bytes;
}

test("a listener holds no more connections than its limit, and serves again when one ends", async (t) => {
  const { server, token } = await apiFixture(t, { limits: { maxConnections: 2 } });
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  const held = [new RawSocket(at), new RawSocket(at)];
  for (const { socket } of held) socket.write("G");
  const extra = new RawSocket(at);
  await extra.closed();
  held[0]!.socket.destroy();
  await held[0]!.closed();
  const headers = { "content-type": "application/json", authorization: `Bearer ${token}` };
  for (;;) {
    const answer = await rawRequest({ at, path, headers, body: "{}" }).catch(() => undefined);
    if (answer?.status === 200) break;
  }
  held[1]!.socket.destroy();
});

test("one HTTP/2 connection runs no more calls at the same time than its limit", async (t) => {
  const { server, token, engine } = await apiFixture(t, { limits: { maxStreamsPerConnection: 3 } });
  let running = 0;
  let most = 0;
  let release = (): void => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  engine.onSend = async ({ payload }) => {
    running += 1;
    most = Math.max(most, running);
    if (running === 3) release();
    await released;
    running -= 1;
    return { payload, returnRoute: "", roundTripMs: 1 };
  };
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  const session = http2.connect(`http://${at}`);
  const call = () =>
    new Promise<number>((resolve, reject) => {
      const headers = { ":method": "POST", ":path": "/portway.v1.MessageService/SendMessage" };
      const stream = session.request({
        ...headers,
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
      });
      stream.end('{"to":"/service/echo"}');
      stream.resume();
      stream.once("response", (answer) => resolve(answer[":status"] ?? 0));
      stream.once("error", reject);
    });
  await new Promise<void>((resolve) => session.once("remoteSettings", () => resolve()));
  assert.equal(session.remoteSettings.maxConcurrentStreams, 3);
  const statuses = await Promise.all(Array.from({ length: 12 }, call));
  assert.deepEqual([...new Set(statuses)], [200]);
  assert.equal(most, 3);
  session.destroy();
});

test("pipelined calls of one HTTP/1.1 connection run no more at the same time than its limit", async (t) => {
  const { server, token, engine } = await apiFixture(t, { limits: { maxStreamsPerConnection: 3 } });
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  const running: (() => void)[] = [];
  let most = 0;
  const begun: string[] = [];
  engine.onSend = ({ payload }) => {
    begun.push(Buffer.from(payload).toString());
    return new Promise((resolve) => {
      most = Math.max(
        most,
        running.push(() => resolve({ payload, returnRoute: "", roundTripMs: 1 })),
      );
    });
  };
  const client = new RawSocket(at);
  const count = 3000;
  for (let index = 0; index < count; index += 1) {
    const payload = Buffer.from(`${index}.`).toString("base64");
    const body = JSON.stringify({ to: "/service/echo", payload });
    client.socket.write(
      `POST /portway.v1.MessageService/SendMessage HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
  }
  while (running.length < 3) await new Promise(setImmediate);
  const last = Buffer.from(`${count - 1}.`).toString("base64");
  const answered = client.until(last);
  while (begun.length < count || running.length > 0) {
    running.shift()?.();
    await new Promise(setImmediate);
  }
  await answered;
  assert.equal(most, 3);
  assert.deepEqual(
    begun,
    Array.from({ length: count }, (_, index) => `${index}.`),
  );
  client.socket.destroy();
});

test("headers above the limit are refused, over HTTP/1.1 and HTTP/2", async (t) => {
  const { server } = await apiFixture(t, { limits: { maxHeaderBytes: 4096 } });
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  const big = "a".repeat(6000);
  assert.equal((await rawRequest({ at, path, headers: { "x-big": big } })).status, 431);
  const session = http2.connect(`http://${at}`);
  session.on("error", () => {});
  const stream = session.request({ ":method": "POST", ":path": path, "x-big": big });
  stream.resume();
  const status = await new Promise((resolve) =>
    stream.once("response", (answer) => resolve(answer[":status"])),
  );
  assert.equal(status, 431);
  session.destroy();
});
