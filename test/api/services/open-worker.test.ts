import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import {
  MessageEventKind,
  MessageService,
  type OpenWorkerRequest,
  OpenWorkerRequestSchema,
  type OpenWorkerResponse,
  type SteerWorkerRequestSchema,
  WhenFull,
} from "../../../gen/portway/v1/message_service_pb.js";
import { NodeService, WorkerKind } from "../../../gen/portway/v1/node_service_pb.js";
import { silentLog } from "../../../src/base/log.js";
import { createEngine } from "../../../src/node/host.js";
import { apiFixture, clientFor, type Protocol, toldError, transportFor } from "../../support/api-fixture.js";

const plenty = { messages: 100, bytes: 1_000_000n };
const node = "nodes/n1";

/** A daemon's API with one node behind it. */
async function fixture(t: TestContext) {
  const engine = createEngine({ log: () => silentLog, logPath: () => "" });
  t.after(() => engine.close());
  const { server, token } = await apiFixture(t, { engine });
  const url = `http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`;
  const messages = (protocol: Protocol = "grpc") =>
    clientFor(MessageService, transportFor(protocol, url, { token }));
  const nodes = clientFor(NodeService, transportFor("grpc", url, { token }));
  await nodes.createNode({ nodeId: "n1" });
  return { engine, nodes, messages, server };
}

type Clients = ReturnType<Awaited<ReturnType<typeof fixture>>["messages"]>;
type Said = MessageInitShape<typeof OpenWorkerRequestSchema>["request"];

/** An OpenWorker stream in hand. */
class Stream {
  readonly #unread: OpenWorkerRequest[] = [];
  readonly #controller = new AbortController();
  readonly #answers: AsyncIterator<OpenWorkerResponse>;
  #wake: () => void = () => {};
  #isOver = false;

