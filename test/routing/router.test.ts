import assert from "node:assert/strict";
import { test } from "node:test";
import { Address } from "../../src/model/address.js";
import { Message } from "../../src/model/message.js";
import { maxRouteAddresses, maxRouteBytes, Route } from "../../src/model/route.js";
import type { AccessPolicy } from "../../src/routing/access-policy.js";
import { type RegisterOptions, Router, type Tap } from "../../src/routing/router.js";
import type { DropReason, Outcome, WorkerInfo } from "../../src/routing/worker.js";
import { createTestGate, createTestLog, TestEnd } from "../support/router-pair.js";

interface Asked {
  readonly by: string;
  readonly worker: string;
}

/** A router whose policy denies workers of kind "outlet", and remembers what it was asked. */
function createRouter() {
  const asked: Asked[] = [];
  const policy: AccessPolicy = {
    decide(arrival, _identity, { address, kind }) {
      asked.push({ by: arrival.by, worker: address.text });
      return kind === "outlet" ? "denied_by_policy" : undefined;
    },
  };
  const log = createTestLog();
  const router = new Router({ policy, log });
  const arrival = new TestEnd({ router, by: "node_listener" });
  return { router, asked, log, arrival };
}

function register(
  router: Router,
  text: string,
  outcome: Outcome,
  options: RegisterOptions = { kind: "service" },
) {
  const heard: Message[] = [];
  const handle = (message: Message): Outcome => {
    heard.push(message);
    return outcome;
  };
  return { heard, registration: router.register(Address.local(text), { handle }, options) };
}

function message(onward: string, entrance?: TestEnd): Message {
  return Message.of({
    onward: Route.parse(onward),
    return: Route.parse("back"),
    payload: Buffer.from("x"),
    entrance,
  });
}

test("a message is given, as it is, to the worker at the head of its onward route", () => {
  const { router } = createRouter();
  const { heard } = register(router, "a", undefined);
  register(router, "b", undefined);
  const sent = message("a => b");

  assert.equal(router.send(sent), undefined);

  assert.deepEqual(heard, [sent]);
  assert.equal(heard[0]?.onward.toString(), "0#a => 0#b");
});

test("an address has one worker: a second is refused by name, and disposing takes the address free, once", () => {
  const { router } = createRouter();
  const { registration } = register(router, "a", undefined);
  assert.throws(() => register(router, "a", undefined), { code: "address_taken", message: /"a"/ });

  registration[Symbol.dispose]();
  assert.equal(router.find(Address.local("a")), undefined);
  const second = register(router, "a", undefined);
  registration[Symbol.dispose]();
  assert.equal(router.find(Address.local("a")), second.registration);
});

test("two addresses of the same text and another transport type are two workers", () => {
  const { router } = createRouter();
  const { heard } = register(router, "a", undefined);
  const other: Message[] = [];
  router.register(
    Address.parse("1#a"),
    { handle: (sent) => void other.push(sent) as undefined },
    { kind: "reply" },
  );

  router.send(message("1#a"));

  assert.deepEqual([heard.length, other.length], [0, 1]);
});

test("the workers are listed in the order in which they were registered, with what the policy knows of them", () => {
  const { router, arrival } = createRouter();
  register(router, "z", undefined, { kind: "service", service: "echo" });
  register(router, "a", undefined, { kind: "reply", hearsFrom: "here" });

  const listed = [...router.workers()].map(({ address, kind, service, hearsFrom }) => [
    address.text,
    kind,
    service,
    hearsFrom,
  ]);
  assert.deepEqual(listed, [
    [arrival.address.text, "connection", undefined, arrival],
    ["z", "service", "echo", undefined],
    ["a", "reply", undefined, "here"],
  ]);
});

test("what became of messages is counted: received and delivered, and each drop under its reason", () => {
  const { router, arrival } = createRouter();
  register(router, "ok", undefined);
  register(router, "outlet", undefined, { kind: "outlet" });
  register(router, "broken", "malformed_payload");

  router.receive(message("ok"), arrival);
  router.receive(message("nobody"), arrival);
  router.receive(message("outlet"), arrival);
  router.receive(message("broken"), arrival);
  router.send(message("ok"));
  router.send(message("nobody"));

  assert.deepEqual(router.counts, {
    received: 4,
    delivered: 2,
    dropped: { no_such_worker: 2, denied_by_policy: 1, malformed_payload: 1 },
  });
});

test("a message that a worker passes on is counted by whoever offered the one that it handled", () => {
  const { router } = createRouter();
  router.register(
    Address.local("hop"),
    { handle: (sent) => router.forward(sent.hop(Address.local("hop"))) },
    { kind: "service" },
  );
  register(router, "broken", "malformed_payload");

  assert.equal(router.send(message("hop => broken")), "malformed_payload");
  assert.equal(router.send(message("hop")), "route_exhausted");

  assert.deepEqual(router.counts, {
    received: 0,
    delivered: 0,
    dropped: { malformed_payload: 1, route_exhausted: 1 },
  });
});

test("the policy is asked once for a message that comes in, about its first worker, and not for those sent here", () => {
  const { router, asked, arrival } = createRouter();
  router.register(
    Address.local("hop"),
    { handle: (sent) => router.forward(sent.hop(Address.local("hop"))) },
    { kind: "service" },
  );
  const { heard } = register(router, "outlet", undefined, { kind: "outlet" });

  assert.equal(router.receive(message("hop => outlet", arrival), arrival), undefined);
  assert.equal(router.send(message("outlet")), undefined);

  assert.deepEqual(asked, [{ by: "node_listener", worker: "hop" }]);
  assert.equal(heard.length, 2);
});

