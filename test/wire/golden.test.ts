import assert from "node:assert/strict";
import { test } from "node:test";
import { Address } from "../../src/model/address.js";
import { Message } from "../../src/model/message.js";
import { Route } from "../../src/model/route.js";
import { decodeMessage } from "../../src/wire/decode.js";
import { encodeMessage, frameBytes, headBytes, tailBytes } from "../../src/wire/encode.js";
import { protocolVersion } from "../../src/wire/limits.js";
import { liveSessions } from "./live-vectors.js";
import { goldenFrames } from "./vectors.js";

for (const { name, frame, onward, return: back, payload, trace } of goldenFrames) {
  test(`${name} is read from its bytes`, () => {
    const message = decodeMessage(frame, 4, frame.byteLength);
    assert.deepEqual(message.onward.addresses().map(String), onward);
    assert.deepEqual(message.return.addresses().map(String), back);
    assert.equal(message.payload.toString("hex"), payload);
    assert.equal(message.trace?.toString(), trace);
  });

  test(`${name} is written as its bytes`, () => {
    const message = Message.of({
      onward: Route.parse(onward.join(" => ")),
      return: Route.parse(back.join(" => ")),
      payload: Buffer.from(payload, "hex"),
      trace: trace === undefined ? undefined : Buffer.from(trace),
    });
    assert.equal(encodeMessage(message).toString("hex"), frame.toString("hex"));
    assert.equal(frameBytes(message), frame.byteLength);
    assert.equal(headBytes(message) + message.payload.byteLength + tailBytes(message), frame.byteLength);
  });

  test(`${name} is the same bytes again after it was read`, () => {
    const message = decodeMessage(frame, 4, frame.byteLength);
    assert.equal(encodeMessage(message).toString("hex"), frame.toString("hex"));
  });
}

test("every frame recorded between live Ockam nodes is read as it was recorded and written as it was sent", () => {
  let frames = 0;
  for (const { name, frames: recorded } of liveSessions) {
    for (const [at, { version, bodyHex, decoded }] of recorded.entries()) {
      const where = `${name}, frame ${at}`;
      if (version !== undefined) {
        assert.equal(Number.parseInt(version, 16), protocolVersion, where);
        continue;
      }
      assert.ok(bodyHex !== undefined && decoded !== undefined, where);
      frames += 1;
      const body = Buffer.from(bodyHex, "hex");
      const message = decodeMessage(body, 0, body.byteLength);
      const addressesOf = (route: Route) =>
        route.addresses().map(({ type, text }) => ({ type, value: text }));
      assert.deepEqual(addressesOf(message.onward), decoded.onwardRoute, where);
      assert.deepEqual(addressesOf(message.return), decoded.returnRoute, where);
      assert.equal(message.payload.toString("hex"), decoded.payloadHex, where);
      assert.equal(message.trace?.toString(), decoded.tracing, where);

      const routeOf = (given: typeof decoded.onwardRoute) =>
        Route.of(...given.map(({ type, value }) => new Address(type, Buffer.from(value))));
      const made = Message.of({
        onward: routeOf(decoded.onwardRoute),
        return: routeOf(decoded.returnRoute),
        payload: Buffer.from(decoded.payloadHex, "hex"),
        trace: Buffer.from(decoded.tracing),
      });
      const length = Buffer.alloc(4);
      length.writeUInt32BE(body.byteLength);
      const sent = length.toString("hex") + bodyHex;
      assert.equal(encodeMessage(message).toString("hex"), sent, where);
      assert.equal(encodeMessage(made).toString("hex"), sent, where);
    }
  }
  assert.equal(liveSessions.length, 6);
  assert.equal(frames, 30);
});
