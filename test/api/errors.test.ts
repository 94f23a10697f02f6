import assert from "node:assert/strict";
import http2 from "node:http2";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { BadRequestSchema } from "../../gen/google/rpc/error_details_pb.js";
import {
  MessageEventKind,
  MessageService,
  SendMessageRequestSchema,
  WatchMessagesRequestSchema,
} from "../../gen/portway/v1/message_service_pb.js";
import { NodeService } from "../../gen/portway/v1/node_service_pb.js";
import { PortalService } from "../../gen/portway/v1/portal_service_pb.js";
import { RelayService } from "../../gen/portway/v1/relay_service_pb.js";
import { envelopeOf } from "../../src/api/envelope.js";
import { callError, toConnectError } from "../../src/api/errors.js";
import { PortwayError } from "../../src/base/errors.js";
import { silentLog } from "../../src/base/log.js";
import { createEngine } from "../../src/node/host.js";
import { apiFixture, clientFor, protocols, toldError, transportFor } from "../support/api-fixture.js";
import { grpcRequest, rawRequest, reasonsIn } from "../support/raw-http.js";

test("an error of the engine arrives with its code, one ErrorInfo, its facts and its text in every protocol", async (t) => {
  const { server, token } = await apiFixture(t);
  const url = `http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`;
  for (const protocol of protocols) {
    const nodes = clientFor(NodeService, transportFor(protocol, url, { token }));
    assert.deepEqual(
      await toldError(nodes.getNode({ name: "nodes/n9" })),
      {
        code: Code.NotFound,
        message: "there is no node n9",
        reasons: ["NODE_NOT_FOUND"],
        metadata: { node: "n9" },
        fields: [],
      },
      protocol,
    );
  }
});

test("what the engine finds wrong in a request names the field", async (t) => {
  const { server, token, engine } = await apiFixture(t);
  const url = `http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`;
  const transport = transportFor("grpc", url, { token });
  engine.onCall = (name) => {
    if (name === "inlet.create")
      throw new PortwayError("bad_route", "no /secure here", { given: "/secure/api" });
    if (name === "sendMessage") throw new PortwayError("unsupported", "/secure: not supported", {});
  };
  await clientFor(NodeService, transport).createNode({ nodeId: "n1" });
  const inlet = { bindAddress: "", to: "/secure/api" };
  const told = await toldError(
    clientFor(PortalService, transport).createInlet({ parent: "nodes/n1", inlet }),
  );
  assert.deepEqual(
    [told.code, told.reasons, told.fields],
    [Code.InvalidArgument, ["BAD_ROUTE"], ["inlet.to"]],
  );
  const sent = await toldError(clientFor(MessageService, transport).sendMessage({ to: "/dnsaddr/a/tcp/x" }));
  assert.deepEqual([sent.code, sent.reasons, sent.fields], [Code.Unimplemented, ["UNSUPPORTED"], ["to"]]);
});

test("an id that a command line would take for a flag is refused, and names the field", async (t) => {
  const { server, token } = await apiFixture(t);
  const url = `http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`;
  const transport = transportFor("grpc", url, { token });
  const nodes = clientFor(NodeService, transport);
  await nodes.createNode({ nodeId: "_x-" });
  const parent = "nodes/_x-";
  for (const id of ["-", "-x", "--all"]) {
    const inlet = { bindAddress: "", to: "/service/outlet" };
    for (const [field, call] of [
      ["node_id", nodes.createNode({ nodeId: id })],
      ["tcp_listener_id", nodes.createTcpListener({ parent, tcpListenerId: id, tcpListener: {} })],
      ["inlet_id", clientFor(PortalService, transport).createInlet({ parent, inletId: id, inlet })],
      ["relay_id", clientFor(RelayService, transport).createRelay({ parent, relayId: id, relay: {} })],
    ] as const) {
      const told = await toldError(call);
      assert.equal(told.code, Code.InvalidArgument, field);
      assert.ok(told.fields.includes(field), `${field}: ${told.fields}`);
    }
  }
});

