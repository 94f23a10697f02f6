import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import http from "node:http";
import http2 from "node:http2";
import net from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { Code } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { MessageService } from "../../gen/portway/v1/message_service_pb.js";
import { NodeService } from "../../gen/portway/v1/node_service_pb.js";
import { PortwayError } from "../../src/base/errors.js";
import type { Reply } from "../../src/node/engine.js";
import { apiFixture, clientFor, protocols, toldError, transportFor } from "../support/api-fixture.js";
import { RawSocket } from "../support/raw-http.js";

test("a call that is canceled by its caller ends the engine's signal, over every transport", async (t) => {
  const { server, token, engine, directory } = await apiFixture(t);
  const url = `http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`;
  const socketPath = join(directory, "run", "api.sock");
  await server.listenUnix(socketPath);
  const overUnix = createGrpcTransport({
    baseUrl: "http://localhost",
    nodeOptions: { createConnection: () => net.connect(socketPath) },
  });
  const transports = [
    ...(["connect json", "connect binary", "grpc", "grpc-web"] as const).map((protocol) =>
      transportFor(protocol, url, { token }),
    ),
    overUnix,
  ];
  for (const transport of transports) {
    const caller = new AbortController();
    const ended = new Promise<AbortSignal>((resolve) => {
      engine.onSend = (_request, { signal }) =>
        new Promise<Reply>((_, reject) => {
          signal!.addEventListener("abort", () => {
            resolve(signal!);
            reject(signal!.reason);
          });
          caller.abort();
        });
    });
    const call = clientFor(MessageService, transport).sendMessage(
      { to: "/service/echo" },
      { signal: caller.signal },
    );
    assert.equal((await toldError(call)).code, Code.Canceled);
    assert.ok((await ended).aborted);
  }
});

test("a server that is closed while it binds is bound nowhere afterwards", async (t) => {
  const { server, directory } = await apiFixture(t);
  const socketPath = join(directory, "run", "api.sock");
  const binding = [server.listenUnix(socketPath), server.listenTcp({ host: "127.0.0.1", port: 0 })];
  const outcomes = Promise.allSettled(binding);
  await server.close();
  assert.equal(existsSync(socketPath), false);
  for (const outcome of await outcomes) {
    assert.equal(outcome.status === "rejected" && outcome.reason.code, "stopped");
  }
});

test("a create whose caller goes away ends its wait", async (t) => {
  const { server, token, engine } = await apiFixture(t);
  const url = `http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`;
  const nodes = clientFor(NodeService, transportFor("grpc", url, { token }));
  await nodes.createNode({ nodeId: "n1" });
  const caller = new AbortController();
  const ended = new Promise<void>((resolve) => {
    engine.onCreate = (options) => {
      assert.equal(options?.waitMs, 5000);
      return new Promise((_, reject) => {
        options?.signal?.addEventListener("abort", () => {
          resolve();
          reject(new PortwayError("canceled", "the wait was ended"));
        });
        caller.abort();
      });
    };
  });
  const tcpConnection = { peerAddress: "127.0.0.1:1" };
  const request = { parent: "nodes/n1", tcpConnection, wait: { seconds: 5n } };
  const call = nodes.createTcpConnection(request, { signal: caller.signal });
  assert.equal((await toldError(call)).code, Code.Canceled);
  await ended;
});

test("a signal does not end when its call has been answered", async (t) => {
  const { server, token, engine } = await apiFixture(t);
  const url = `http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`;
  let reason: unknown;
  engine.onSend = async ({ payload }, { signal }) => {
    signal!.addEventListener("abort", () => {
      reason = signal!.reason;
    });
    return { payload, returnRoute: "", roundTripMs: 1 };
  };
  for (const protocol of ["connect json", "grpc"] as const) {
    await clientFor(MessageService, transportFor(protocol, url, { token })).sendMessage({
      to: "/service/echo",
    });
    // Connect's own clean-up ends it without a reason of ours.
    assert.ok(!(reason instanceof Error) || reason.name === "AbortError", String(reason));
  }
});

test("closing lets running calls finish, takes no new connection, and ends idle ones at once", async (t) => {
  const { server, token, engine } = await apiFixture(t);
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  const finishes: (() => void)[] = [];
  engine.onSend = ({ payload }) =>
    new Promise((answer) => finishes.push(() => answer({ payload, returnRoute: "", roundTripMs: 1 })));
  const idle = new RawSocket(at);
  idle.socket.write("G");
  const calls = (["connect json", "grpc"] as const).map((protocol) =>
    clientFor(MessageService, transportFor(protocol, `http://${at}`, { token })).sendMessage({
      to: "/service/echo",
      payload: Buffer.from(protocol),
    }),
  );
  while (finishes.length < 2) await new Promise(setImmediate);
  const closed = server.close({ graceMs: 10_000 });
  assert.equal(server.close(), closed, "closing again waits for the same end");
  await idle.closed();
  const refused = new RawSocket(at);
  await refused.closed();
  for (const each of finishes) each();
  const payloads = (await Promise.all(calls)).map(({ payload }) => Buffer.from(payload).toString());
  assert.deepEqual(payloads, ["connect json", "grpc"]);
  await closed;
});

