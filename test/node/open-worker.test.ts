import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "../../src/base/log.js";
import { Address } from "../../src/model/address.js";
import { Message } from "../../src/model/message.js";
import { Route } from "../../src/model/route.js";
import type { OpenWorkerSpec, WorkerEvent, WorkerStream } from "../../src/node/engine.js";
import { waitLimitMs } from "../../src/node/open-worker.js";
import { maxOpenWorkers, OpenWorkers } from "../../src/node/open-workers.js";
import type { Router } from "../../src/routing/router.js";
import { resolveTcpOptions } from "../../src/transport/tcp/tcp-options.js";
import { FakeClock } from "../support/fake-clock.js";
import { connect, createTestNode, readFrame } from "../support/router-pair.js";

const base: OpenWorkerSpec = {
  node: "n1",
  address: "w",
  whenFull: "refuse",
  queueMessages: 3,
  queueBytes: 1000,
  resumeWindowMs: 0,
};
const plenty = { messages: 1000, bytes: 1e9 };

interface Fixture {
  readonly router: Router;
  readonly clock: FakeClock;
  readonly workers: OpenWorkers;
  open(spec?: Partial<OpenWorkerSpec>, woken?: () => void): WorkerStream;
}

function fixture(waitLimitMs?: number): Fixture {
  const router = createTestNode();
  const clock = new FakeClock();
  const workers = new OpenWorkers({
    node: "n1",
    router,
    clock,
    log: silentLog,
    ...(waitLimitMs !== undefined && { waitLimitMs }),
  });
  return {
    router,
    clock,
    workers,
    open: (spec = {}, woken = () => {}) => workers.open({ ...base, ...spec }, woken),
  };
}

function message(to: string, payload: string | Buffer = "x", back = ""): Message {
  return Message.of({
    onward: Route.parse(to),
    return: Route.parse(back),
    payload: Buffer.from(payload),
    trace: Buffer.from("trace"),
  });
}

function ids(stream: WorkerStream): number[] {
  const found: number[] = [];
  for (let event = stream.take(); event !== undefined; event = stream.take()) {
    if (event.kind === "message") found.push(event.message.id);
  }
  return found;
}

function taken(stream: WorkerStream): Extract<WorkerEvent, { kind: "message" }>["message"] {
  const event = stream.take();
  assert.equal(event?.kind, "message");
  return (event as Extract<WorkerEvent, { kind: "message" }>).message;
}

test("a message arrives with its routes, its payload and its trace, in bytes of its own", () => {
  const { router, open } = fixture();
  let woken = 0;
  const stream = open({}, () => {
    woken += 1;
  });
  stream.grant(plenty);
  const before = woken;
  const payload = Buffer.from("hello");
  router.send(message("w => more", payload, "back => further"));
  payload.fill(0);
  assert.ok(woken > before);
  const { receiveTimeMs, payload: bytes, ...rest } = taken(stream);
  assert.deepEqual(rest, {
    id: 1,
    onward: "0#w => 0#more",
    return: "0#back => 0#further",
    trace: "trace",
    redelivered: false,
  });
  assert.equal(Buffer.from(bytes).toString(), "hello");
  assert.equal(typeof receiveTimeMs, "number");
  assert.equal(stream.take(), undefined);
});

test("nothing is given that was not granted, by messages and by bytes", () => {
  const { router, open } = fixture();
  const stream = open();
  for (const size of [10, 20]) router.send(message("w", Buffer.alloc(size)));
  assert.equal(stream.take(), undefined);
  stream.grant({ messages: 1, bytes: 0 });
  assert.deepEqual(stream.take(), { kind: "starved", payloadBytes: 10, grantedBytes: 0 });
  assert.equal(stream.take(), undefined, "said once");
  stream.grant({ messages: 0, bytes: 15 });
  assert.equal(taken(stream).id, 1);
  assert.equal(stream.take(), undefined, "no message is granted");
  stream.grant({ messages: 5, bytes: 0 });
  assert.deepEqual(stream.take(), { kind: "starved", payloadBytes: 20, grantedBytes: 5 });
  stream.grant({ messages: 0, bytes: 15 });
  assert.equal(taken(stream).id, 2);
});