test("a worker that is bound to a connection is asked about whichever way the message comes; a connection is not", () => {
  const { router, asked, arrival } = createRouter();
  register(router, "bound", undefined, { kind: "portal_session", hearsFrom: arrival });
  router.forward(message("bound", arrival));
  router.forward(message("bound"));
  router.forward(message(arrival.address.text, arrival));
  assert.deepEqual(asked, [{ by: "node_listener", worker: "bound" }]);
});

test("a denial while a message is passed on is its outcome", () => {
  const { router, arrival } = createRouter();
  const { heard } = register(router, "bound", undefined, { kind: "outlet", hearsFrom: arrival });
  assert.equal(router.forward(message("bound", arrival)), "denied_by_policy");
  assert.deepEqual(heard, []);
});

test("what a worker unwraps reaches no more than it would have reached by itself", () => {
  const { router, asked, arrival } = createRouter();
  const { heard } = register(router, "outlet", undefined, { kind: "outlet" });
  const ok = register(router, "ok", undefined);

  assert.equal(router.unwrap(message("outlet", arrival)), "denied_by_policy");
  assert.equal(router.unwrap(message("ok", arrival)), undefined);
  assert.equal(router.unwrap(message("nobody", arrival)), "no_such_worker");
  assert.deepEqual(
    asked.map(({ worker }) => worker),
    ["outlet", "ok"],
  );
  assert.deepEqual([heard.length, ok.heard.length], [0, 1]);

  // Begun on this node: nobody to ask about.
  assert.equal(router.unwrap(message("outlet")), undefined);
  const empty = Message.of({
    onward: Route.empty,
    return: Route.empty,
    payload: Buffer.alloc(0),
    entrance: arrival,
  });
  assert.equal(router.unwrap(empty), "route_exhausted");
});

test("a message that comes in with too long a route, onward or back, is dropped before its worker is looked up", () => {
  const { router, asked, arrival } = createRouter();
  const { heard } = register(router, "a", undefined);
  const a = Address.local("a");
  const long = Route.of(...Array.from({ length: maxRouteAddresses }, () => a));
  const big = Route.of(a, new Address(0, Buffer.alloc(maxRouteBytes)));
  const whole = (onward: Route, back: Route): Message =>
    Message.of({ onward, return: back, payload: Buffer.alloc(0), entrance: arrival });
  const short = Route.of(a);

  for (const route of [long.prepend(a), big]) {
    assert.equal(router.receive(whole(route, short), arrival), "route_too_long");
    assert.equal(router.receive(whole(short, route), arrival), "route_too_long");
  }
  assert.deepEqual([heard.length, asked.length], [0, 0]);
  assert.equal(router.receive(whole(long, long), arrival), undefined);
});

test("a gate comes back as it is: nothing is counted and nothing is shown until the message is taken or dropped", () => {
  const { router, arrival } = createRouter();
  const gate = createTestGate();
  let isFull = true;
  router.register(Address.local("a"), { handle: () => (isFull ? gate : undefined) }, { kind: "service" });
  let shown = 0;
  router.tap = {
    message() {
      shown += 1;
    },
  };

  assert.equal(router.receive(message("a", arrival), arrival), gate);
  assert.equal(router.send(message("a")), gate);
  assert.deepEqual(router.counts, { received: 0, delivered: 0, dropped: {} });
  assert.equal(shown, 0);

  isFull = false;
  router.receive(message("a", arrival), arrival);
  assert.deepEqual(router.counts, { received: 1, delivered: 1, dropped: {} });
  assert.equal(shown, 1);
});

test("the tap sees every delivery and every drop, with the worker if there is one", () => {
  const { router, arrival } = createRouter();
  const seen: (readonly [string, string | undefined, DropReason | undefined])[] = [];
  const tap: Tap = {
    message: ({ onward }, worker: WorkerInfo | undefined, outcome) =>
      void seen.push([onward.toString(), worker?.address.text, outcome]),
  };
  router.tap = tap;
  register(router, "ok", undefined);
  register(router, "outlet", undefined, { kind: "outlet" });
  router.register(
    Address.local("hop"),
    { handle: (sent) => router.forward(sent.hop(Address.local("hop"))) },
    { kind: "service" },
  );

  router.receive(message("hop => ok", arrival), arrival);
  router.receive(message("outlet", arrival), arrival);
  router.send(message("nobody"));
  router.send(Message.of({ onward: Route.empty, return: Route.empty, payload: Buffer.alloc(0) }));

  assert.deepEqual(seen, [
    ["0#ok", "ok", undefined],
    ["0#hop => 0#ok", "hop", undefined],
    ["0#outlet", "outlet", "denied_by_policy"],
    ["0#nobody", undefined, "no_such_worker"],
    ["", undefined, "route_exhausted"],
  ]);
});

test("a worker that throws costs its message and nothing else: the drop is counted and the fault logged", () => {
  const { router, log, arrival } = createRouter();
  const fault = new Error("a fault of ours");
  router.register(
    Address.local("bad"),
    {
      handle() {
        throw fault;
      },
    },
    { kind: "service" },
  );

  assert.equal(router.receive(message("bad", arrival), arrival), "internal_error");

  assert.deepEqual(router.counts.dropped, { internal_error: 1 });
  assert.deepEqual(
    log.lines.filter(({ event }) => event === "worker.failed"),
    [{ event: "worker.failed", worker: "bad", error: fault }],
  );
});
