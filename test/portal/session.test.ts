import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { memoryOf } from "../../src/base/bytes.js";
import { silentLog } from "../../src/base/log.js";
import { Address } from "../../src/model/address.js";
import { Message } from "../../src/model/message.js";
import { Route } from "../../src/model/route.js";
import { localQueues } from "../../src/portal/local-queues.js";
import type { LocalStream } from "../../src/portal/local-stream.js";
import { disconnect, maxPayloadHeadBytes, ping, pong } from "../../src/portal/portal-message.js";
import { Session, type SessionEnd } from "../../src/portal/session.js";
import { defaultAccessPolicy } from "../../src/routing/access-policy.js";
import type { Arrival } from "../../src/routing/arrival.js";
import { Router } from "../../src/routing/router.js";
import type { Outcome } from "../../src/routing/worker.js";
import { connect, createTestGate, createTestNode, type TestEnd } from "../support/router-pair.js";

class FakeStream implements LocalStream {
  user!: Session;
  queuedBytes = 0;
  progress = 0;
  readonly written: string[] = [];
  resumed = 0;
  end_ = "";
  keepAlive(): void {}

  resume(): void {
    this.resumed += 1;
  }
  write(data: Buffer): void {
    this.written.push(data.toString());
  }
  end(): void {
    this.end_ ||= "end";
    if (this.queuedBytes === 0) this.user.closed(undefined);
  }
  reset(): void {
    this.end_ ||= "reset";
  }
}

const far = Address.local("far");
let router: Router;
let stream: FakeStream;
let session: Session;
/** Payloads that reached the far end, in order. */
let sent: string[];
let answer: () => Outcome;
let end: SessionEnd | undefined;

beforeEach(setUp);

function setUp(): void {
  router = new Router({ policy: defaultAccessPolicy, log: silentLog });
  sent = [];
  answer = () => undefined;
  end = undefined;
  router.register(
    far,
    {
      handle(message) {
        const outcome = answer();
        if (outcome === undefined) sent.push(message.payload.toString("hex"));
        return outcome;
      },
    },
    { kind: "reply" },
  );
  stream = new FakeStream();
  session = make(Route.of(far));
}

const hex = (payload: Buffer): string => payload.toString("hex");

function make(
  _remote: Route,
  limits = { localQueueBytes: 100, stallTimeoutMs: 20, lingerTimeoutMs: 120_000 },
): Session {
  const made = new Session({
    router,
    limits,
    hearsFrom: "here",
    user: {
      bytesIn: () => {},
      bytesOut: () => {},
      ended: (how) => {
        end = how;
      },
      opening: (said) => said.kind === "pong",
    },
  });
  stream.user = made;
  made.attach(stream);
  return made;
}

const remote = Route.of(far);

function local(text: string): boolean {
  const at = maxPayloadHeadBytes;
  const buffer = Buffer.concat([Buffer.alloc(at), Buffer.from(text)]);
  const more = session.data(
    { memory: memoryOf(buffer), at, length: buffer.byteLength - at, roomBytes: at },
    undefined,
  );
  buffer.fill(0xee); // the stream reads over it
  return more;
}

function incoming(payloadHex: string, onward = Route.of(session.address)): Outcome {
  return router.send(Message.of({ onward, return: Route.of(far), payload: Buffer.from(payloadHex, "hex") }));
}

const payloadOf = (text: string): string =>
  `03${Buffer.byteLength(text).toString(16).padStart(2, "0")}${Buffer.from(text).toString("hex")}`;

test("the local program is not read before the session is open", () => {
  assert.equal(stream.resumed, 0);
  session.open(remote, true);
  assert.equal(stream.resumed, 1);
});

test("a ping that had to wait for room does not start the reading of the local program", () => {
  const gate = createTestGate();
  answer = () => gate;
  session.signal(ping, Route.of(far));
  answer = () => undefined;
  gate.open();
  assert.deepEqual([sent, stream.resumed], [[hex(ping)], 0]);
});

test("data goes both ways once it is open", () => {
  session.open(remote, true);
  assert.equal(local("hi"), true);
  assert.deepEqual(sent, [payloadOf("hi")]);
  assert.equal(incoming(payloadOf("yo")), undefined);
  assert.deepEqual(stream.written, ["yo"]);
});

