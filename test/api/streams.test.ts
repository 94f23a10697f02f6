import assert from "node:assert/strict";
import http2 from "node:http2";
import net from "node:net";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { ServerReflection } from "../../gen/grpc/reflection/v1/reflection_pb.js";
import {
  NodeService,
  WatchNodesRequestSchema,
  type WatchNodesResponse,
} from "../../gen/portway/v1/node_service_pb.js";
import { WatchEventType } from "../../gen/portway/v1/resource_pb.js";
import { envelopeOf } from "../../src/api/envelope.js";
import {
  apiFixture,
  clientFor,
  type LogLine,
  type Protocol,
  toldError,
  transportFor,
} from "../support/api-fixture.js";
import { grpcRequest, RawSocket, rawRequest } from "../support/raw-http.js";

const streaming: readonly Protocol[] = ["connect json", "connect binary", "grpc", "grpc-web"];

/** What a stream says until it ends; rejects as it does. */
async function drain(stream: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of stream);
}

const types: Readonly<Record<WatchEventType, string>> = {
  [WatchEventType.UNSPECIFIED]: "",
  [WatchEventType.ADDED]: "ADDED",
  [WatchEventType.MODIFIED]: "MODIFIED",
  [WatchEventType.DELETED]: "DELETED",
  [WatchEventType.SYNCED]: "SYNCED",
  [WatchEventType.BOOKMARK]: "BOOKMARK",
};

async function next(events: AsyncIterator<WatchNodesResponse>): Promise<string> {
  const { value } = await events.next();
  return `${types[value.type as WatchEventType]} ${value.node?.name ?? ""}`.trimEnd();
}

test("a watch streams events as they happen, in every protocol, and its call is logged when it ends", async (t) => {
  const { server, token, engine, lines } = await apiFixture(t);
  const url = `http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`;
  await engine.nodes.create("n1", { tcpListenerAddress: "" });
  for (const [at, protocol] of streaming.entries()) {
    const client = clientFor(NodeService, transportFor(protocol, url, { token }));
    const caller = new AbortController();
    const events = client.watchNodes({}, { signal: caller.signal })[Symbol.asyncIterator]();
    for (let known = 0; known <= at; known += 1) {
      assert.equal(await next(events), `ADDED nodes/n${known + 1}`, protocol);
    }
    assert.equal(await next(events), "SYNCED");
    await engine.nodes.create(`n${at + 2}`, { tcpListenerAddress: "" });
    assert.equal(await next(events), `ADDED nodes/n${at + 2}`);
    assert.equal(engine.changes.subscribers, 1);
    lines.length = 0;
    caller.abort();
    assert.equal((await toldError(events.next())).code, Code.Canceled);
    while (engine.changes.subscribers > 0) await new Promise(setImmediate);
    while (lines.length === 0) await new Promise(setImmediate);
    assert.equal(lines[0]?.event, "call.refused");
    assert.equal(lines[0]?.facts["code"], "canceled");
    assert.equal(lines[0]?.facts["method"], "portway.v1.NodeService/WatchNodes");
  }
});

test("a stream is authorized and validated as any call is, and its errors have one ErrorInfo, in every protocol", async (t) => {
  const asked: string[] = [];
  const { server, token, engine } = await apiFixture(t, {
    authorizer: (_principal, method) => {
      asked.push(method);
      return denies ? "deny" : "allow";
    },
  });
  let denies = false;
  const url = `http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`;
  for (const protocol of streaming) {
    const client = clientFor(NodeService, transportFor(protocol, url, { token }));
    const told = (request: object): ReturnType<typeof toldError> =>
      toldError(drain(client.watchNodes(request)));

    const invalid = await told({ bookmarkInterval: { nanos: 1 } });
    assert.equal(invalid.code, Code.InvalidArgument, protocol);
    assert.deepEqual(invalid.reasons, ["BAD_ARGUMENT"]);
    assert.deepEqual(invalid.fields, ["bookmark_interval"]);

    const malformed = await told({ startRevision: "x" });
    assert.equal(malformed.code, Code.InvalidArgument);
    assert.deepEqual(malformed.reasons, ["BAD_ARGUMENT"]);
    assert.deepEqual(malformed.fields, ["start_revision"]);

    const compacted = await told({ startRevision: "000000000000-7" });
    assert.equal(compacted.code, Code.OutOfRange);
    assert.deepEqual(compacted.reasons, ["REVISION_COMPACTED"]);
    assert.equal(compacted.metadata["compact_revision"], engine.changes.compactRevision);

    denies = true;
    const denied = await told({});
    assert.equal(denied.code, Code.PermissionDenied);
    assert.deepEqual(denied.reasons, ["PERMISSION_DENIED"]);
    denies = false;

    const stranger = clientFor(NodeService, transportFor(protocol, url, { token: "0".repeat(64) }));
    const unknown = await toldError(drain(stranger.watchNodes({})));
    assert.equal(unknown.code, Code.Unauthenticated);
    assert.deepEqual(unknown.reasons, ["UNAUTHENTICATED"]);
  }
  assert.equal(asked.length, streaming.length * 4);
});