  constructor(client: Clients) {
    const answers = client.openWorker(this.#requests(), { signal: this.#controller.signal });
    this.#answers = answers[Symbol.asyncIterator]();
  }

  say(request: Said): void {
    this.#unread.push(create(OpenWorkerRequestSchema, { request: request! }));
    this.#wake();
  }

  /** The client's half ends as it should. */
  end(): void {
    this.#isOver = true;
    this.#wake();
  }

  /** It breaks off. */
  cut(): void {
    this.#controller.abort();
  }

  async next(): Promise<OpenWorkerResponse["response"]> {
    const { done, value } = await this.#answers.next();
    return done === true ? { case: undefined } : value.response;
  }

  async expect<C extends OpenWorkerResponse["response"]["case"]>(
    kind: C,
  ): Promise<Extract<OpenWorkerResponse["response"], { case: C }>> {
    const response = await this.next();
    assert.equal(response.case, kind);
    return response as Extract<OpenWorkerResponse["response"], { case: C }>;
  }

  async *#requests(): AsyncGenerator<OpenWorkerRequest> {
    for (;;) {
      const next = this.#unread.shift();
      if (next !== undefined) yield next;
      else if (this.#isOver) return;
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

test("a program is a worker: it receives, replies and sends, and its address is gone with its stream", async (t) => {
  const { messages, nodes } = await fixture(t);
  const client = messages();
  const stream = new Stream(client);
  stream.say({ case: "open", value: { node, address: "upper", initialGrant: plenty } });
  const { value: opened } = await stream.expect("opened");
  assert.equal(opened.name, "nodes/n1/workers/upper");
  assert.deepEqual([opened.address, opened.resumed, opened.nextId], ["upper", false, 1n]);
  const { worker } = await nodes.getWorker({ name: opened.name });
  assert.equal(worker?.kind, WorkerKind.PROGRAM);

  const answer = client.sendMessage({ node, to: "/service/upper", payload: Buffer.from("hello") });
  const { value: message } = await stream.expect("message");
  assert.equal(message.id, 1n);
  assert.equal(message.onwardRoute, "0#upper");
  assert.match(message.returnRoute, /^0#[0-9a-f]{32}$/);
  assert.equal(message.redelivered, false);
  const payload = Buffer.from(text(message.payload).toUpperCase());
  stream.say({ case: "reply", value: { tag: 7n, toId: message.id, payload } });
  const { value: result } = await stream.expect("result");
  assert.deepEqual([result.tag, result.failure], [7n, undefined]);
  const { payload: replied, returnRoute } = await answer;
  assert.deepEqual([text(replied), returnRoute], ["HELLO", "0#upper"]);

  stream.say({ case: "send", value: { tag: 8n, onwardRoute: "/service/echo", payload } });
  // The echo's answer and the result are two things: either may come first.
  const both = [await stream.next(), await stream.next()];
  assert.deepEqual(both.map(({ case: kind }) => kind).sort(), ["message", "result"]);
  stream.say({ case: "send", value: { tag: 9n, onwardRoute: "nobody", payload } });
  stream.say({ case: "reply", value: { tag: 10n, toId: 99n, payload } });
  for (const [tag, reason] of [
    [9n, "WORKER_NOT_FOUND"],
    [10n, "MESSAGE_NOT_FOUND"],
  ] as const) {
    const { value: failed } = await stream.expect("result");
    assert.deepEqual(
      [failed.tag, failed.failure?.code, failed.failure?.info?.reason],
      [tag, Code.NotFound, reason],
    );
  }
  stream.end();
  await stream.expect(undefined);
  const told = await toldError(client.sendMessage({ node, to: "/service/upper" }));
  assert.deepEqual(told.reasons, ["WORKER_NOT_FOUND"]);
});

test("the server sends what was granted, senders of a full worker hear RESOURCE_EXHAUSTED, and the client is told", async (t) => {
  const { messages } = await fixture(t);
  const client = messages();
  const stream = new Stream(client);
  stream.say({ case: "open", value: { node, address: "w", queueMessages: 1, whenFull: WhenFull.REFUSE } });
  await stream.expect("opened");
  const sender = new Stream(client);
  sender.say({ case: "open", value: { node } });
  await sender.expect("opened");
  const send = async (): Promise<string | undefined> => {
    sender.say({ case: "send", value: { onwardRoute: "w", payload: Buffer.alloc(100) } });
    const { value } = await sender.expect("result");
    return value.failure?.info?.reason;
  };
  assert.equal(await send(), undefined);
  assert.equal(await send(), "QUEUE_FULL");
  assert.equal((await stream.expect("refused")).value.total, 1n);
  const told = await toldError(client.sendMessage({ node, to: "/service/w" }));
  assert.deepEqual([told.code, told.reasons], [Code.ResourceExhausted, ["QUEUE_FULL"]]);

  stream.say({ case: "grant", value: { messages: 1, bytes: 60n } });
  const { value: starved } = await stream.expect("starved");
  assert.deepEqual([starved.payloadBytes, starved.grantedBytes], [100n, 60n]);
  stream.say({ case: "grant", value: { bytes: 40n } });
  assert.equal((await stream.expect("message")).value.id, 1n);
  assert.equal(await send(), undefined);
  stream.say({ case: "close", value: {} });
  await stream.expect(undefined);
});

test("a worker whose stream broke off is resumed with its token and misses nothing", async (t) => {
  const { messages } = await fixture(t);
  const first = new Stream(messages());
  const open = { node, address: "w", resumeWindow: { seconds: 60n }, initialGrant: plenty };
  first.say({ case: "open", value: open });
  const { token } = (await first.expect("opened")).value;
  const sender = new Stream(messages());
  sender.say({ case: "open", value: { node } });
  await sender.expect("opened");
  const send = async (payload: string): Promise<void> => {
    sender.say({ case: "send", value: { onwardRoute: "w", payload: Buffer.from(payload) } });
    assert.equal((await sender.expect("result")).value.failure, undefined);
  };
  for (const payload of ["a", "b", "c"]) await send(payload);
  for (const id of [1n, 2n, 3n]) assert.equal((await first.expect("message")).value.id, id);
  first.say({ case: "acknowledge", value: { throughId: 1n } });
  first.cut();
  await assert.rejects(first.next());
  await send("d");

  const second = new Stream(messages());
  second.say({
    case: "open",
    value: { node, resumeToken: token, acknowledgedId: 2n, initialGrant: plenty },
  });
  const { value: opened } = await second.expect("opened");
  assert.deepEqual([opened.address, opened.resumed, opened.nextId], ["w", true, 3n]);
  const { value: third } = await second.expect("message");
  assert.deepEqual([third.id, text(third.payload), third.redelivered], [3n, "c", true]);
  const { value: fourth } = await second.expect("message");
  assert.deepEqual([fourth.id, text(fourth.payload), fourth.redelivered], [4n, "d", false]);

  // While the second stream is still there.
  const third2 = new Stream(messages());
  third2.say({ case: "open", value: { node, resumeToken: token } });
  await third2.expect("opened");
  const told = await toldError(second.next());
  assert.deepEqual([told.code, told.reasons], [Code.Aborted, ["WORKER_RESUMED"]]);
});

test("a client that ends its side may come back within the window; `close` ends the worker at once", async (t) => {
  const { messages } = await fixture(t);
  const first = new Stream(messages());
  first.say({ case: "open", value: { node, address: "w", resumeWindow: { seconds: 60n } } });
  const { token } = (await first.expect("opened")).value;
  first.say({ case: "send", value: { tag: 1n, onwardRoute: "w", payload: Buffer.from("a") } });
  first.end();
  await first.expect("result");
  await first.expect(undefined);

  const second = new Stream(messages());
  second.say({ case: "open", value: { node, resumeToken: token, initialGrant: plenty } });
  await second.expect("opened");
  assert.equal(text((await second.expect("message")).value.payload), "a");
  second.say({ case: "close", value: {} });
  await second.expect(undefined);
  const third = new Stream(messages());
  third.say({ case: "open", value: { node, resumeToken: token } });
  assert.deepEqual((await toldError(third.next())).reasons, ["WORKER_NOT_FOUND"]);
});

test("over HTTP/1.1 a worker receives in one call and says the rest in others", async (t) => {
  const { messages } = await fixture(t);
  for (const protocol of ["connect json", "grpc-web"] as const) {
    const client = messages(protocol);
    const controller = new AbortController();
    const stream = client
      .receiveMessages({ open: { node, address: "web" } }, { signal: controller.signal })
      [Symbol.asyncIterator]();
    const next = async () => (await stream.next()).value?.response;
    const opened = await next();
    assert.equal(opened?.case, "opened");
    const { token } = opened!.value as { token: string };

    const answer = client.sendMessage({ node, to: "/service/web", payload: Buffer.from("hi") });
    const message = await next();
    assert.ok(message?.case === "message");
    const reply = { toId: message.value.id, payload: Buffer.from("ho") };
    await client.steerWorker({ token, request: { case: "reply", value: reply } });
    assert.equal(text((await answer).payload), "ho");

    const send = { onwardRoute: "nobody" };
    const told = await toldError(client.steerWorker({ token, request: { case: "send", value: send } }));
    assert.deepEqual([told.code, told.reasons], [Code.NotFound, ["WORKER_NOT_FOUND"]]);
    const wrong = async (request: MessageInitShape<typeof SteerWorkerRequestSchema>["request"]) =>
      (await toldError(client.steerWorker({ token, request: request! }))).fields;
    const value = { onwardRoute: "0#echo" };
    assert.deepEqual(await wrong({ case: "send", value: { onwardRoute: "300#x" } }), ["send.onward_route"]);
    assert.deepEqual(await wrong({ case: "send", value: { ...value, returnRoute: "300#x" } }), [
      "send.return_route",
    ]);
    const nowhere = await toldError(
      client.steerWorker({ token, request: { case: "send", value: { ...value, returnRoute: "junk=>" } } }),
    );
    assert.deepEqual(nowhere.reasons, ["WORKER_NOT_FOUND"]);
    assert.equal(
      nowhere.message,
      "the worker echo took what came along 0#echo, and no worker has the address it sent on to",
    );
    const malformed = { onwardRoute: "0#uppercase", payload: Buffer.of(0x80) };
    assert.deepEqual(await wrong({ case: "send", value: malformed }), ["send.payload"]);
    const acknowledge = await wrong({ case: "acknowledge", value: { throughId: 99n } });
    assert.deepEqual(acknowledge, ["acknowledge.through_id"]);
    await client.steerWorker({ token, request: { case: "close", value: {} } });
    assert.equal((await stream.next()).done, true);
    const late = await toldError(client.steerWorker({ token, request: { case: "close", value: {} } }));
    assert.deepEqual([late.code, late.reasons], [Code.NotFound, ["WORKER_NOT_FOUND"]]);
    controller.abort();
  }
});

test("what can't be opened is refused with what was wrong", async (t) => {
  const { messages } = await fixture(t);
  const refused = async (request: Said) => {
    const stream = new Stream(messages());
    stream.say(request);
    const { code, reasons, fields } = await toldError(stream.next());
    return [code, ...reasons, ...fields];
  };
  assert.deepEqual(await refused({ case: "grant", value: plenty }), [
    Code.InvalidArgument,
    "BAD_ARGUMENT",
    "open",
  ]);
  const stream = new Stream(messages());
  stream.say({ case: "open", value: { node } });
  const { token } = (await stream.expect("opened")).value;
  const opens = [
    [{ node: "n1" }, Code.InvalidArgument, "BAD_ARGUMENT", "open.node"],
    [{ node: "nodes/n2" }, Code.NotFound, "NODE_NOT_FOUND"],
    [{ node, address: "echo" }, Code.AlreadyExists, "ADDRESS_TAKEN"],
    [{ node, address: "1#x" }, Code.InvalidArgument, "BAD_ADDRESS", "open.address"],
    [{ node, queueBytes: 2n ** 40n }, Code.InvalidArgument, "BAD_ARGUMENT", "open.queue_bytes"],
    [{ node, resumeToken: "n1.nonsense" }, Code.NotFound, "WORKER_NOT_FOUND"],
    [
      { node, resumeToken: token, acknowledgedId: 1n },
      Code.InvalidArgument,
      "BAD_ARGUMENT",
      "open.acknowledged_id",
    ],
  ] as const;
  for (const [value, ...expected] of opens) {
    assert.deepEqual(await refused({ case: "open", value }), expected);
  }
});

test("a second open and an early acknowledgement end the call; the node's end ends it as well", async (t) => {
  const { messages, nodes } = await fixture(t);
  const wrong = [
    [{ case: "open", value: { node } }, "open"],
    [{ case: "acknowledge", value: { throughId: 1n } }, "acknowledge.through_id"],
  ] as const;
  for (const [request, field] of wrong) {
    const stream = new Stream(messages());
    stream.say({ case: "open", value: { node, address: "w", resumeWindow: { seconds: 0n } } });
    await stream.expect("opened");
    stream.say(request);
    const { reasons, fields } = await toldError(stream.next());
    assert.deepEqual([reasons, fields], [["BAD_ARGUMENT"], [field]]);
  }
  const stream = new Stream(messages());
  stream.say({ case: "open", value: { node, address: "w", resumeWindow: { seconds: 60n } } });
  await stream.expect("opened");
  await nodes.stopNode({ name: node });
  const told = await toldError(stream.next());
  assert.deepEqual([told.code, told.reasons], [Code.Unavailable, ["STOPPED"]]);
});

test("the messages of a node are watched by kind, address and route", async (t) => {
  const { messages, nodes } = await fixture(t);
  const client = messages();
  const controller = new AbortController();
  const watch = client
    .watchMessages(
      {
        node,
        kinds: [MessageEventKind.DELIVERED, MessageEventKind.DROPPED],
        onwardPrefix: "/service/echo",
        maxPayloadBytes: 2,
      },
      { signal: controller.signal },
    )
    [Symbol.asyncIterator]();
  assert.equal((await watch.next()).value?.kind, MessageEventKind.STARTED);
  await client.sendMessage({ node, to: "/service/uppercase", payload: Buffer.of(0) });
  await client.sendMessage({ node, to: "/service/echo", payload: Buffer.from("hello") });
  const { value: event } = await watch.next();
  assert.ok(event !== undefined);
  assert.equal(event.kind, MessageEventKind.DELIVERED);
  assert.deepEqual([event.address, event.workerKind], ["echo", WorkerKind.SERVICE]);
  assert.deepEqual([text(event.payload), event.payloadBytes], ["he", 5n]);
  assert.deepEqual([event.onwardRoute, event.dropReason, event.entrance], ["0#echo", "", ""]);
  for (const [request, field] of [
    [{ address: "a#b#c" }, "address"],
    [{ onwardPrefix: "0#a => b#c#d" }, "onward_prefix"],
  ] as const) {
    const events = client.watchMessages({ node, ...request })[Symbol.asyncIterator]();
    const { reasons, fields } = await toldError(events.next());
    assert.deepEqual([reasons, fields], [["BAD_ADDRESS"], [field]]);
  }
  await nodes.stopNode({ name: node });
  const told = await toldError(
    (async () => {
      while ((await watch.next()).done !== true);
    })(),
  );
  assert.deepEqual([told.code, told.reasons], [Code.Unavailable, ["STOPPED"]]);
  controller.abort();
  const bad = await toldError(client.watchMessages({ node: "nodes/n2" })[Symbol.asyncIterator]().next());
  assert.deepEqual(bad.reasons, ["NODE_NOT_FOUND"]);
});
