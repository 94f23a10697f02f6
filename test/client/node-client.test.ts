import assert from "node:assert/strict";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import {
  CreateNodeRequestSchema,
  CreateNodeResponseSchema,
  GetNodeRequestSchema,
  GetNodeResponseSchema,
} from "../../gen/portway/v1/node_service_pb.js";
import { PortwayError } from "../../src/base/errors.js";
import { failureOf } from "../../src/client/errors.js";
import { createPortwayClient } from "../../src/client/node-client.js";
import { type Answer, answerError, answerProto, fakeDaemon } from "./fake-daemon.js";
import { fakePace } from "./fake-pace.js";

const nodeN1 = toBinary(GetNodeResponseSchema, create(GetNodeResponseSchema, { node: { name: "nodes/n1" } }));
const createdN1 = toBinary(
  CreateNodeResponseSchema,
  create(CreateNodeResponseSchema, { node: { name: "nodes/n1" } }),
);
const unavailable = answerError(503, { code: "unavailable", message: "draining" });
const hangUp: Answer = (_asked, response) => void response.socket?.destroy();

test("a call sends its message to the method's path and reads the answer", async () => {
  await using daemon = await fakeDaemon(answerProto(nodeN1));
  using client = createPortwayClient({ socketPath: daemon.socketPath }, { headers: { "x-who": "test" } });
  const { node } = await client.nodes.getNode({ name: "nodes/n1" }, { headers: { "x-why": "look" } });
  assert.equal(node?.name, "nodes/n1");
  const [asked] = daemon.asked;
  assert.equal(asked?.path, "/portway.v1.NodeService/GetNode");
  assert.equal(fromBinary(GetNodeRequestSchema, asked!.body).name, "nodes/n1");
  assert.equal(asked?.headers["content-type"], "application/proto");
  assert.equal(asked?.headers["connect-protocol-version"], "1");
  assert.equal(asked?.headers["x-who"], "test");
  assert.equal(asked?.headers["x-why"], "look");
  assert.ok(Number(asked?.headers["connect-timeout-ms"]) > 29_000);
  assert.equal(asked?.headers["authorization"], undefined);
});

test("headers and trailers of the answer reach whoever asked for them", async () => {
  await using daemon = await fakeDaemon((_asked, response) => {
    response.writeHead(200, { "content-type": "application/proto", "x-a": "1", "trailer-x-b": "2" });
    response.end(nodeN1);
  });
  using client = createPortwayClient({ socketPath: daemon.socketPath });
  let header: Headers | undefined;
  let trailer: Headers | undefined;
  await client.nodes.getNode(
    { name: "nodes/n1" },
    {
      onHeader: (headers) => {
        header = headers;
      },
      onTrailer: (trailers) => {
        trailer = trailers;
      },
    },
  );
  assert.equal(header?.get("x-a"), "1");
  assert.equal(trailer?.get("x-b"), "2");
});

test("a read that is UNAVAILABLE is tried again with delays that double, between half of the ceiling and the ceiling", async () => {
  for (const [random, waits] of [
    [0, [25, 50, 100]],
    [0.5, [37.5, 75, 150]],
  ] as const) {
    await using daemon = await fakeDaemon(unavailable, hangUp, unavailable, answerProto(nodeN1));
    const pace = fakePace(random);
    using client = createPortwayClient({ socketPath: daemon.socketPath }, { pace });
    assert.equal((await client.nodes.getNode({ name: "nodes/n1" })).node?.name, "nodes/n1");
    assert.deepEqual(pace.waits, waits);
    assert.equal(daemon.asked.length, 4);
  }
});

test("a call that stays UNAVAILABLE fails after its last attempt", async () => {
  await using daemon = await fakeDaemon(unavailable);
  using client = createPortwayClient(
    { socketPath: daemon.socketPath },
    { pace: fakePace(0), maxAttempts: 3 },
  );
  await assert.rejects(client.nodes.getNode({ name: "nodes/n1" }), (error) => {
    assert.ok(error instanceof ConnectError);
    assert.deepEqual(failureOf(error), {
      code: "unavailable",
      reason: "",
      message: "draining",
      facts: {},
      fieldViolations: [],
    });
    return true;
  });
  assert.equal(daemon.asked.length, 3);
});

test("no attempt begins after the deadline, and each tells the daemon what is left", async () => {
  await using daemon = await fakeDaemon(unavailable);
  const pace = fakePace(0);
  using client = createPortwayClient({ socketPath: daemon.socketPath }, { pace, maxAttempts: 100 });
  await assert.rejects(client.nodes.getNode({ name: "nodes/n1" }, { timeoutMs: 200 }), /draining/);
  assert.deepEqual(pace.waits, [25, 50, 100]);
  assert.deepEqual(
    daemon.asked.map(({ headers }) => headers["connect-timeout-ms"]),
    ["200", "175", "125", "25"],
  );
});

