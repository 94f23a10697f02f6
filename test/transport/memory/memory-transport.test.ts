import assert from "node:assert/strict";
import { test } from "node:test";
import { Message } from "../../../src/model/message.js";
import { Route } from "../../../src/model/route.js";
import { createMemoryNetwork, MemoryTransport } from "../../../src/transport/memory/memory-transport.js";
import { CollectingUser } from "../../suites/collecting-user.js";
import { transportSuite } from "../../suites/transport-suite.js";
import { FakeClock } from "../../support/fake-clock.js";

const bind = { host: "memory", port: 0 };
const hello = Message.of({
  onward: Route.parse("worker"),
  return: Route.parse("back"),
  payload: Buffer.from("hello"),
});

transportSuite("memory transport", (limits) => {
  const network = createMemoryNetwork();
  return {
    dialing: new MemoryTransport(network, limits),
    listening: new MemoryTransport(network, limits),
    bind,
  };
});

test("dials and messages take as long as the delay says, by the clock that is given", async () => {
  const clock = new FakeClock();
  const transport = new MemoryTransport(createMemoryNetwork(), { delayMs: 50, clock });
  const [here, there] = [new CollectingUser(), new CollectingUser()];
  const listener = await transport.listen(bind, () => there);
  const dial = transport.dial(listener.bound, () => here);
  await clock.advance(49);
  assert.deepEqual(listener.counts.openConnections, 0);
  await clock.advance(1);
  const connection = await dial;
  connection.send(hello);
  await clock.advance(20);
  connection.send(hello);
  await clock.advance(29);
  assert.equal(there.count, 0);
  await clock.advance(1);
  assert.equal(there.count, 1);
  await clock.advance(19);
  assert.equal(there.count, 1);
  await clock.advance(1);
  assert.equal(there.count, 2);
  transport.close();
  assert.equal(clock.pending, 0);
});

test("a close comes after the messages that are under way", async () => {
  const clock = new FakeClock();
  const transport = new MemoryTransport(createMemoryNetwork(), { delayMs: 50, clock });
  const [here, there] = [new CollectingUser(), new CollectingUser()];
  const listener = await transport.listen(bind, () => there);
  const dial = transport.dial(listener.bound, () => here);
  await clock.advance(50);
  const connection = await dial;
  connection.send(hello);
  connection.close();
  assert.equal(here.ended, "closed_here");
  await clock.advance(49);
  assert.equal(there.ended, undefined);
  await clock.advance(1);
  assert.equal(there.ended, "closed_by_peer");
  assert.equal(there.count, 1);
});

test("what a user keeps without a hold is overwritten, as a socket's buffer would be", async () => {
  const transport = new MemoryTransport(createMemoryNetwork());
  const there = new CollectingUser();
  const kept: Buffer[] = [];
  there.answer = ({ payload }) => void kept.push(payload);
  const listener = await transport.listen(bind, () => there);
  const connection = await transport.dial(listener.bound, () => new CollectingUser());
  connection.send(hello);
  await there.has(1);
  await new Promise(setImmediate);
  assert.notEqual(kept[0]!.toString(), "hello");
  transport.close();
});

test("networks can't reach each other", async () => {
  const [one, other] = [
    new MemoryTransport(createMemoryNetwork()),
    new MemoryTransport(createMemoryNetwork()),
  ];
  const listener = await one.listen(bind, () => new CollectingUser());
  await assert.rejects(
    other.dial(listener.bound, () => new CollectingUser()),
    {
      code: "connect_failed",
      message: `can't connect to memory:${listener.bound.port}: nothing listens there`,
    },
  );
});