test("what the route does not take is kept, the program is not read, and all goes on in order", () => {
  const gate = createTestGate();
  session.open(remote, true);
  answer = () => gate;
  assert.equal(local("one"), false);
  answer = () => undefined;
  assert.equal(local("two"), false, "of the same read: behind the one before it");
  session.ended(); // the program closed meanwhile
  assert.deepEqual(sent, []);
  gate.open();
  assert.deepEqual(sent, [payloadOf("one"), payloadOf("two"), "02"]);
  assert.equal(router.find(session.address), undefined);
});

test("a session is over only when its last word has left, or can't leave any more", () => {
  for (const outcome of [undefined, "not_connected"] as const) {
    const gate = createTestGate();
    session = make(remote);
    session.open(remote, true);
    end = undefined;
    answer = () => gate;
    session.ended();
    assert.equal(end, undefined);
    answer = () => outcome;
    gate.open();
    assert.equal(end, "local_ended");
    assert.equal(router.find(session.address), undefined);
  }
  assert.deepEqual(sent, ["02"]);
});

test("a gate that closes again is waited at again, and nothing is doubled", () => {
  const gate = createTestGate();
  session.open(remote, true);
  answer = () => gate;
  local("one");
  gate.open();
  assert.equal(gate.waiting, 1);
  answer = () => undefined;
  gate.open();
  assert.deepEqual(sent, [payloadOf("one")]);
  assert.equal(stream.resumed, 2);
});

test("the end of the local program is told to the other end, once", () => {
  session.open(remote, true);
  session.ended();
  session.ended();
  assert.deepEqual(sent, ["02"]);
  assert.equal(end, "local_ended");
  assert.equal(router.find(session.address), undefined);
});

test("a disconnect writes what there is and closes, and is not answered", () => {
  session.open(remote, true);
  incoming(payloadOf("last"));
  incoming("02");
  assert.deepEqual([stream.written, stream.end_, sent, end], [["last"], "end", [], "remote_ended"]);
});

/** A session that the far end has ended, with more queued than the program has taken. */
function lingering(): void {
  session.open(remote, true);
  incoming(payloadOf("last"));
  stream.queuedBytes = 4;
  incoming("02");
  assert.deepEqual([stream.end_, router.find(session.address)], ["end", undefined]);
}

test("a session whose program still takes what was queued is over only when that has left", () => {
  lingering();
  assert.equal(end, undefined);
  stream.queuedBytes = 0;
  session.closed(undefined);
  assert.deepEqual([end, stream.end_, sent], ["remote_ended", "end", []]);
});

test("a program that takes a little in every two minutes gets all, and is given up when it takes nothing", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const reset = t.mock.method(stream, "reset");
  lingering();
  const passSeconds = (seconds: number): void => {
    for (let left = seconds; left > 0; left -= 1) t.mock.timers.tick(1_000);
  };
  for (let times = 3; times > 0; times -= 1) {
    passSeconds(100);
    stream.progress += 1;
  }
  // Looks are half a minute apart.
  passSeconds(119);
  assert.deepEqual([end, reset.mock.callCount()], [undefined, 0]);
  passSeconds(31);
  assert.deepEqual([end, reset.mock.callCount()], ["stalled", 1]);
});

test("a session that lingers is given up at once when it is closed from outside", (t) => {
  const reset = t.mock.method(stream, "reset");
  lingering();
  session.close();
  assert.deepEqual([end, reset.mock.callCount(), sent], ["remote_ended", 1, []]);
});

test("a local program that does not read stops the connection, and is cut off after the limit", async () => {
  session.open(remote, true);
  stream.queuedBytes = 100;
  const gate = incoming(payloadOf("more"));
  assert.ok(typeof gate === "object");
  await new Promise<void>((resolve) => gate.wait({ gateOpened: resolve }));
  assert.deepEqual([end, stream.end_, sent], ["stalled", "reset", ["02"]]);
});

test("a program that reads again lets the connection go on", async () => {
  session.open(remote, true);
  stream.queuedBytes = 100;
  const gate = incoming(payloadOf("more"));
  assert.ok(typeof gate === "object");
  const opened = new Promise<void>((resolve) => gate.wait({ gateOpened: resolve }));
  stream.queuedBytes = 0;
  session.drained();
  await opened;
  assert.equal(incoming(payloadOf("more")), undefined);
  assert.deepEqual([stream.written, end], [["more"], undefined]);
});

