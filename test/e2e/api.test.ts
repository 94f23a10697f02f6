import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { after, before, test } from "node:test";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { NodeService, WorkerKind } from "../../gen/portway/v1/node_service_pb.js";
import { SystemService } from "../../gen/portway/v1/system_service_pb.js";
import { createPortwayClient } from "../../src/client/node-client.js";
import { Machine } from "./support/machine.js";
import { freePort } from "./support/ports.js";
import { hasProc, residentBytes } from "./support/processes.js";
import { connectTo, type HttpAnswer, httpRequest } from "./support/tcp-client.js";
import { TcpTarget } from "./support/tcp-target.js";
import { until, withSlack } from "./support/until.js";

let machine: Machine;
let apiPort: number;
let token: string;

before(async () => {
  apiPort = await freePort();
  machine = await Machine.serving(["--api-address", `127.0.0.1:${apiPort}`]);
  token = readFileSync(machine.home.tokenPath, "utf8").trim();
});

after(async () => {
  await machine?.[Symbol.asyncDispose]();
});

/** A call as curl makes it. */
function call(to: number | string, method: string, body: object, headers = {}): Promise<HttpAnswer> {
  return httpRequest(to, {
    method: "POST",
    path: `/portway.v1.${method}`,
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
}

test("a JSON call over the Unix socket needs no more than curl", async () => {
  const { socketPath } = machine.home;
  assert.equal(statSync(socketPath).mode & 0o777, 0o600);
  assert.equal(statSync(machine.home.runDirectory).mode & 0o777, 0o700);
  const created = await call(socketPath, "NodeService/CreateNode", { nodeId: "n1" });
  assert.equal(created.status, 200, created.body);
  const { node } = JSON.parse(created.body);
  assert.deepEqual([node.name, node.status.state], ["nodes/n1", "STATE_ACTIVE"]);
  const to = `/dnsaddr/localhost/tcp/${node.status.tcpListenerAddress.split(":")[1]}/service/uppercase`;
  const sent = await call(socketPath, "MessageService/SendMessage", {
    to,
    payload: Buffer.from("hello").toString("base64"),
    encoding: "PAYLOAD_ENCODING_BARE",
  });
  assert.equal(Buffer.from(JSON.parse(sent.body).payload, "base64").toString(), "HELLO");
  const missing = await call(socketPath, "NodeService/GetNode", { name: "nodes/nobody" });
  assert.deepEqual([missing.status, JSON.parse(missing.body).code], [404, "not_found"]);
  assert.match(missing.body, /nobody/);
});

test("over TCP every call needs the token", async () => {
  assert.equal(statSync(machine.home.tokenPath).mode & 0o777, 0o600);
  for (const headers of [{}, { authorization: "Bearer wrong" }, { authorization: `Bearer ${token}0` }]) {
    const refused = await call(apiPort, "SystemService/GetServerInfo", {}, headers);
    assert.equal(refused.status, 401, JSON.stringify(headers));
  }
  assert.equal((await httpRequest(apiPort)).status, 401);
  const answer = await call(apiPort, "SystemService/GetServerInfo", {}, { authorization: `Bearer ${token}` });
  assert.equal(JSON.parse(answer.body).pid, await machine.pid());

  await machine.run("token rotate");
  const old = await call(apiPort, "SystemService/GetServerInfo", {}, { authorization: `Bearer ${token}` });
  assert.equal(old.status, 401);
  token = readFileSync(machine.home.tokenPath, "utf8").trim();
});

test("a generated client speaks gRPC over plain HTTP/2 on the same port", async () => {
  const transport = createGrpcTransport({
    baseUrl: `http://127.0.0.1:${apiPort}`,
    interceptors: [
      (next) => (request) => {
        request.header.set("authorization", `Bearer ${token}`);
        return next(request);
      },
    ],
  });
  const info = await createClient(SystemService, transport).getServerInfo({});
  assert.equal(info.pid, await machine.pid());
  const failed = createClient(NodeService, transport).getNode({ name: "nodes/nobody" });
  await assert.rejects(failed, (error) => ConnectError.from(error).code === Code.NotFound);
  const stranger = createGrpcTransport({ baseUrl: `http://127.0.0.1:${apiPort}` });
  await assert.rejects(
    createClient(SystemService, stranger).getServerInfo({}),
    (error) => ConnectError.from(error).code === Code.Unauthenticated,
  );
});

test("a connection to whom says nothing is dialed once, and given up when its wait is over", async () => {
  await machine.run("node create waiting");
  await using silent = await TcpTarget.listen((socket) => socket.resume());
  const waitMs = 500;
  const startMs = performance.now();
  using client = createPortwayClient({ socketPath: machine.home.socketPath });
  const creating = client.nodes.createTcpConnection({
    parent: "nodes/waiting",
    tcpConnection: { peerAddress: silent.address },
    wait: { nanos: waitMs * 1_000_000 },
  });
  await assert.rejects(creating, (error) => ConnectError.from(error).code === Code.DeadlineExceeded);
  const tookMs = performance.now() - startMs;
  assert.ok(tookMs < withSlack(2 * waitMs), `${tookMs} ms`);

  const create = `tcp-connection create --from waiting --to ${silent.address} --timeout ${waitMs}ms`;
  const { code, stderr } = await machine.cli(create);
  assert.equal(code, 70);
  assert.equal(stderr, `error: can't connect to ${silent.address}: no link within ${waitMs} ms\n`);
  assert.equal(silent.accepted, 2);
});

test("a SendMessage that is canceled leaves nothing behind", async () => {
  await machine.run("node create canceling");
  // Says that it is a node, and then nothing more.
  await using silent = await TcpTarget.listen((socket) => socket.resume().write(Buffer.of(1)));
  const { nodes, messages } = machine.client;
  const { tcpConnection } = await nodes.createTcpConnection({
    parent: "nodes/canceling",
    tcpConnection: { peerAddress: silent.address },
    wait: { seconds: 5n },
  });
  const replies = async (): Promise<number> => {
    const { workers } = await nodes.listWorkers({ parent: "nodes/canceling", pageSize: 1000 });
    return workers.filter(({ kind }) => kind === WorkerKind.REPLY).length;
  };
  const aborts = Array.from({ length: 10 }, () => new AbortController());
  const calls = aborts.map(({ signal }) =>
    messages.sendMessage(
      {
        node: "nodes/canceling",
        to: `/worker/${tcpConnection!.status!.workerAddress}/service/echo`,
        payload: Buffer.from("anyone?"),
        timeout: { seconds: 600n },
      },
      { signal, timeoutMs: 600_000 },
    ),
  );
  const ended = Promise.allSettled(calls);
  await until("each call waits at an address of its own", async () => (await replies()) >= calls.length);
  for (const abort of aborts) abort.abort();
  for (const { status } of await ended) assert.equal(status, "rejected");
  // The connection's own probe has such an address now and then as well.
  await until("all those addresses are gone", async () => (await replies()) === 0);
});

test("hostile peers are counted and cost nobody anything", {
  skip: !hasProc && "/proc is needed",
}, async () => {
  await machine.run("node create attacked");
  const { nodes } = machine.client;
  const { node } = await nodes.getNode({ name: "nodes/attacked" });
  const port = Number(node!.status!.tcpListenerAddress.split(":")[1]);
  const pid = await machine.pid();
  const memory = residentBytes(pid);
  const say = async (...parts: Buffer[]): Promise<void> => {
    const socket = await connectTo(port);
    for (const part of parts) socket.write(part);
    socket.resume();
  };
  const version = Buffer.of(1);
  const length = (bytes: number): Buffer => {
    const head = Buffer.alloc(4);
    head.writeUInt32BE(bytes);
    return head;
  };
  await say(Buffer.from("GET / HTTP/1.1\r\n\r\n"));
  await say(version, length(1_000), randomBytes(1_000));
  await say(version, length(0xffff_ffff));
  await say(version, length(8), Buffer.from("9fffffffffffffff", "hex"));
  for (let at = 0; at < 20; at += 1) await say(version, length(16 * 1024 * 1024), Buffer.alloc(10));
  await say(); // nothing at all

  // A frame for the echo, byte by byte.
  const dripped = await connectTo(port);
  let answer = Buffer.alloc(0);
  dripped.on("data", (data: Buffer) => {
    answer = Buffer.concat([answer, data]);
  });
  const frame = Buffer.from(
    "01000000158381820044656368 6f8182004462 61636b4568656c6c6f".replaceAll(" ", ""),
    "hex",
  );
  frame.writeUInt32BE(frame.byteLength - 5, 1);
  for (const byte of frame) {
    await new Promise<void>((resolve) => dripped.write(Buffer.of(byte), () => resolve()));
  }
  await until("the echo has answered the dripped message", () => answer.includes("hello"));
  dripped.destroy();

  const refused = async (): Promise<Record<string, bigint>> => {
    const { tcpListeners } = await nodes.listTcpListeners({ parent: "nodes/attacked" });
    return tcpListeners[0]!.status!.refused;
  };
  await until(
    "all are counted",
    async () => Object.values(await refused()).reduce((sum, count) => sum + count, 0n) === 5n,
    withSlack(5_000),
  );
  assert.deepEqual(await refused(), {
    bad_version: 1n,
    malformed: 2n,
    frame_too_large: 1n,
    handshake_timeout: 1n,
  });
  const reply = await machine.run(`message send fine --to /dnsaddr/localhost/tcp/${port}/service/uppercase`);
  assert.equal(reply, "FINE");
  const grown = residentBytes(pid) - memory;
  assert.ok(grown < 32 * 1024 * 1024, `${grown} bytes`);
  assert.equal(await machine.pid(), pid);
});