test("the name of a relay and a payload that is refused are to blame, not where they go", () => {
  const fieldOf = (method: string, error: PortwayError): string | undefined =>
    callError(error, { method, signal: new AbortController().signal }).findDetails(BadRequestSchema)[0]
      ?.fieldViolations[0]?.field;
  const name = new PortwayError("bad_name", "it has 400 bytes");
  assert.equal(fieldOf("portway.v1.RelayService/CreateRelay", name), "relay.relay_address");
  const payload = new PortwayError("bad_route", "dropped", { reason: "malformed_payload" });
  assert.equal(fieldOf("portway.v1.MessageService/SendMessage", payload), "payload");
});

test("a fault tells the caller nothing but that, and the log the cause", async (t) => {
  const { server, token, engine, lines } = await apiFixture(t);
  const url = `http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`;
  const fault = new TypeError("secret of the engine");
  engine.onCall = () => {
    throw fault;
  };
  for (const protocol of protocols) {
    const told = await toldError(
      clientFor(NodeService, transportFor(protocol, url, { token })).getNode({ name: "nodes/n1" }),
    );
    assert.deepEqual([told.code, told.reasons, told.metadata], [Code.Internal, ["INTERNAL"], {}], protocol);
    assert.ok(!told.message.includes("secret"));
  }
  assert.equal(
    lines.filter(({ event, facts }) => event === "call.failed" && facts["error"] === fault).length,
    protocols.length,
  );
});

test("a request that breaks rules of the proto is refused with each field, before the engine is asked", async (t) => {
  const { server, token, engine } = await apiFixture(t);
  engine.onCall = () => assert.fail("the engine was asked");
  const url = `http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`;
  for (const protocol of protocols) {
    const nodes = clientFor(NodeService, transportFor(protocol, url, { token }));
    const told = await toldError(
      nodes.createTcpListener({ parent: "n1", requestId: "x", tcpListenerId: "a/b" }),
    );
    assert.deepEqual([told.code, told.reasons], [Code.InvalidArgument, ["BAD_ARGUMENT"]], protocol);
    assert.deepEqual(
      [...told.fields].sort(),
      ["parent", "request_id", "tcp_listener", "tcp_listener_id"],
      protocol,
    );
  }
});

test("a list that is far too long is not looked at item by item, and its error fits into headers", async (t) => {
  const { server, token } = await apiFixture(t);
  const session = http2.connect(`http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`);
  t.after(() => session.destroy());
  for (const [items, more] of [
    [100, " (and 100 more)"],
    [1_000_000, ""],
  ] as const) {
    const kinds = new Array<MessageEventKind>(items).fill(MessageEventKind.STARTED);
    const request = create(WatchMessagesRequestSchema, { node: "nodes/n1", kinds });
    const message = toBinary(WatchMessagesRequestSchema, request);
    const beforeMs = performance.now();
    const stream = grpcRequest(session, { token, method: "MessageService/WatchMessages", message });
    const headers = await new Promise<http2.IncomingHttpHeaders>((resolve) =>
      stream.resume().once("trailers", resolve),
    );
    assert.equal(headers["grpc-status"], String(Code.InvalidArgument));
    const said = `kinds: must contain no more than 16 item(s)${more}`;
    assert.equal(decodeURIComponent(String(headers["grpc-message"])), said);
    assert.ok(String(headers["grpc-status-details-bin"]).length < 2000);
    assert.ok(performance.now() - beforeMs < 1000, "the server did nothing else meanwhile");
  }
});