test("where all sessions together keep too much, one takes data only when nothing waits for its program", async () => {
  session.open(remote, true);
  const others = 256 * 1024 * 1024;
  localQueues.changed(others);
  try {
    assert.equal(incoming(payloadOf("one")), undefined);
    stream.queuedBytes = 1;
    const gate = incoming(payloadOf("two"));
    assert.ok(typeof gate === "object");
    const opened = new Promise<void>((resolve) => gate.wait({ gateOpened: resolve }));
    session.drained();
    assert.ok(typeof incoming(payloadOf("two")) === "object", "it still waits");
    stream.queuedBytes = 0;
    session.drained();
    await opened;
    assert.equal(incoming(payloadOf("two")), undefined);
  } finally {
    localQueues.changed(-others);
  }
  stream.queuedBytes = 1;
  assert.equal(incoming(payloadOf("three")), undefined);
  assert.deepEqual([stream.written, end], [["one", "two", "three"], undefined]);
});

test("counters are checked when they come: first 0, then one more each, and 0 after 65535", () => {
  session.open(remote, true);
  assert.equal(incoming(`${payloadOf("a")}010000`), undefined);
  assert.equal(incoming(`${payloadOf("b")}010100`), undefined);
  assert.equal(incoming(payloadOf("c")), undefined);
  assert.equal(incoming(`${payloadOf("d")}010300`), "unexpected");
  assert.deepEqual([stream.written, end, sent], [["a", "b", "c"], "protocol", ["02"]]);
});

test("messages that do not belong to the state are dropped and change nothing", () => {
  assert.equal(incoming(payloadOf("early")), "unexpected");
  session.open(remote, true);
  assert.equal(incoming("09"), "malformed_payload");
  assert.equal(incoming(payloadOf("x"), Route.of(session.address, far)), "unexpected");
  assert.deepEqual([stream.written, end], [[], undefined]);
});

test("a route that can't be taken ends the session with a reset", () => {
  session.open(remote, true);
  answer = () => "not_connected";
  assert.equal(local("lost"), false);
  assert.deepEqual([end, stream.end_], ["route_failed", "reset"]);
  assert.equal(router.find(session.address), undefined);
});

test("it hears from the connection alone that its ping left on", () => {
  const there = new Router({ policy: defaultAccessPolicy, log: silentLog });
  const by = "node_listener";
  const ends = [
    connect({ router, by }, { router: there, by }).dialer,
    connect({ router, by }, { router: there, by }).dialer,
  ] as const;
  session.signal(ping, Route.of(ends[0].address, far));
  const receive = (from: TestEnd): Outcome =>
    router.receive(
      Message.of({
        onward: Route.of(session.address),
        return: Route.of(from.address),
        payload: pong,
        entrance: from,
      }),
      from,
    );
  assert.equal(receive(ends[1]), "not_the_bound_connection");
  assert.equal(receive(ends[0]), undefined);
});

test("a disconnect before the pong ends an opening session with a reset", () => {
  incoming(disconnect.toString("hex"));
  assert.deepEqual([end, stream.end_], ["remote_ended", "reset"]);
});

test("a ping in an open session is answered, so that the other end knows of us", () => {
  session.open(remote, true);
  assert.equal(incoming("00"), undefined);
  assert.deepEqual(sent, [hex(pong)]);
});

test("a far end that is silent at three looks ends the session with a reset, also one that was young", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  for (const heard of [false, true]) {
    setUp();
    session.open(remote, true);
    t.mock.timers.tick(2_000);
    if (heard) {
      assert.equal(incoming("01"), undefined);
      t.mock.timers.tick(8_000);
    }
    assert.deepEqual(sent, []);
    for (let look = 0; look < 2; look += 1) t.mock.timers.tick(8_000);
    assert.deepEqual([sent, end], [[hex(ping), hex(ping)], undefined]);
    t.mock.timers.tick(8_000);
    assert.deepEqual([end, stream.end_], ["silent", "reset"]);
  }
});