test("only UNAVAILABLE is tried again", async () => {
  for (const code of [
    "internal",
    "not_found",
    "resource_exhausted",
    "deadline_exceeded",
    "aborted",
    "unknown",
  ]) {
    await using daemon = await fakeDaemon(answerError(500, { code, message: "no" }), answerProto(nodeN1));
    using client = createPortwayClient({ socketPath: daemon.socketPath }, { pace: fakePace(0) });
    await assert.rejects(
      client.nodes.getNode({ name: "nodes/n1" }),
      (error) => failureOf(error).code === code,
      code,
    );
    assert.equal(daemon.asked.length, 1, code);
  }
});

test("a mutation gets a request id, the same one for every attempt", async () => {
  await using daemon = await fakeDaemon(hangUp, unavailable, answerProto(createdN1));
  using client = createPortwayClient({ socketPath: daemon.socketPath }, { pace: fakePace(0) });
  await client.nodes.createNode({ nodeId: "n1" });
  const ids = daemon.asked.map(({ body }) => fromBinary(CreateNodeRequestSchema, body).requestId);
  assert.equal(ids.length, 3);
  assert.equal(new Set(ids).size, 1);
  assert.match(ids[0]!, /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/);
});

test("a request id that the caller gave is kept", async () => {
  await using daemon = await fakeDaemon(answerProto(createdN1));
  using client = createPortwayClient({ socketPath: daemon.socketPath });
  const requestId = "5f6f9b0a-7a3e-4c51-9d3d-0c9c6f0f7d11";
  await client.nodes.createNode({ nodeId: "n1", requestId });
  assert.equal(fromBinary(CreateNodeRequestSchema, daemon.asked[0]!.body).requestId, requestId);
});

test("a call that is neither a read nor has a request id is not repeated once the daemon may have seen it", async () => {
  for (const answer of [unavailable, hangUp]) {
    await using daemon = await fakeDaemon(answer);
    using client = createPortwayClient({ socketPath: daemon.socketPath }, { pace: fakePace(0) });
    await assert.rejects(client.messages.sendMessage({ to: "/service/echo" }), (error) => {
      return failureOf(error).code === "unavailable";
    });
    assert.equal(daemon.asked.length, 1);
  }
});

test("a call that reached nobody is tried again, whatever it is, and then says where nobody was", async () => {
  const pace = fakePace(0);
  using client = createPortwayClient({ socketPath: "/nonexistent/api.sock" }, { pace });
  await assert.rejects(client.messages.sendMessage({ to: "/service/echo" }), (error) => {
    assert.deepEqual(failureOf(error), {
      code: "unavailable",
      reason: "DAEMON_UNREACHABLE",
      message: "no daemon answers at /nonexistent/api.sock: the socket does not exist",
      facts: { at: "/nonexistent/api.sock", systemCode: "ENOENT" },
      fieldViolations: [],
    });
    return true;
  });
  assert.equal(pace.waits.length, 3);
});

test("whoever can start a daemon is asked to when nobody was reached, and only then", async () => {
  await using daemon = await fakeDaemon(unavailable, answerProto(nodeN1));
  const away = `${daemon.socketPath}.away`;
  renameSync(daemon.socketPath, away);
  let revived = 0;
  const revive = async (): Promise<void> => {
    revived += 1;
    renameSync(away, daemon.socketPath);
  };
  using client = createPortwayClient({ socketPath: daemon.socketPath }, { pace: fakePace(0), revive });
  await client.nodes.getNode({ name: "nodes/n1" });
  assert.equal(revived, 1);
  assert.equal(daemon.asked.length, 2);
});

test("what keeps a daemon from starting is what the call fails with", async () => {
  const revive = async (): Promise<void> => {
    throw new PortwayError("daemon_unreachable", "the daemon could not be started", { exitCode: 78 });
  };
  using client = createPortwayClient({ socketPath: "/nonexistent/api.sock" }, { pace: fakePace(0), revive });
  await assert.rejects(client.nodes.getNode({ name: "nodes/n1" }), (error) => {
    assert.ok(error instanceof ConnectError);
    const { code, reason, message, facts } = failureOf(error);
    assert.deepEqual([code, reason, facts], ["unavailable", "DAEMON_UNREACHABLE", { exitCode: "78" }]);
    assert.equal(message, "the daemon could not be started");
    return true;
  });
});

test("a call without an answer ends at its deadline", async () => {
  await using daemon = await fakeDaemon(() => {});
  using client = createPortwayClient({ socketPath: daemon.socketPath });
  await assert.rejects(client.nodes.getNode({ name: "nodes/n1" }, { timeoutMs: 30 }), (error) => {
    const { code, reason, message } = failureOf(error);
    assert.deepEqual(
      [code, reason, message],
      ["deadline_exceeded", "TIMED_OUT", "GetNode was not answered within 30 ms"],
    );
    return true;
  });
});

test("a deadline of 0, or beyond what a timer can wait, is none", async () => {
  await using daemon = await fakeDaemon(answerProto(nodeN1));
  using client = createPortwayClient({ socketPath: daemon.socketPath });
  for (const timeoutMs of [0, -1, 2 ** 31, Number.POSITIVE_INFINITY]) {
    const { node } = await client.nodes.getNode({ name: "nodes/n1" }, { timeoutMs });
    assert.equal(node?.name, "nodes/n1", `${timeoutMs}`);
  }
  assert.deepEqual(
    daemon.asked.map(({ headers }) => headers["connect-timeout-ms"]),
    [undefined, undefined, undefined, undefined],
  );
});