test("what Connect itself refuses has one ErrorInfo too", async (t) => {
  const { server, token } = await apiFixture(t, { limits: { maxRequestBytes: 1000 } });
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  const path = "/portway.v1.MessageService/SendMessage";
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const told = async (body: string | Buffer, more: object = {}) => {
    const answer = await rawRequest({ at, path, headers: { ...headers, ...more }, body });
    return [answer.status, ...reasonsIn(answer.body)];
  };
  assert.deepEqual(await told("{"), [400, "MALFORMED"]);
  assert.deepEqual(await told('{"too":"/service/echo"}'), [400, "MALFORMED"]);
  assert.deepEqual(await told(Buffer.of(10, 200, 1, 1), { "content-type": "application/proto" }), [
    400,
    "MALFORMED",
  ]);
  assert.deepEqual(await told("x".repeat(2000)), [429, "MESSAGE_TOO_LARGE"]);
  assert.deepEqual(await told("x".repeat(2000), { "transfer-encoding": "chunked" }), [
    429,
    "MESSAGE_TOO_LARGE",
  ]);
  assert.deepEqual(await told("{}", { "content-encoding": "gzip" }), [501, "UNSUPPORTED"]);
  assert.deepEqual(await told("{}", { "connect-timeout-ms": "soon" }), [400, "MALFORMED"]);
});

test("a GET that does not say how its message is written is told what it may say", async (t) => {
  const { server, token } = await apiFixture(t);
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  const headers = { authorization: `Bearer ${token}` };
  for (const [query, got] of [
    ["message={}", "the URL has none"],
    ["message={}&encoding=xml", 'got "xml"'],
  ]) {
    const path = `/portway.v1.NodeService/GetNode?connect=v1&${query}`;
    const { status, body } = await rawRequest({ at, method: "GET", path, headers });
    assert.equal(status, 415);
    const said = `expected encoding=json or encoding=proto in the query of a GET, ${got}`;
    assert.equal(JSON.parse(body).message ?? JSON.parse(body).detail, said);
  }
});

test("a GET with a message that is no base64, and a compressed message, are told what is wrong with them", async (t) => {
  const { server, token } = await apiFixture(t);
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  const path = "/portway.v1.NodeService/GetNode";
  const authorization = `Bearer ${token}`;
  const get = await rawRequest({
    at,
    method: "GET",
    path: `${path}?connect=v1&encoding=proto&base64=1&message=@@`,
    headers: { authorization },
  });
  assert.deepEqual([get.status, reasonsIn(get.body)], [400, ["MALFORMED"]]);
  const headers = { authorization, "content-type": "application/json", "content-encoding": "gzip" };
  const post = await rawRequest({ at, path, headers, body: "{}" });
  assert.deepEqual([post.status, reasonsIn(post.body)], [501, ["UNSUPPORTED"]]);
  const said = 'unknown compression "gzip": expected a message that is not compressed';
  assert.equal(JSON.parse(post.body).message, said);
});

test("a caller hears of a request that Connect fails at: its error can't be told in a header of gRPC", async (t) => {
  const { server, token, lines } = await apiFixture(t);
  const session = http2.connect(`http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`);
  t.after(() => session.destroy());
  const stream = session.request({
    ":method": "POST",
    ":path": "/portway.v1.NodeService/GetNode",
    authorization: `Bearer ${token}`,
    "content-type": "application/grpc+json",
  });
  // Half of a character, in a name that is repeated in the error.
  stream.end(envelopeOf(0, Buffer.from('{"\\ud800":1}')));
  const headers = await new Promise<http2.IncomingHttpHeaders>((resolve, reject) =>
    stream.once("response", resolve).once("close", () => reject(new Error("closed without an answer"))),
  );
  assert.equal(headers["grpc-status"], String(Code.Internal));
  assert.ok(lines.some(({ event }) => event === "call.failed"));
});

test("a message that is too large is refused in every protocol, and the connection serves on", async (t) => {
  const { server, token, engine } = await apiFixture(t, { limits: { maxRequestBytes: 100_000 } });
  const url = `http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`;
  for (const protocol of protocols.filter((protocol) => protocol !== "connect GET")) {
    const messages = clientFor(MessageService, transportFor(protocol, url, { token }));
    const told = await toldError(
      messages.sendMessage({ to: "/service/echo", payload: Buffer.alloc(3_000_000) }),
    );
    assert.deepEqual([told.code, told.reasons], [Code.ResourceExhausted, ["MESSAGE_TOO_LARGE"]], protocol);
    const sent = await messages.sendMessage({ to: "/service/echo", payload: Buffer.from("a") });
    assert.equal(Buffer.from(sent.payload).toString(), "a", protocol);
  }
  assert.equal(engine.created, 0);
});

