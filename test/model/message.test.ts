import assert from "node:assert/strict";
import { test } from "node:test";
import { Address } from "../../src/model/address.js";
import { Cargo, Message } from "../../src/model/message.js";
import { Route } from "../../src/model/route.js";

const message = Message.of({
  onward: Route.parse("hop => echo"),
  return: Route.parse("app"),
  payload: Buffer.from("hello"),
  trace: Buffer.from("{}"),
  backing: { hold() {}, release() {} },
  entrance: { address: Address.local("connection") },
  exit: { leftOn() {} },
});

test("a hop uses up the first onward address and leaves where an answer arrives", () => {
  const hopped = message.hop(Address.local("hop"));
  assert.equal(hopped.onward.toString(), "0#echo");
  assert.equal(hopped.return.toString(), "0#hop => 0#app");
  assert.equal(message.onward.toString(), "0#hop => 0#echo");
  assert.equal(message.return.toString(), "0#app");
});

test("a message on another route is the same in everything else, and its payload is not copied", () => {
  const { onward, return: back, ...rest } = message;
  const other = message.withRoutes(Route.parse("x"), Route.parse("y"));
  assert.equal(other.onward.toString(), "0#x");
  assert.equal(other.return.toString(), "0#y");
  const { onward: _onward, return: _back, ...otherRest } = other;
  assert.deepEqual(Object.keys(otherRest), Object.keys(rest));
  for (const field of ["cargo", "payload", "trace", "backing", "entrance", "exit"] as const) {
    assert.equal(other[field], message[field], field);
  }
  assert.equal(other.payload.buffer, message.payload.buffer);
  assert.ok(onward !== other.onward && back !== other.return);
});

test("a payload that lies in a larger buffer stays there, with what is free in front of it, on every route", () => {
  const memory = Buffer.from("....headroom hello....");
  const route = Route.parse("a");
  const placed = new Message(
    new Cargo(memory, 13, 18, 9, undefined, undefined, undefined, undefined, undefined),
    route,
    route,
  );
  const hopped = placed.hop(Address.local("hop"));
  const afterUse = [placed.payload, placed.hop(Address.local("hop"))] as const;
  for (const each of [placed, hopped, afterUse[1], hopped.withRoutes(route, route)]) {
    const { cargo, headRoomBytes, payloadBytes, payload } = each;
    assert.equal(cargo, placed.cargo);
    assert.deepEqual([headRoomBytes, payloadBytes], [9, 5]);
    assert.equal(payload.toString(), "hello");
    assert.equal(payload.buffer, memory.buffer);
    assert.equal(each.payload, payload, "one view");
  }
});

test("a payload of its own has no room in front of it", () => {
  const slice = Buffer.from("no hello").subarray(3);
  const { cargo, headRoomBytes, payloadBytes } = Message.of({
    onward: Route.empty,
    return: Route.empty,
    payload: slice,
  });
  assert.deepEqual([cargo.memory, cargo.payloadStart, headRoomBytes, payloadBytes], [slice, 0, 0, 5]);
});

test("a message that is kept shares no bytes with the buffers it came in, and has no backing", () => {
  const memory = Buffer.from("....headroom hello....");
  const route = Route.parse("a => b");
  const lying = new Message(
    new Cargo(
      memory,
      13,
      18,
      9,
      Buffer.from("{}"),
      message.backing,
      message.entrance,
      message.exit,
      undefined,
    ),
    route,
    route.rest(),
  );
  const kept = lying.keep();
  memory.fill(0);
  assert.equal(kept.payload.toString(), "hello");
  assert.equal(kept.trace?.toString(), "{}");
  assert.notEqual(kept.trace, lying.trace);
  assert.deepEqual([kept.onward.toString(), kept.return.toString()], ["0#a => 0#b", "0#b"]);
  assert.deepEqual(
    [kept.entrance, kept.exit, kept.backing, kept.headRoomBytes],
    [message.entrance, message.exit, undefined, 0],
  );
});
