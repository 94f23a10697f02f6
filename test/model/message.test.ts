import assert from "node:assert/strict";
import { test } from "node:test";
import { Address } from "../../src/model/address.js";
import { Message } from "../../src/model/message.js";
import { Route } from "../../src/model/route.js";

const message = new Message({
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
  for (const field of [
    "memory",
    "payloadStart",
    "payloadEnd",
    "trace",
    "backing",
    "entrance",
    "exit",
  ] as const) {
    assert.equal(other[field], message[field], field);
  }
  assert.equal(other.payload.buffer, message.payload.buffer);
  assert.ok(onward !== other.onward && back !== other.return);
});