test("a full queue refuses by messages and by bytes, counts, and takes again when there is room", async () => {
  const { router, clock, open } = fixture();
  const stream = open();
  for (let at = 0; at < 3; at += 1) assert.equal(router.send(message("w")), undefined);
  assert.equal(router.send(message("w")), "queue_full");
  assert.equal(router.send(message("w")), "queue_full");
  assert.equal(router.counts.dropped["queue_full"], 2);
  assert.deepEqual(stream.take(), { kind: "refused", total: 2 });
  assert.equal(router.send(message("w")), "queue_full");
  assert.equal(stream.take(), undefined, "at most once a second");
  await clock.advance(1_000);
  assert.deepEqual(stream.take(), { kind: "refused", total: 3 });
  stream.grant(plenty);
  assert.deepEqual(ids(stream), [1, 2, 3]);

  assert.equal(router.send(message("w", Buffer.alloc(990))), undefined);
  assert.equal(router.send(message("w")), "queue_full");
  assert.deepEqual(ids(stream), [4]);
  assert.equal(router.send(message("w", Buffer.alloc(5_000))), undefined, "larger than the queue, and alone");
});

test("with `wait` a sender waits at a full queue and is let in when one message is taken", () => {
  const { router, open } = fixture();
  const stream = open({ whenFull: "wait", queueMessages: 1 });
  router.send(message("w"));
  const gate = router.send(message("w", "second"));
  assert.equal(typeof gate, "object");
  let opened = 0;
  if (typeof gate === "object") {
    gate.wait({
      gateOpened: () => {
        opened += 1;
        assert.equal(router.send(message("w", "second")), undefined);
      },
    });
  }
  stream.grant({ messages: 1, bytes: 100 });
  assert.equal(taken(stream).id, 1);
  assert.equal(opened, 1);
  assert.equal(router.counts.dropped["queue_full"], undefined);
  stream.close();
});

test("senders do not wait for a worker that stands still: it refuses until there is room, and no connection is cut", async () => {
  const { router, open } = fixture(40);
  const stream = open({ whenFull: "wait", queueMessages: 1 });
  const far = createTestNode();
  const { dialer, listener } = connect(
    { router: far, by: "route_connection" },
    { router, by: "node_listener" },
  );
  const route = Route.of(dialer.address, Address.local("w"));
  const echo = Route.of(dialer.address, Address.local("echo"));
  const heard = new Promise<void>((resolve) => {
    far.register(Address.local("me"), { handle: () => void resolve() }, { kind: "reply", hearsFrom: dialer });
  });
  for (const onward of [route, route, route]) {
    far.send(Message.of({ onward, return: Route.empty, payload: Buffer.from("x") }));
  }
  far.send(
    Message.of({ onward: echo, return: Route.of(Address.local("me")), payload: Buffer.from("behind them") }),
  );
  await heard;
  assert.equal(router.counts.dropped["queue_full"], 2);
  assert.ok(listener.other !== undefined && dialer.other !== undefined, "the connection is there");

  // Full again within the wait, it has its time again; full for longer, it has not.
  stream.grant(plenty);
  assert.deepEqual(ids(stream), [1]);
  assert.equal(router.send(message("w")), undefined);
  assert.equal(typeof router.send(message("w")), "object");
  stream.close();
});

test("a queue that stood full for longer than the wait refuses at once", async () => {
  const { router, clock, open } = fixture(4_000);
  open({ whenFull: "wait", queueMessages: 1 });
  router.send(message("w"));
  assert.equal(typeof router.send(message("w")), "object");
  await clock.advance(3_999);
  assert.equal(typeof router.send(message("w")), "object");
  await clock.advance(1);
  assert.equal(router.send(message("w")), "queue_full");
});

test("senders wait for a program less than half as long as a connection waits for its peer", () => {
  // The gate looks four times in this time, and reports at the latest one look after it.
  assert.ok(waitLimitMs * 1.25 <= resolveTcpOptions().stallTimeoutMs / 2);
});

test("without a resume window the address is free when the client is gone, and its token is worth nothing", () => {
  const { router, workers, open } = fixture();
  const stream = open();
  const { token } = stream.opened;
  assert.throws(() => open(), { code: "address_taken" });
  stream.detach();
  assert.equal(router.find(Address.local("w")), undefined);
  assert.throws(() => workers.steer(token), { code: "worker_not_found" });
  assert.throws(() => workers.resume({ node: "n1", token, acknowledgedId: 0 }, () => {}), {
    code: "worker_not_found",
  });
  open();
});