test("calls that do not finish in time are told so, and their signals end", async (t) => {
  const { server, token, engine } = await apiFixture(t);
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  const signals: AbortSignal[] = [];
  engine.onSend = (_request, { signal }) => {
    signals.push(signal!);
    return new Promise((_, reject) => signal!.addEventListener("abort", () => reject(signal!.reason)));
  };
  const calls = protocols.map((protocol) =>
    toldError(
      clientFor(MessageService, transportFor(protocol, `http://${at}`, { token })).sendMessage({
        to: "/service/echo",
      }),
    ),
  );
  while (signals.length < calls.length) await new Promise(setImmediate);
  await server.close({ graceMs: 50 });
  assert.ok(signals.every(({ aborted }) => aborted));
  for (const told of await Promise.all(calls)) {
    assert.deepEqual([told.code, told.reasons], [Code.Unavailable, ["DRAINING"]]);
  }
});

test("a caller whose request is still to come hears of its deadline, and of the end of the server", async (t) => {
  let underWay = 0;
  const activity = {
    callBegan() {
      underWay += 1;
    },
    callEnded() {
      underWay -= 1;
    },
  };
  const { server, token } = await apiFixture(t, { activity });
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  const session = http2.connect(`http://${at}`).on("error", () => {});
  t.after(() => session.destroy());
  /** Sends the beginning of a request; what is told. */
  const begun = async (headers: Readonly<Record<string, string>>): Promise<string> => {
    const path = "/portway.v1.NodeService/ListNodes";
    const stream = session.request({
      ":method": "POST",
      ":path": path,
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      ...headers,
    });
    stream.on("error", () => {});
    stream.write("{");
    let told = "";
    for await (const chunk of stream) told += String(chunk);
    return told;
  };
  const begunOverHttp1 = async (headers: string): Promise<string> => {
    const client = new RawSocket(at);
    client.socket.write(
      `POST /portway.v1.NodeService/ListNodes HTTP/1.1\r\nhost: ${at}\r\nauthorization: Bearer ${token}\r\n` +
        `content-type: application/json\r\ncontent-length: 2\r\n${headers}\r\n{`,
    );
    return await client.until('"}');
  };
  assert.match(await begun({ "connect-timeout-ms": "100" }), /"deadline_exceeded".*"TIMED_OUT"/s);
  const ofGrpcWeb = { "content-type": "application/grpc-web", "grpc-timeout": "100m" };
  assert.match(await begun(ofGrpcWeb), /grpc-status: 4\r/);
  assert.match(await begunOverHttp1("connect-timeout-ms: 100\r\n"), /"deadline_exceeded"/);
  while (underWay > 0) await new Promise(setImmediate);
  const waiting = begun({});
  while (underWay === 0) await new Promise(setImmediate);
  await server.close({ graceMs: 50 });
  assert.match(await waiting, /"unavailable".*"DRAINING"/s);
});

test("a client that goes away ends all its calls: those of pipelined requests, and with a FIN alone over HTTP/2", async (t) => {
  const { server, token, engine } = await apiFixture(t);
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  const signals: AbortSignal[] = [];
  engine.onSend = (_request, { signal }) => {
    signals.push(signal!);
    return new Promise((_, reject) => signal!.addEventListener("abort", () => reject(signal!.reason)));
  };
  const body = '{"to":"/service/echo"}';
  const path = "/portway.v1.MessageService/SendMessage";
  const one = `POST ${path} HTTP/1.1\r\nhost: ${at}\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
  const pipelining = new RawSocket(at);
  pipelining.socket.write(one.repeat(3));
  while (signals.length < 3) await new Promise(setImmediate);
  pipelining.socket.destroy();

  const raw = net.connect({ host: "127.0.0.1", port: Number(at.split(":")[1]) });
  const session = http2.connect(`http://${at}`, { createConnection: () => raw });
  session.on("error", () => {});
  const headers = { ":method": "POST", ":path": path, authorization: `Bearer ${token}` };
  const stream = session.request({ ...headers, "content-type": "application/json" });
  stream.on("error", () => {});
  stream.end(body);
  while (signals.length < 4) await new Promise(setImmediate);
  raw.end();
  for (const signal of signals) {
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve));
  }
  await server.close({ graceMs: 60_000 });
});

test("a closed server listens no more", async (t) => {
  const { server, directory } = await apiFixture(t);
  await server.close();
  await assert.rejects(server.listenTcp({ host: "127.0.0.1", port: 0 }), { code: "stopped" });
  await assert.rejects(server.listenUnix(join(directory, "run", "api.sock")), { code: "stopped" });
});

test("an address that is taken is named", async (t) => {
  const { server } = await apiFixture(t);
  const holder = http.createServer();
  await new Promise<void>((resolve) => holder.listen(0, "127.0.0.1", resolve));
  const { port } = holder.address() as net.AddressInfo;
  await assert.rejects(server.listenTcp({ host: "127.0.0.1", port }), {
    code: "address_in_use",
    message: `the API can't listen on 127.0.0.1:${port}: another program does`,
  });
  holder.close();
});
