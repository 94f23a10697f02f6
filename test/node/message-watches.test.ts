import assert from "node:assert/strict";
import { test } from "node:test";
import { Address } from "../../src/model/address.js";
import { Message } from "../../src/model/message.js";
import { Route } from "../../src/model/route.js";
import { ConnectionWorker } from "../../src/node/connection-worker.js";
import type { MessageEvent, MessageWatch, WatchMessages } from "../../src/node/engine.js";
import { MessageWatches, maxMessageWatches } from "../../src/node/message-watches.js";
import type { Router } from "../../src/routing/router.js";
import { createHop } from "../../src/services/hop.js";
import { FakeClock, settled } from "../support/fake-clock.js";
import { liveBufferBytes } from "../support/live-buffers.js";
import { connect, createTestGate, createTestNode, type TestConnection } from "../support/router-pair.js";

const all: WatchMessages = { node: "n1", address: "", onwardPrefix: "", kinds: [], maxPayloadBytes: 0 };

interface Fixture {
  readonly router: Router;
  readonly watches: MessageWatches;
  readonly connection: TestConnection;
  watch(spec?: Partial<WatchMessages>, woken?: () => void): MessageWatch;
  /** A message from the other node. */
  arrive(onward: string, payload?: string): void;
}

function fixture(): Fixture {
  const router = createTestNode();
  const hop = Address.local("hop");
  router.register(hop, createHop(router, hop), { kind: "service", service: "hop" });
  const watches = new MessageWatches({ node: "n1", router, clock: new FakeClock() });
  const connection = connect(
    { router: createTestNode(), by: "route_connection" },
    { router, by: "node_listener" },
  );
  return {
    router,
    watches,
    connection,
    watch: (spec = {}, woken = () => {}) => watches.open({ ...all, ...spec }, woken),
    arrive(onward, payload = "x") {
      connection.dialer.handle(
        Message.of({
          onward: Route.parse(onward).prepend(connection.dialer.address),
          return: Route.parse("me"),
          payload: Buffer.from(payload),
        }),
      );
    },
  };
}

function eventsOf(watch: MessageWatch): MessageEvent[] {
  const events: MessageEvent[] = [];
  for (let event = watch.take(); event !== undefined; event = watch.take()) events.push(event);
  return events;
}

function told({ kind, onward, workerKind, dropReason }: MessageEvent): string {
  return [kind, onward, workerKind ?? "-", dropReason].join(" | ").trim();
}

test("the events of a message tell what became of it, in the order in which workers were done with it", async () => {
  const { watch, arrive, connection } = fixture();
  let woken = 0;
  const watching = watch({}, () => {
    woken += 1;
  });
  arrive("hop => echo");
  await settled();
  const back = connection.listener.address;
  assert.deepEqual(eventsOf(watching).map(told), [
    "received | 0#hop => 0#echo | service |",
    `forwarded | ${back} => 0#me | connection |`,
    `delivered | 0#hop => ${back} => 0#me | service |`,
    "delivered | 0#echo | service |",
    "delivered | 0#hop => 0#echo | service |",
  ]);
  assert.equal(woken, 5);

  arrive("nobody");
  await settled();
  const [received, dropped] = eventsOf(watching);
  assert.equal(told(received!), "received | 0#nobody | - |");
  assert.equal(told(dropped!), "dropped | 0#nobody | - | no_such_worker");
  assert.equal(dropped?.address, "nobody");
  assert.equal(dropped?.entrance, back.text);
  assert.equal(dropped?.return, `${back} => 0#me`);
});

test("a watcher sees the addresses, routes and kinds that it asked for, and as much of a payload", async () => {
  const { watch, router } = fixture();
  const payload = Buffer.from("hello");
  const watchers = {
    address: watch({ address: "echo" }),
    prefix: watch({ onwardPrefix: "/service/hop/service/echo" }),
    text: watch({ onwardPrefix: "hop", maxPayloadBytes: 3, kinds: ["delivered"] }),
    dropped: watch({ kinds: ["dropped"], maxPayloadBytes: 100 }),
  };
  const sink = Address.local("sink");
  router.register(sink, { handle: () => undefined }, { kind: "service" });
  for (const onward of ["hop => sink", "hop => echo", "sink", "nobody"]) {
    router.send(Message.of({ onward: Route.parse(onward), return: Route.of(sink), payload }));
  }
  payload.fill(0);
  const seen = (watching: MessageWatch): string[] => eventsOf(watching).map(told);
  assert.deepEqual(seen(watchers.address), ["delivered | 0#echo | service |"]);
  assert.deepEqual(seen(watchers.prefix), ["delivered | 0#hop => 0#echo | service |"]);
  const texts = eventsOf(watchers.text);
  assert.deepEqual(
    texts.map(({ onward }) => onward),
    ["0#hop => 0#sink", "0#hop => 0#sink", "0#hop => 0#echo"],
  );
  assert.deepEqual(
    texts.map((event) => [Buffer.from(event.payload).toString(), event.payloadBytes, event.entrance]),
    new Array(3).fill(["hel", 5, ""]),
  );
  const [dropped] = eventsOf(watchers.dropped);
  assert.equal(Buffer.from(dropped!.payload).toString(), "hello");
});