test("errors that Connect makes itself have their ErrorInfo at the end of a stream too", async (t) => {
  const { server, token } = await apiFixture(t, { limits: { maxRequestBytes: 16 } });
  const url = `http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`;
  for (const protocol of streaming) {
    const client = clientFor(NodeService, transportFor(protocol, url, { token }));
    const large = await toldError(drain(client.watchNodes({ startRevision: "r".repeat(60) })));
    assert.equal(large.code, Code.ResourceExhausted, protocol);
    assert.deepEqual(large.reasons, ["MESSAGE_TOO_LARGE"]);
  }
});

test("nothing of a message that can't be read is in the log", async (t) => {
  const { server, token, lines } = await apiFixture(t);
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  const path = "/portway.v1.NodeService/WatchNodes";
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/connect+json" };
  const told = [];
  for (const text of ['{"secret":1}', '{"startRevision":secret}', '{"bookmarkInterval":"secret"}']) {
    const answer = await rawRequest({
      at,
      path,
      headers,
      body: Buffer.from(envelopeOf(0, Buffer.from(text))),
    });
    told.push(answer.body.slice(5).match(/secret/)?.[0]);
  }
  assert.deepEqual(told, ["secret", "secret", "secret"], "the caller is told");
  const refused = lines.filter(({ event }) => event === "call.refused");
  assert.equal(refused.length, 3);
  assert.ok(!JSON.stringify(lines).includes("secret"));
});

test("a fault in a stream tells the caller nothing but that, and the log everything", async (t) => {
  const { server, token, engine, lines } = await apiFixture(t);
  const url = `http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`;
  engine.onCall = () => {
    throw new TypeError("secret");
  };
  for (const protocol of streaming) {
    lines.length = 0;
    const client = clientFor(NodeService, transportFor(protocol, url, { token }));
    const told = await toldError(drain(client.watchNodes({})));
    assert.equal(told.code, Code.Internal);
    assert.deepEqual(told.reasons, ["INTERNAL"]);
    assert.ok(!told.message.includes("secret"));
    assert.match(String(lines.find(({ event }) => event === "call.failed")?.facts["error"]), /secret/);
  }
});

test("a deadline ends a stream, and the longest deadline of calls does not", async (t) => {
  const { server, token, engine } = await apiFixture(t, { limits: { maxDeadlineMs: 50 } });
  const url = `http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`;
  for (const protocol of streaming) {
    const client = clientFor(NodeService, transportFor(protocol, url, { token }));
    const startMs = performance.now();
    const told = await toldError(drain(client.watchNodes({}, { timeoutMs: 200 })));
    assert.equal(told.code, Code.DeadlineExceeded);
    assert.ok(performance.now() - startMs > 150, `${protocol} ended early`);
    while (engine.changes.subscribers > 0) await new Promise(setImmediate);
  }
});

test("a stream may have a deadline that is beyond what a timer can wait", async (t) => {
  const { server, token } = await apiFixture(t);
  const url = `http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`;
  for (const [protocol, name, value] of [
    ["grpc", "grpc-timeout", "1000H"],
    ["grpc-web", "grpc-timeout", "99999999S"],
    ["connect binary", "connect-timeout-ms", "9999999999"],
  ] as const) {
    const client = clientFor(NodeService, transportFor(protocol, url, { token }));
    const events = client.watchNodes({}, { headers: { [name]: value } })[Symbol.asyncIterator]();
    assert.equal(await next(events), "SYNCED", value);
    await events.return?.();
  }
});

test("a deadline, a caller and the server end a stream whose handler hangs", async (t) => {
  const { server, token, engine, lines } = await apiFixture(t);
  const url = `http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`;
  let calls = 0;
  engine.nodes.list = () => {
    calls += 1;
    return new Promise(() => {});
  };
  const client = clientFor(NodeService, transportFor("grpc", url, { token }));
  // Long enough for the call to reach the handler on a busy machine.
  const late = await toldError(drain(client.watchNodes({}, { timeoutMs: 500 })));
  assert.equal(late.code, Code.DeadlineExceeded);
  // The client's deadline may end the call a moment before the server's does.
  const isLate = ({ facts }: LogLine): boolean =>
    facts["code"] === "deadline_exceeded" || facts["code"] === "canceled";
  while (!lines.some(isLate)) await new Promise(setImmediate);
  const before = calls;
  const caller = new AbortController();
  const canceled = toldError(drain(client.watchNodes({}, { signal: caller.signal })));
  const cut = toldError(drain(client.watchNodes({})));
  while (calls < before + 2) await new Promise(setImmediate);
  caller.abort();
  assert.equal((await canceled).code, Code.Canceled);
  await server.close({ graceMs: 20_000 });
  assert.deepEqual((await cut).reasons, ["DRAINING"]);
});