test("a worker that is resumed in time gives again what was not acknowledged, and what came in meanwhile", async () => {
  const { router, clock, workers, open } = fixture();
  const first = open({ resumeWindowMs: 5_000, queueMessages: 10 });
  const { token } = first.opened;
  first.grant(plenty);
  for (const payload of ["a", "b", "c"]) router.send(message("w", payload));
  assert.deepEqual(ids(first), [1, 2, 3]);
  first.acknowledge(1);
  first.detach();
  await clock.advance(4_999);
  router.send(message("w", "d"));

  const second = workers.resume({ node: "n1", token, acknowledgedId: 2 }, () => {});
  assert.deepEqual(second.opened, { node: "n1", address: "w", token, resumed: true, nextId: 3 });
  assert.equal(second.take(), undefined, "the grants of the first stream are gone");
  await clock.advance(60_000);
  second.grant(plenty);
  const [third, fourth] = [taken(second), taken(second)];
  assert.deepEqual([third.id, third.redelivered, fourth.id, fourth.redelivered], [3, true, 4, false]);
  assert.throws(() => second.acknowledge(5), { code: "bad_argument" });
  second.acknowledge(4);

  second.detach();
  await clock.advance(5_000);
  assert.equal(router.find(Address.local("w")), undefined, "the window has passed");
  assert.throws(() => workers.steer(token), { code: "worker_not_found" });
  assert.equal(clock.pending, 0);
});

test("what was sent and not acknowledged counts for the queue of a worker that can be resumed", () => {
  const { router, open } = fixture();
  const stream = open({ resumeWindowMs: 5_000 });
  stream.grant(plenty);
  for (let at = 0; at < 3; at += 1) router.send(message("w"));
  assert.deepEqual(ids(stream), [1, 2, 3]);
  assert.equal(router.send(message("w")), "queue_full");
  stream.acknowledge(3);
  assert.equal(router.send(message("w")), undefined);
});

test("a worker that is resumed while its old stream is still there is taken from it", () => {
  const { router, workers, open } = fixture();
  const first = open({ resumeWindowMs: 5_000 });
  const { token } = first.opened;
  const second = workers.resume({ node: "n1", token, acknowledgedId: 0 }, () => {});
  const event = first.take();
  assert.equal(event?.kind === "ended" && event.error?.code, "worker_resumed");
  assert.equal(first.take(), undefined);
  first.detach();
  first.close();
  second.grant(plenty);
  router.send(message("w"));
  assert.deepEqual(ids(second), [1]);
});

test("a reply goes back the way its message came, with its trace and as its sender could reach; a send goes where it says", async () => {
  const { router, open } = fixture();
  const stream = open();
  stream.grant(plenty);
  const heard: string[] = [];
  const note = (sent: Message): undefined => {
    heard.push(`${sent.onward} | ${sent.return} | ${sent.payload} | ${sent.trace ?? ""}`);
  };
  router.register(Address.local("sink"), { handle: note }, { kind: "service" });
  router.send(message("w", "hi", "sink => tail"));
  assert.equal(taken(stream).id, 1);
  await stream.reply({ toId: 1, payload: Buffer.from("ho"), return: "" });
  await stream.send({ onward: "/service/sink", return: "a => b", payload: Buffer.from("s"), trace: "t" });
  assert.deepEqual(heard, ["0#sink => 0#tail | 0#w | ho | trace", "0#sink | 0#a => 0#b | s | t"]);

  await assert.rejects(stream.reply({ toId: 2, payload: Buffer.of(), return: "" }), {
    code: "message_not_found",
  });
  router.send(message("w"));
  assert.equal(taken(stream).id, 2);
  await assert.rejects(stream.reply({ toId: 2, payload: Buffer.of(), return: "" }), { code: "bad_route" });
  const send = (onward: string): Promise<void> =>
    stream.send({ onward, return: "", payload: Buffer.of(), trace: "" });
  await assert.rejects(send("nobody"), { code: "worker_not_found" });
  await assert.rejects(send(""), { code: "bad_route" });
  await assert.rejects(send("/ip4/127.0.0.1/tcp/4000/service/echo"), { code: "bad_route" });
  await assert.rejects(send("300#x"), { code: "bad_address" });
});

test("a reply reaches no worker that is bound to another connection than the message came in on", async () => {
  const { router, open } = fixture();
  const stream = open();
  stream.grant(plenty);
  const far = createTestNode();
  const { dialer } = connect({ router: far, by: "route_connection" }, { router, by: "node_listener" });
  router.register(Address.local("bound"), { handle: () => undefined }, { kind: "reply", hearsFrom: "here" });
  // The peer writes any return route: here one that does not lead to it.
  const arrived = new Promise<void>((resolve) => {
    router.tap = { message: () => resolve() };
  });
  far.send(
    Message.of({
      onward: Route.of(dialer.address, Address.local("w")),
      return: Route.empty,
      payload: Buffer.from("x"),
    }),
  );
  await arrived;
  const { id, return: back } = taken(stream);
  assert.equal(back.split(" => ").length, 1, "the connection alone");
  await stream.reply({ toId: id, payload: Buffer.from("y"), return: "" });
  const forged = Message.of({
    onward: Route.parse("w"),
    return: Route.parse("bound"),
    payload: Buffer.of(),
    entrance: dialer.other!,
  });
  router.receive(forged, dialer.other!);
  await assert.rejects(stream.reply({ toId: taken(stream).id, payload: Buffer.of(), return: "" }), {
    code: "bad_route",
  });
  assert.equal(router.counts.dropped["not_the_bound_connection"], 1);
});