test("a watcher that takes nothing misses events, is told how many, and holds nobody up", () => {
  const { watch, router } = fixture();
  const [slow, quick] = [watch({ kinds: ["dropped"] }), watch({ kinds: ["dropped"] })];
  const send = (): void => {
    router.send(Message.of({ onward: Route.parse("nobody"), return: Route.empty, payload: Buffer.alloc(0) }));
  };
  for (let at = 0; at < 1030; at += 1) {
    send();
    assert.equal(quick.take()?.skipped, 0);
  }
  assert.equal(slow.take()?.skipped, 0);
  send();
  const rest = eventsOf(slow);
  assert.equal(rest.length, 1024);
  assert.deepEqual(
    rest.filter(({ skipped }) => skipped > 0).map(({ skipped }) => skipped),
    [6],
  );
  assert.equal(rest.at(-1)?.skipped, 6);
});

test("what waits for a watcher is bounded in bytes too", () => {
  const { watch, router } = fixture();
  const watching = watch({ maxPayloadBytes: 65536 });
  const payload = Buffer.alloc(65536);
  for (let at = 0; at < 100; at += 1) {
    router.send(Message.of({ onward: Route.parse("nobody"), return: Route.empty, payload }));
  }
  const count = eventsOf(watching).length;
  assert.ok(count > 0 && count <= 64, `${count}`);
});

test("a message that has to wait for a full queue is received once", async () => {
  const { router, watch, arrive } = fixture();
  const other = connect(
    { router, by: "created_connection" },
    { router: createTestNode(), by: "node_listener" },
  );
  const watching = watch();
  other.dialer.isFull = true;
  router.register(
    Address.local("on"),
    { handle: (message) => router.send(message.withRoutes(Route.of(other.dialer.address), Route.empty)) },
    { kind: "relay" },
  );
  arrive("on");
  await settled();
  other.dialer.isFull = false;
  await settled();
  arrive("on");
  await settled();
  assert.deepEqual(
    eventsOf(watching).map(({ kind }) => kind),
    ["received", "forwarded", "delivered", "received", "forwarded", "delivered"],
  );
});

test("a message of a new link is received, whatever the last one held back", () => {
  const { router, watch } = fixture();
  const watching = watch({ kinds: ["received"], maxPayloadBytes: 1 });
  const worker = new ConnectionWorker({
    router,
    by: "relay_connection",
    isReliable: true,
    lost: () => {},
  });
  const full = Address.local("full");
  router.register(full, { handle: () => createTestGate() }, { kind: "program" });
  const come = (payload: string): void => {
    const shape = { onward: Route.of(full), return: Route.empty, entrance: worker };
    worker.received(Message.of({ ...shape, payload: Buffer.from(payload) }));
  };
  for (const payload of ["a", "a"]) come(payload);
  worker.closed("connection_failed", undefined);
  for (const payload of ["b", "b"]) come(payload);
  assert.deepEqual(
    eventsOf(watching).map(({ payload }) => Buffer.from(payload).toString()),
    ["a", "b"],
  );
});

test("the router has a tap only while somebody watches", () => {
  const { watch, router, watches } = fixture();
  assert.equal(router.tap, undefined);
  const [one, other] = [watch(), watch()];
  assert.notEqual(router.tap, undefined);
  one[Symbol.dispose]();
  assert.notEqual(router.tap, undefined);
  other[Symbol.dispose]();
  assert.equal(router.tap, undefined);
  for (let at = 0; at < maxMessageWatches; at += 1) watch();
  assert.throws(() => watch(), { code: "too_many" });
  watches[Symbol.dispose]();
  assert.equal(router.tap, undefined);
});

test("a watch ends with its node, after what was seen before", () => {
  const { watch, router, watches } = fixture();
  const watching = watch();
  router.send(Message.of({ onward: Route.parse("nobody"), return: Route.empty, payload: Buffer.alloc(0) }));
  watches[Symbol.dispose]();
  assert.equal(watching.take()?.kind, "dropped");
  assert.throws(() => watching.take(), { code: "stopped" });
});

test("a watch for what can't be an address or a local route is refused, and leaves no tap", () => {
  const { watch, router } = fixture();
  assert.throws(() => watch({ address: "a#b#c" }), { code: "bad_address" });
  assert.throws(() => watch({ onwardPrefix: "/ip4/127.0.0.1/tcp/1" }), { code: "bad_route" });
  assert.equal(router.tap, undefined);
});

test("what a watcher has taken is not kept while more waits for it", async () => {
  const { watch, router } = fixture();
  const payloadBytes = 64 * 1024;
  const message = Message.of({
    onward: Route.parse("nobody"),
    return: Route.parse("me"),
    payload: Buffer.alloc(payloadBytes),
  });
  const watching = watch({ maxPayloadBytes: payloadBytes });
  const before = await liveBufferBytes();
  for (let number = 0; number < 8; number += 1) router.send(message);
  for (let number = 0; number < 500; number += 1) {
    assert.ok(watching.take() !== undefined);
    router.send(message);
  }
  const kept = (await liveBufferBytes()) - before;
  assert.ok(kept < 16 * payloadBytes, `${kept} bytes are kept`);
  assert.equal(eventsOf(watching).length, 8);
});