test("a field that JSON gets wrong is named with the way to it, in calls and in streams", async (t) => {
  const { server, token } = await apiFixture(t);
  const url = `http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`;
  const at = url.slice(7);
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const body = '{"nodeId":"n1","node":{"tcpListenerAdress":":4000"}}';
  const answer = await rawRequest({ at, path: "/portway.v1.NodeService/CreateNode", headers, body });
  assert.equal(answer.status, 400);
  assert.match(answer.body, /tcpListenerAdress/);
  const details = (JSON.parse(answer.body) as { details: { type: string; debug: unknown }[] }).details;
  assert.deepEqual(
    details.map(({ type }) => type),
    ["google.rpc.ErrorInfo", "google.rpc.BadRequest"],
  );
  const fieldsOf = (error: ErrorOfJson): (string | undefined)[] =>
    error.details.map(({ debug }) => debug.fieldViolations?.[0]?.field);
  const told = async (method: string, json: string) => {
    const answer = await rawRequest({ at, path: `/portway.v1.${method}`, headers, body: json });
    return fieldsOf(JSON.parse(answer.body) as ErrorOfJson);
  };
  const createNode = "NodeService/CreateNode";
  assert.deepEqual(await told(createNode, body), [undefined, "node.tcpListenerAdress"]);
  const listener = '{"node":{"tcpListenerAddress":5}}';
  assert.deepEqual(await told(createNode, listener), [undefined, "node.tcp_listener_address"]);
  assert.deepEqual(await told(createNode, '{"nodId":"n1"}'), [undefined, "nodId"]);
  const kind = '{"service":{"kind":"SERVICE_KIND_HOPP"}}';
  assert.deepEqual(await told("NodeService/CreateService", kind), [undefined, "service.kind"]);
  const timeout = '{"timeout":"soon"}';
  assert.deepEqual(await told("MessageService/SendMessage", timeout), [undefined, "timeout"]);
  // Nothing tells which of the three it is.
  assert.deepEqual(await told("PortalService/CreateInlet", '{"wait":"soon"}'), [undefined]);
  const stream = await rawRequest({
    at,
    path: "/portway.v1.MessageService/ReceiveMessages",
    headers: { ...headers, "content-type": "application/connect+json" },
    body: Buffer.from(envelopeOf(0, Buffer.from('{"open":{"address":5}}'))),
  });
  const end = JSON.parse(stream.body.slice(5)) as { error: ErrorOfJson };
  assert.deepEqual(fieldsOf(end.error), [undefined, "open.address"]);
});

interface ErrorOfJson {
  readonly details: readonly { debug: { fieldViolations?: readonly { field: string }[] } }[];
}

test("a deadline of the caller ends the call as DEADLINE_EXCEEDED and reaches the engine", async (t) => {
  const { server, token, engine } = await apiFixture(t);
  const url = `http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`;
  for (const protocol of ["connect json", "connect binary", "grpc", "grpc-web"] as const) {
    let askedMs = Number.POSITIVE_INFINITY;
    const ended = new Promise<void>((resolve) => {
      engine.onSend = ({ timeoutMs }, { signal }) => {
        askedMs = timeoutMs;
        return new Promise((_, reject) => {
          const onAbort = (): void => {
            resolve();
            reject(new PortwayError("canceled", "the wait was ended"));
          };
          if (signal!.aborted) onAbort();
          else signal!.addEventListener("abort", onAbort);
        });
      };
    });
    // Only the server is told of it: a client with a deadline of its own would give up first.
    const headers = protocol.startsWith("grpc")
      ? { "grpc-timeout": "200m" }
      : { "connect-timeout-ms": "200" };
    const messages = clientFor(MessageService, transportFor(protocol, url, { token }));
    const told = await toldError(messages.sendMessage({ to: "/service/echo" }, { headers }));
    assert.deepEqual([told.code, told.reasons], [Code.DeadlineExceeded, ["TIMED_OUT"]], protocol);
    assert.ok(askedMs <= 200, `${askedMs}`);
    await ended;
  }
});