test("closing the server ends streams at once and says why, and lets them be opened no more", async (t) => {
  const { server, token, engine } = await apiFixture(t);
  const url = `http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`;
  const events = streaming.map((protocol) => {
    const client = clientFor(NodeService, transportFor(protocol, url, { token }));
    return client.watchNodes({})[Symbol.asyncIterator]();
  });
  for (const each of events) assert.equal(await next(each), "SYNCED");
  const told = events.map((each) => toldError(each.next()));
  const startMs = performance.now();
  await server.close({ graceMs: 10_000 });
  assert.ok(performance.now() - startMs < 5000);
  for (const each of told) {
    const { code, reasons } = await each;
    assert.equal(code, Code.Unavailable);
    assert.deepEqual(reasons, ["DRAINING"]);
  }
  assert.equal(engine.changes.subscribers, 0);
});

test("no more streams are open at once than the limit says, and one that has ended makes room", async (t) => {
  const { server, token, engine } = await apiFixture(t, { limits: { maxOpenStreams: 1 } });
  const url = `http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`;
  const client = clientFor(NodeService, transportFor("grpc", url, { token }));
  const caller = new AbortController();
  const first = client.watchNodes({}, { signal: caller.signal })[Symbol.asyncIterator]();
  assert.equal(await next(first), "SYNCED");
  const told = await toldError(drain(client.watchNodes({})));
  assert.equal(told.code, Code.ResourceExhausted);
  assert.deepEqual(told.reasons, ["TOO_MANY"]);
  caller.abort();
  await toldError(first.next());
  while (engine.changes.subscribers > 0) await new Promise(setImmediate);
  assert.equal(await next(client.watchNodes({})[Symbol.asyncIterator]()), "SYNCED");
});

test("a caller that takes nothing holds up a stream, costs no memory, and is told when it takes again", async (t) => {
  const { server, token, engine } = await apiFixture(t);
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  const tcpListenerAddress = "x".repeat(200);
  for (let id = 0; id < 20_000; id += 1) await engine.nodes.create(`n${id}`, { tcpListenerAddress });
  let reads = 0;
  const message = toBinary(WatchNodesRequestSchema, create(WatchNodesRequestSchema));
  const session = http2.connect(`http://${at}`, { settings: { initialWindowSize: 65_535 } });
  t.after(() => session.destroy());
  const stream = grpcRequest(session, { token, method: "NodeService/WatchNodes", message });
  await new Promise((resolve) => stream.once("response", resolve));
  engine.onCall = () => {
    reads += 1;
  };
  // The list was made before; now the log overtakes the stream that is not read.
  for (let id = 0; id < 5000; id += 1) engine.changes.append("modified", "node", "n0", "n0");
  for (let turn = 0; turn < 10; turn += 1) {
    await new Promise((resolve) => session.ping(resolve)); // what the server had to do before is done
  }
  assert.equal(reads, 0, "nothing is read from the engine while the caller takes nothing");
  let status: string | undefined;
  let reason = "";
  stream.on("trailers", (trailers) => {
    status = String(trailers["grpc-status"]);
    reason = Buffer.from(String(trailers["grpc-status-details-bin"]), "base64").toString("latin1");
  });
  stream.resume();
  await new Promise((resolve) => stream.once("end", resolve));
  assert.equal(status, String(Code.ResourceExhausted));
  assert.match(reason, /WATCH_TOO_SLOW/);
});

test("a watch whose HTTP/1.1 caller takes nothing is cut after the limit, and its handler ends", async (t) => {
  const { server, token, engine, lines } = await apiFixture(t, { limits: { stallTimeoutMs: 500 } });
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  const tcpListenerAddress = "x".repeat(200);
  for (let id = 0; id < 40_000; id += 1) await engine.nodes.create(`n${id}`, { tcpListenerAddress });
  const raw = new RawSocket(at);
  raw.socket.pause();
  const body = Buffer.concat([Buffer.from([0, 0, 0, 0, 2]), Buffer.from("{}")]);
  raw.socket.write(
    `POST /portway.v1.NodeService/WatchNodes HTTP/1.1\r\nhost: ${at}\r\nauthorization: Bearer ${token}\r\n` +
      `content-type: application/connect+json\r\ncontent-length: ${body.byteLength}\r\n\r\n`,
  );
  raw.socket.write(body);
  while (engine.changes.subscribers === 0) await new Promise(setImmediate);
  while (engine.changes.subscribers > 0) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.ok(
    lines.some(({ event, facts }) => event === "call.cut" && facts["why"] === "the response is not taken"),
  );
});

