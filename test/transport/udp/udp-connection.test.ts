import assert from "node:assert/strict";
import { test } from "node:test";
import { type Backing, Message } from "../../../src/model/message.js";
import { Route } from "../../../src/model/route.js";
import { AssemblyBudget } from "../../../src/transport/udp/assembly-budget.js";
import { UdpConnection } from "../../../src/transport/udp/udp-connection.js";
import { resolveUdpOptions } from "../../../src/transport/udp/udp-options.js";
import { decodeDatagram, splitMessage } from "../../../src/wire/datagram.js";
import { encodeMessage } from "../../../src/wire/encode.js";
import { lengthBytes } from "../../../src/wire/limits.js";
import { CollectingUser, closedGate } from "../../suites/collecting-user.js";

const budgetBytes = 1024 * 1024;

/** A connection that a test gives datagrams to, and the memory that it has. */
function bench() {
  const user = new CollectingUser();
  const budget = new AssemblyBudget(budgetBytes);
  const connection = new UdpConnection({
    limits: resolveUdpOptions(),
    budget,
    peer: { host: "192.0.2.1", port: 4000 },
    local: { host: "192.0.2.2", port: 4000 },
    firstNumber: 0,
    isProven: true,
    send: (_datagram, done) => done(null),
    attach: () => user,
    endsFor: () => false,
    gone: () => {},
  });
  let number = 0;
  const arrive = (): void => {
    const payload = Buffer.alloc(3_000, number);
    const fields = { onward: Route.parse("worker"), return: Route.empty, payload };
    for (const datagram of splitMessage(encodeMessage(Message.of(fields)).subarray(lengthBytes), number)) {
      connection.received(datagram, decodeDatagram(datagram));
    }
    number += 1;
  };
  return { user, budget, connection, arrive };
}

test("a message that waited and is held by a user who closes is paid for until it is let go", () => {
  const { user, budget, connection, arrive } = bench();
  const gate = closedGate();
  user.answer = () => gate;
  arrive();
  arrive();
  const bothLeft = budget.leftBytes;
  let held: Backing | undefined;
  user.answer = (message) => {
    held = message.backing;
    held!.hold();
    connection.close();
    return undefined;
  };
  gate.open();
  assert.equal(user.count, 1);
  assert.equal(budget.leftBytes, (bothLeft + budgetBytes) / 2);
  assert.deepEqual(connection.lost, { notTaken: 1 });
  assert.equal(connection.traffic.receivedMessages, 1);
  held!.release();
  assert.equal(budget.leftBytes, budgetBytes);
});

test("messages that wait come in their order, each once, however often one is not taken", () => {
  const { user, budget, connection, arrive } = bench();
  const gate = closedGate();
  let offers = 0;
  user.answer = () => (offers++ % 3 < 2 ? gate : undefined);
  for (let at = 0; at < 3; at += 1) arrive();
  while (gate.waiting > 0) gate.open();
  assert.deepEqual(
    user.messages.map(({ payload }) => payload[0]),
    [0, 1, 2],
  );
  assert.equal(offers, 9);
  assert.equal(budget.leftBytes, budgetBytes);
  assert.deepEqual(connection.lost, {});
});
