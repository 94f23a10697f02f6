import assert from "node:assert/strict";
import { test } from "node:test";
import { PortwayError } from "../../src/base/errors.js";
import type { Gate } from "../../src/base/gate.js";
import { Address } from "../../src/model/address.js";
import { Message } from "../../src/model/message.js";
import { Route } from "../../src/model/route.js";
import { type Request, request } from "../../src/routing/request.js";
import type { Router } from "../../src/routing/router.js";
import type { DropReason, Outcome } from "../../src/routing/worker.js";
import { FakeClock, settled } from "../support/fake-clock.js";
import { connect, createTestGate, createTestNode, readFrame } from "../support/router-pair.js";

const payload = Buffer.from("question");

function ask(router: Router, onward: string, more: Partial<Request> = {}) {
  const clock = new FakeClock();
  const answer = request(router, { onward: Route.parse(onward), payload, timeoutMs: 1_000, clock, ...more });
  // What becomes of it is asserted later; it must not count as unhandled meanwhile.
  answer.catch(() => {});
  return { answer, clock };
}

/** Nothing is left of any request. */
function assertClean(router: Router, clock: FakeClock, gate?: Gate): void {
  assert.deepEqual(
    [...router.workers()].filter(({ kind }) => kind === "reply"),
    [],
  );
  assert.equal(clock.pending, 0);
  assert.equal(gate?.waiting ?? 0, 0);
}

function register(router: Router, text: string, handle: (message: Message) => Outcome): void {
  router.register(Address.local(text), { handle }, { kind: "service" });
}

test("an answer from this node has bytes of its own, and nothing is left behind", async () => {
  const router = createTestNode();
  const bytes = Buffer.from("answer");
  register(router, "service", ({ return: onward }) => {
    const outcome = router.forward(Message.of({ onward, return: Route.parse("service"), payload: bytes }));
    bytes.fill(0);
    return outcome;
  });

  const { answer, clock } = ask(router, "service");

  const { payload: answered, return: back } = await answer;
  assert.equal(answered.toString(), "answer");
  assert.equal(back.toString(), "0#service");
  assertClean(router, clock);
});

test("the end of the connection that a message left on ends the wait, and nothing is left behind", async () => {
  const router = createTestNode();
  const { dialer, listener } = connect(
    { router, by: "created_connection" },
    { router: createTestNode(), by: "node_listener" },
  );
  listener.isBlackHole = true;
  const { answer, clock } = ask(router, `${dialer.address.text} => echo`);
  await settled();
  assert.equal(dialer.watchers, 1);
  dialer.lose();
  await assert.rejects(answer, {
    code: "not_connected",
    message: /whether the message arrived is not known/,
  });
  assert.equal(dialer.watchers, 0);
  assertClean(router, clock);
});

test("an answer over a connection is heard from that connection alone", async () => {
  const router = createTestNode();
  const peer = createTestNode();
  const used = connect({ router, by: "route_connection" }, { router: peer, by: "node_listener" });
  const other = connect(
    { router, by: "route_connection" },
    { router: createTestNode(), by: "node_listener" },
  );
  const forged = (own: string): Message =>
    Message.of({ onward: Route.parse(own), return: Route.parse("liar"), payload: Buffer.from("forged") });
  // The peer's echo is not yet answering when somebody else is.
  used.listener.isBlackHole = true;
  const { answer, clock } = ask(router, `${used.dialer.address.text} => echo`);
  await settled();
  const own = readFrame(used.dialer.sent[0]!).return;

  assert.equal(router.receive(forged(own), other.dialer), "not_the_bound_connection");
  used.listener.isBlackHole = false;
  peer.send(
    Message.of({
      onward: Route.parse(`${used.listener.address.text} => ${own}`),
      return: Route.parse("echo"),
      payload,
    }),
  );

  const { payload: answered, return: back } = await answer;
  assert.deepEqual(answered, payload);
  assert.equal(back.toString(), `${used.dialer.address} => 0#echo`);
  assertClean(router, clock);
});