test("a watch whose caller takes events slowly but steadily goes on, though as much waits all the time", async (t) => {
  const { server, engine, directory } = await apiFixture(t, { limits: { stallTimeoutMs: 1000 } });
  // A socket of a kind that the system buffers little for.
  const socketPath = `${directory}/run/api.sock`;
  await server.listenUnix(socketPath);
  const tcpListenerAddress = "x".repeat(40_000);
  for (let id = 100; id < 200; id += 1) await engine.nodes.create(`n${id}`, { tcpListenerAddress });
  const slow = net.connect(socketPath);
  t.after(() => slow.destroy());
  const body = Buffer.concat([Buffer.from([0, 0, 0, 0, 2]), Buffer.from("{}")]);
  slow.write(
    `POST /portway.v1.NodeService/WatchNodes HTTP/1.1\r\nhost: localhost\r\n` +
      `content-type: application/connect+json\r\ncontent-length: ${body.byteLength}\r\n\r\n`,
  );
  slow.write(body);
  let text = "";
  for await (const chunk of slow) {
    text += chunk;
    if (text.includes("SYNCED")) break;
    await new Promise((resolve) => setTimeout(resolve, chunk.length / 1000));
  }
  assert.match(text, /SYNCED/);
});

/** Requests that a test sends one by one. */
class Requests
  implements AsyncIterable<{ host: string; messageRequest: { case: "listServices"; value: string } }>
{
  readonly #waiting: (() => void)[] = [];
  #sent = 0;
  #isOver = false;

  send(): void {
    this.#sent += 1;
    this.#waiting.shift()?.();
  }

  end(): void {
    this.#isOver = true;
    this.#waiting.shift()?.();
  }

  async *[Symbol.asyncIterator]() {
    for (;;) {
      while (this.#sent === 0 && !this.#isOver)
        await new Promise<void>((resolve) => this.#waiting.push(resolve));
      if (this.#sent === 0) return;
      this.#sent -= 1;
      yield { host: "", messageRequest: { case: "listServices" as const, value: "" } };
    }
  }
}

test("a stream in both directions answers while requests come, for longer than a request may take to arrive", async (t) => {
  const { server, token } = await apiFixture(t, { limits: { requestTimeoutMs: 100, headersTimeoutMs: 100 } });
  const url = `http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`;
  for (const protocol of ["connect binary", "grpc"] as const) {
    const client = clientFor(ServerReflection, transportFor(protocol, url, { token }));
    const requests = new Requests();
    const answers = client.serverReflectionInfo(requests)[Symbol.asyncIterator]();
    requests.send();
    assert.equal((await answers.next()).value.messageResponse.case, "listServicesResponse");
    // So long that the server has looked twice for what does not arrive, and cut it.
    for (let cuts = 0; cuts < 2; cuts += 1)
      await assert.rejects(drain(client.serverReflectionInfo(new Requests())));
    requests.send();
    assert.equal((await answers.next()).value.messageResponse.case, "listServicesResponse");
    requests.end();
    assert.equal((await answers.next()).done, true);
  }
});

test("a stream of requests whose first one does not come is cut, and told why", async (t) => {
  const { server, token, lines } = await apiFixture(t, {
    limits: { requestTimeoutMs: 100, headersTimeoutMs: 100 },
  });
  const url = `http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`;
  const client = clientFor(ServerReflection, transportFor("grpc", url, { token }));
  const told = await toldError(drain(client.serverReflectionInfo(new Requests())));
  assert.deepEqual([told.code, told.reasons], [Code.DeadlineExceeded, ["TIMED_OUT"]]);
  assert.ok(
    lines.some(({ event, facts }) => event === "call.cut" && facts["why"] === "the request does not end"),
  );
});

test("a refused stream ends although its requests go on, and leaves nothing open", async (t) => {
  const { server, token } = await apiFixture(t, { authorizer: () => "deny" });
  const url = `http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`;
  for (const protocol of ["connect binary", "grpc"] as const) {
    const client = clientFor(ServerReflection, transportFor(protocol, url, { token }));
    const requests = new Requests();
    requests.send();
    const told = await toldError(drain(client.serverReflectionInfo(requests)));
    assert.equal(told.code, Code.PermissionDenied);
    assert.deepEqual(told.reasons, ["PERMISSION_DENIED"]);
  }
  const startMs = performance.now();
  await server.close({ graceMs: 20_000 });
  assert.ok(performance.now() - startMs < 10_000);
});

test("a stream in both directions is refused over HTTP/1.1 with what is expected", async (t) => {
  const { server, token } = await apiFixture(t);
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  const answer = await rawRequest({
    at,
    path: "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/connect+json" },
    body: "",
  });
  assert.equal(answer.status, 415);
  assert.match(answer.body, /HTTP\/2/);
});