test("a deadline ends a call whose method does not heed it, in every protocol", async (t) => {
  const { server, token, engine } = await apiFixture(t);
  const url = `http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`;
  engine.onSend = () => new Promise(() => {});
  for (const protocol of ["connect json", "connect binary", "grpc", "grpc-web"] as const) {
    const headers = protocol.startsWith("grpc")
      ? { "grpc-timeout": "100m" }
      : { "connect-timeout-ms": "100" };
    const messages = clientFor(MessageService, transportFor(protocol, url, { token }));
    const signal = AbortSignal.timeout(5000);
    const told = await toldError(messages.sendMessage({ to: "/service/echo" }, { headers, signal }));
    assert.deepEqual([told.code, told.reasons], [Code.DeadlineExceeded, ["TIMED_OUT"]], protocol);
  }
});

test("a deadline that is longer than a server waits is cut to what it does", async (t) => {
  const { server, token, engine } = await apiFixture(t, { limits: { maxDeadlineMs: 5000 } });
  const url = `http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`;
  let askedMs = 0;
  engine.onSend = async ({ payload, timeoutMs }) => {
    askedMs = timeoutMs;
    return { payload, returnRoute: "", roundTripMs: 1 };
  };
  for (const [protocol, name, value] of [
    ["grpc", "grpc-timeout", "99999999H"],
    ["grpc", "grpc-timeout", "1M"],
    ["connect binary", "connect-timeout-ms", "9999999999"],
  ] as const) {
    const messages = clientFor(MessageService, transportFor(protocol, url, { token }));
    const timeout = { seconds: 100n };
    await messages.sendMessage({ to: "/service/echo", timeout }, { headers: { [name]: value } });
    assert.ok(askedMs > 1000 && askedMs <= 5000, `${value}: ${askedMs}`);
  }
});

test("an error repeats so little of a request that every gRPC client takes its headers", async (t) => {
  const { server, token } = await apiFixture(t, {
    engine: createEngine({ log: () => silentLog, logPath: () => "" }),
  });
  const session = http2.connect(`http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`);
  t.after(() => session.destroy());
  for (const letter of ["a", "é", "%"]) {
    const request = create(SendMessageRequestSchema, { to: `/service/x/bad/${letter.repeat(2000)}` });
    const sent = toBinary(SendMessageRequestSchema, request);
    const stream = grpcRequest(session, { token, method: "MessageService/SendMessage", message: sent });
    const headers = await new Promise<http2.IncomingHttpHeaders>((resolve) =>
      stream.once("response", resolve),
    );
    const message = decodeURIComponent(String(headers["grpc-message"]));
    assert.match(message, new RegExp(`^"/service/x/bad/${letter}+…" is not a route: `));
    const bytes = Object.entries(headers).reduce(
      (sum, [name, value]) => sum + name.length + String(value).length,
      0,
    );
    assert.ok(bytes < 3000, `${bytes}`);
  }
});

test("the end of a call decides what an interrupted wait is told as", () => {
  const aborted = (reason?: unknown): AbortSignal => AbortSignal.abort(reason);
  const method = "portway.v1.MessageService/SendMessage";
  const late = toConnectError(new PortwayError("timed_out", "late"));
  const canceled = new PortwayError("canceled", "ended");
  assert.equal(callError(canceled, { method, signal: aborted(late) }).code, Code.DeadlineExceeded);
  assert.equal(callError(canceled, { method, signal: aborted() }).code, Code.Canceled);
  assert.equal(callError(late, { method, signal: aborted(late) }).code, Code.DeadlineExceeded);
  const other = new PortwayError("node_not_found", "gone");
  assert.equal(callError(other, { method, signal: aborted(late) }).code, Code.NotFound);
});