test("before the message has left on a connection, no connection is heard", async () => {
  const router = createTestNode();
  const gate = createTestGate();
  register(router, "full", () => gate);
  const end = connect({ router, by: "route_connection" }, { router: createTestNode(), by: "node_listener" });
  const { answer, clock } = ask(router, "full");
  const [reply] = [...router.workers()].filter(({ kind }) => kind === "reply");

  const forged = Message.of({ onward: Route.of(reply!.address), return: Route.empty, payload });
  assert.equal(router.receive(forged, end.dialer), "not_the_bound_connection");

  await clock.advance(1_000);
  await assert.rejects(answer);
  assertClean(router, clock, gate);
});

test("only the first answer counts", async () => {
  const router = createTestNode();
  register(router, "twice", ({ return: onward }) => {
    for (const text of ["first", "second"]) {
      router.forward(Message.of({ onward, return: Route.empty, payload: Buffer.from(text) }));
    }
    return undefined;
  });
  const { answer } = ask(router, "twice");
  assert.equal((await answer).payload.toString(), "first");
});

test("silence ends with no_reply after the timeout, and nothing is left", async () => {
  const router = createTestNode();
  register(router, "silent", () => undefined);
  const { answer, clock } = ask(router, "silent");

  await clock.advance(999);
  assert.equal([...router.workers()].filter(({ kind }) => kind === "reply").length, 1);
  await clock.advance(1);

  await assert.rejects(answer, { code: "no_reply", facts: { route: "0#silent", timeoutMs: 1_000 } });
  assertClean(router, clock);
});

test("a signal ends it with the signal's reason, before or during, and nothing is left", async () => {
  const router = createTestNode();
  const reason = new PortwayError("canceled", "no longer wanted");
  register(router, "silent", () => undefined);

  const controller = new AbortController();
  const during = ask(router, "silent", { signal: controller.signal });
  controller.abort(reason);
  await assert.rejects(during.answer, reason);
  assertClean(router, during.clock);

  const before = ask(router, "silent", { signal: AbortSignal.abort(reason) });
  await assert.rejects(before.answer, reason);
  assertClean(router, before.clock);
  assert.equal(router.counts.delivered, 1);
});

test("a message that finds a full queue is sent as soon as there is room", async () => {
  const router = createTestNode();
  const gate = createTestGate();
  let isFull = true;
  const taken: Message[] = [];
  register(router, "busy", (message) => {
    if (isFull) return gate;
    taken.push(message);
    return router.forward(Message.of({ onward: message.return, return: Route.empty, payload }));
  });
  const { answer, clock } = ask(router, "busy");
  assert.equal(gate.waiting, 1);

  // Room, and gone again before its turn: it waits once more.
  gate.open();
  assert.equal(gate.waiting, 1);
  isFull = false;
  gate.open();

  assert.deepEqual((await answer).payload, payload);
  assert.equal(taken.length, 1);
  assertClean(router, clock, gate);
});

test("a queue that stays full until the timeout is queue_full, and an abort leaves the gate too", async () => {
  const router = createTestNode();
  const gate = createTestGate();
  register(router, "full", () => gate);

  const late = ask(router, "full => echo");
  await late.clock.advance(1_000);
  await assert.rejects(late.answer, { code: "queue_full", facts: { route: "0#full => 0#echo" } });
  assertClean(router, late.clock, gate);

  const controller = new AbortController();
  const aborted = ask(router, "full", { signal: controller.signal });
  assert.equal(gate.waiting, 1);
  controller.abort(new Error("enough"));
  await assert.rejects(aborted.answer, /enough/);
  assertClean(router, aborted.clock, gate);
});

test("a message that is dropped on this node is said to be, with the code that fits", async () => {
  const codes: readonly (readonly [DropReason, string])[] = [
    ["no_such_worker", "worker_not_found"],
    ["not_connected", "not_connected"],
    ["too_large", "frame_too_large"],
    ["route_exhausted", "bad_route"],
    ["malformed_payload", "bad_route"],
    ["refused", "bad_route"],
    ["internal_error", "bad_route"],
  ];
  for (const [reason, code] of codes) {
    const router = createTestNode();
    register(router, "worker", () => reason);
    const { answer, clock } = ask(router, "worker");
    await assert.rejects(answer, { code }, reason);
    assertClean(router, clock);
  }
  const router = createTestNode();
  await assert.rejects(ask(router, "nobody").answer, {
    code: "worker_not_found",
    facts: { address: "nobody" },
  });
  await assert.rejects(ask(router, "").answer, { code: "bad_route" });
});