test("an answer that stops in the middle ends at the deadline as well", async () => {
  await using daemon = await fakeDaemon((_asked, response) => {
    response.writeHead(200, { "content-type": "application/proto", "content-length": 100 });
    response.write("x");
  });
  using client = createPortwayClient({ socketPath: daemon.socketPath });
  await assert.rejects(client.nodes.getNode({ name: "nodes/n1" }, { timeoutMs: 100 }), (error) => {
    return failureOf(error).code === "deadline_exceeded";
  });
});

test("the caller's signal cancels a call, and the daemon sees its connection close", async () => {
  const controller = new AbortController();
  let closed: Promise<unknown> | undefined;
  await using daemon = await fakeDaemon((_asked, response) => {
    closed = new Promise((resolve) => response.once("close", resolve));
    controller.abort();
  });
  using client = createPortwayClient({ socketPath: daemon.socketPath });
  const call = client.nodes.getNode({ name: "nodes/n1" }, { signal: controller.signal });
  await assert.rejects(call, (error) => failureOf(error).code === "canceled");
  await closed;
  await assert.rejects(
    client.nodes.getNode({ name: "nodes/n1" }, { signal: controller.signal }),
    (error) => failureOf(error).code === "canceled",
  );
  assert.equal(daemon.asked.length, 1);
});

test("a client that is closed cancels what is under way and takes no more calls", async () => {
  let arrived: (() => void) | undefined;
  const arrival = new Promise<void>((resolve) => {
    arrived = resolve;
  });
  await using daemon = await fakeDaemon(() => arrived?.());
  const client = createPortwayClient({ socketPath: daemon.socketPath });
  const call = client.nodes.getNode({ name: "nodes/n1" });
  await arrival;
  client[Symbol.dispose]();
  await assert.rejects(call, /the client is closed/);
  await assert.rejects(client.nodes.getNode({ name: "nodes/n1" }), /the client is closed/);
  assert.equal(daemon.asked.length, 1);
});

test("an answer above the limit is refused", async () => {
  await using daemon = await fakeDaemon(answerProto(new Uint8Array(1001)));
  using client = createPortwayClient({ socketPath: daemon.socketPath }, { maxResponseBytes: 1000 });
  await assert.rejects(client.nodes.getNode({ name: "nodes/n1" }), /larger than 1000 bytes/);
});

test("an answer of something else than a daemon is an error that says so", async () => {
  for (const answer of [
    (_asked: unknown, response: http.ServerResponse) =>
      void response.writeHead(200, { "content-type": "text/html" }).end("hi"),
    (_asked: unknown, response: http.ServerResponse) => void response.writeHead(404).end("hi"),
    (_asked: unknown, response: http.ServerResponse) =>
      void response.writeHead(500, { "content-type": "application/json" }).end("{ no json"),
    answerError(500, { code: "constructor", message: "x" }),
  ]) {
    await using daemon = await fakeDaemon(answer);
    using client = createPortwayClient({ socketPath: daemon.socketPath });
    await assert.rejects(client.nodes.getNode({ name: "nodes/n1" }), /is it (one|a Portway daemon)\?/);
  }
});

test("a method that does not exist is refused", async () => {
  using client = createPortwayClient({ socketPath: "/nonexistent/api.sock" });
  const nodes = client.nodes as unknown as Record<string, (input: object) => Promise<unknown>>;
  await assert.rejects(nodes["fly"]!({}), new TypeError('portway.v1.NodeService has no unary method "fly"'));
});

test("calls over TCP carry the token of the file as it is now, below the path of the base URL", async () => {
  const seen: (string | undefined)[] = [];
  const server = http.createServer((request, response) => {
    seen.push(`${request.url} ${request.headers.authorization}`);
    request.resume();
    response.writeHead(200, { "content-type": "application/proto" }).end(nodeN1);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const directory = mkdtempSync(join(tmpdir(), "portway-client-"));
  const tokenPath = join(directory, "token");
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/below/`;
  using client = createPortwayClient({ baseUrl, tokenPath });
  await assert.rejects(client.nodes.getNode({ name: "nodes/n1" }), (error) => {
    return failureOf(error).reason === "UNAUTHENTICATED" && failureOf(error).facts["path"] === tokenPath;
  });
  for (const token of ["aa", "bb"]) {
    writeFileSync(tokenPath, `${token}\n`);
    await client.nodes.getNode({ name: "nodes/n1" });
  }
  const path = "/below/portway.v1.NodeService/GetNode";
  assert.deepEqual(seen, [`${path} Bearer aa`, `${path} Bearer bb`]);
  server.closeAllConnections();
  server.close();
  rmSync(directory, { recursive: true });
});

test("a base URL that is not http or https is refused at once", () => {
  assert.throws(() => createPortwayClient({ baseUrl: "ftp://127.0.0.1" }), /expected http or https/);
});