test("an answer to what the worker sent comes in on the connection that it left on", async () => {
  const { router, open } = fixture();
  const woken: (() => void)[] = [];
  const stream = open({}, () => woken.shift()?.());
  stream.grant(plenty);
  const far = createTestNode();
  const { dialer } = connect({ router, by: "created_connection" }, { router: far, by: "node_listener" });
  const uninvited = message("w");
  assert.equal(router.receive(uninvited, dialer), "denied_by_policy");
  const arrived = new Promise<void>((resolve) => void woken.push(resolve));
  const onward = `${dialer.address} => uppercase`;
  const payload = Buffer.from("0568656c6c6f", "hex");
  await stream.send({ onward, return: "", payload, trace: "" });
  assert.equal(readFrame(dialer.sent[0]!).onward, "0#uppercase");
  await arrived;
  assert.equal(Buffer.from(taken(stream).payload).toString("hex"), "0548454c4c4f");
});

test("what a worker sends keeps its order at a full first hop and waits for a limited time", async () => {
  const { router, clock, open } = fixture();
  const stream = open();
  const far = createTestNode();
  const { dialer } = connect({ router, by: "created_connection" }, { router: far, by: "node_listener" });
  const send = (payload: string): Promise<void> =>
    stream.send({ onward: `${dialer.address} => x`, return: "", payload: Buffer.from(payload), trace: "" });
  dialer.isFull = true;
  const late = assert.rejects(send("a"), { code: "queue_full" });
  await clock.advance(5_000);
  const [b, c] = [send("b"), send("c")];
  await clock.advance(5_000);
  await late;
  dialer.isFull = false;
  await Promise.all([b, c]);
  assert.deepEqual(
    dialer.sent.map((frame) => readFrame(frame).payload),
    ["b", "c"].map((text) => Buffer.from(text).toString("hex")),
  );
  dialer.isFull = true;
  const pending = send("d");
  stream.close();
  await assert.rejects(pending, { code: "stopped" });
  await assert.rejects(send("e"), { code: "stopped" });
  assert.equal(dialer.waiting, 0);
  assert.equal(clock.pending, 0);
});

test("the way back is remembered for the last 4096 messages", async () => {
  const { router, open } = fixture();
  const stream = open();
  stream.grant({ messages: 5000, bytes: 1e6 });
  router.register(Address.local("sink"), { handle: () => undefined }, { kind: "service" });
  for (let at = 0; at < 4097; at += 1) {
    router.send(message("w", "x", "sink"));
    taken(stream);
  }
  await stream.reply({ toId: 2, payload: Buffer.of(), return: "" });
  await assert.rejects(stream.reply({ toId: 1, payload: Buffer.of(), return: "" }), {
    code: "message_not_found",
  });
});

test("a worker ends with its node, and closing it wakes those who wait for it", () => {
  const { router, workers, open } = fixture();
  const stream = open({ whenFull: "wait", queueMessages: 1, resumeWindowMs: 1_000 });
  router.send(message("w"));
  const gate = router.send(message("w"));
  let outcome: unknown;
  if (typeof gate === "object") {
    gate.wait({
      gateOpened: () => {
        outcome = router.send(message("w"));
      },
    });
  }
  workers[Symbol.dispose]();
  assert.equal(outcome, "no_such_worker");
  const event = stream.take();
  assert.equal(event?.kind === "ended" && event.error?.code, "stopped");
});

test("steering needs a stream for grants, and a node has a limited number of open workers", () => {
  const { workers, open } = fixture();
  const stream = open({ resumeWindowMs: 1_000 });
  const control = workers.steer(stream.opened.token);
  control.grant({ messages: 1, bytes: 1 });
  stream.detach();
  assert.throws(() => control.grant({ messages: 1, bytes: 1 }), { code: "stream_detached" });
  control.close();
  for (let at = 0; at < maxOpenWorkers; at += 1) open({ address: "" });
  assert.throws(() => open({ address: "" }), { code: "too_many" });
  assert.throws(() => workers.steer("n1.x"), { code: "worker_not_found" });
  workers[Symbol.dispose]();
});

test("an address of another transport is refused, and none is made up that can be guessed", () => {
  const { open } = fixture();
  assert.throws(() => open({ address: "1#w" }), { code: "bad_address" });
  assert.match(open({ address: "" }).opened.address, /^[0-9a-f]{32}$/);
});