test("a far end that does not say that it answers, as Ockam's, is not asked, and the session stays", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  session.open(remote, false);
  t.mock.timers.tick(2_000);
  for (let look = 0; look < 20; look += 1) t.mock.timers.tick(8_000);
  assert.deepEqual([sent, end], [[], undefined]);
});

test("data counts as an answer, and while data is sent the far end has longer", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  session.open(remote, true);
  t.mock.timers.tick(2_000);
  incoming("01");
  t.mock.timers.tick(8_000);
  for (let look = 0; look < 4; look += 1) {
    assert.equal(local("on"), true);
    t.mock.timers.tick(8_000);
  }
  assert.equal(end, undefined);
  incoming(payloadOf("there"));
  for (let look = 0; look < 3; look += 1) t.mock.timers.tick(8_000);
  assert.equal(end, undefined);
  t.mock.timers.tick(8_000);
  assert.equal(end, "silent");
});

/** A session whose far end was heard once over a connection. */
function openOver(
  arrival: Partial<Arrival>,
  there = new Router({ policy: defaultAccessPolicy, log: silentLog }),
): void {
  const by = "node_listener";
  const { dialer } = connect({ router, by }, { router: there, by });
  Object.defineProperties(dialer, Object.getOwnPropertyDescriptors(arrival));
  session.signal(ping, Route.of(dialer.address, far));
  session.open(Route.of(dialer.address, far), true);
  const received = { onward: Route.of(session.address), return: Route.of(far), payload: pong };
  assert.equal(router.receive(Message.of({ ...received, entrance: dialer }), dialer), undefined);
}

test("a far end is not silent while what it says stands in front of us", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  let isBlocked = true;
  openOver({
    get isBlocked() {
      return isBlocked;
    },
  });
  t.mock.timers.tick(2_000);
  for (let look = 0; look < 30; look += 1) t.mock.timers.tick(8_000);
  assert.equal(end, undefined);
  isBlocked = false;
  for (let look = 0; look < 3; look += 1) t.mock.timers.tick(8_000);
  assert.equal(end, undefined);
  t.mock.timers.tick(8_000);
  assert.equal(end, "silent");
});

for (const [bytes, looks, what] of [
  [64 * 1024, 15, "much else, has two minutes"],
  [64 * 1024 - 1, 3, "little else, has no longer"],
] as const) {
  test(`a far end whose answer may stand behind ${what}`, (t) => {
    t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
    let receivedBytes = 0;
    openOver({
      get traffic() {
        receivedBytes += bytes;
        return { receivedMessages: 0, receivedBytes };
      },
    });
    t.mock.timers.tick(2_000);
    for (let look = 0; look < looks; look += 1) t.mock.timers.tick(8_000);
    assert.equal(end, undefined);
    t.mock.timers.tick(8_000);
    assert.equal(end, "silent");
  });
}

test("a far end whose neighbour's echo answers through much else does not stand behind that", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  let receivedBytes = 0;
  const traffic = {
    get traffic() {
      receivedBytes += 64 * 1024;
      return { receivedMessages: 0, receivedBytes };
    },
  };
  openOver(traffic, createTestNode());
  t.mock.timers.tick(2_000);
  for (let look = 0; look < 3; look += 1) t.mock.timers.tick(8_000);
  await setImmediate();
  assert.equal(end, undefined);
  t.mock.timers.tick(8_000);
  assert.equal(end, "silent");
});

test("the end of the connection that it hears from ends it with a reset", () => {
  const there = new Router({ policy: defaultAccessPolicy, log: silentLog });
  const by = "node_listener";
  const { dialer } = connect({ router, by }, { router: there, by });
  session.signal(ping, Route.of(dialer.address, far));
  session.open(remote, true);
  dialer.lose();
  assert.deepEqual([end, stream.end_], ["route_failed", "reset"]);
  assert.equal(router.find(session.address), undefined);
});

test("a pong that comes after its session was given up is answered with a disconnect, once", () => {
  session.signal(ping, Route.of(far));
  session.close();
  assert.deepEqual(sent, [hex(ping)]);
  assert.equal(incoming("01"), undefined);
  assert.deepEqual(sent, [hex(ping), hex(disconnect)]);
  assert.equal(router.find(session.address), undefined);
});
