import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { memoryOf } from "../../src/base/bytes.js";
import { PortwayError } from "../../src/base/errors.js";
import {
  decodePortalMessage,
  disconnect,
  maxDataBytes,
  maxPayloadHeadBytes,
  payloadInPlace,
  ping,
  pong,
  saysThatItAnswers,
} from "../../src/portal/portal-message.js";

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(" ", ""), "hex");

function encodeData(data: Buffer): Buffer {
  const at = maxPayloadHeadBytes;
  const memory = memoryOf(Buffer.concat([Buffer.alloc(at), data]));
  return payloadInPlace(memory, at, data.byteLength, at, undefined).payload;
}

test("a ping and a pong say that we answer pings, a disconnect nothing", () => {
  assert.deepEqual([ping, pong, disconnect], [hex("00 01"), hex("01 01"), hex("02")]);
  const saying = ["00 01", "01 01", "01 03", "00 ff aabb"];
  const silent = ["00", "01", "00 00", "01 02", "00 fe 01"];
  assert.deepEqual(
    saying.map((text) => saysThatItAnswers(hex(text))),
    saying.map(() => true),
  );
  assert.deepEqual(
    silent.map((text) => saysThatItAnswers(hex(text))),
    silent.map(() => false),
  );
});

test("the payload of the example session is 03 02 6869", () => {
  assert.deepEqual(encodeData(Buffer.from("hi")), hex("03 02 6869"));
});

test("bytes behind a signal are kept for extensions", () => {
  assert.deepEqual(decodePortalMessage(hex("00 aabb")), { kind: "ping", rest: hex("aabb") });
  assert.deepEqual(decodePortalMessage(hex("01 01")), { kind: "pong", rest: hex("01") });
  assert.deepEqual(decodePortalMessage(hex("02")), { kind: "disconnect", rest: hex("") });
});

test("a counter counts only as 01 and two bytes, with nothing asked of what follows", () => {
  const counters: [string, number | undefined][] = [
    ["03 02 6869 01 3412", 0x1234],
    ["03 02 6869 01 3412 ff", 0x1234],
    ["03 02 6869", undefined],
    ["03 02 6869 00", undefined],
    ["03 02 6869 01 34", undefined],
    ["03 02 6869 00 3412", undefined],
    ["03 00 01 0000", 0],
  ];
  for (const [bytes, counter] of counters) {
    const said = decodePortalMessage(hex(bytes));
    assert.equal(said.kind, "payload");
    assert.equal(said.kind === "payload" && said.counter, counter, bytes);
  }
});

test("no bytes, an unknown first byte, and a length beyond the end are malformed", () => {
  for (const bytes of ["", "04", "ff 00", "03", "03 80", "03 05 6869", "03 ffffffffffffffffffff01"]) {
    assert.throws(() => decodePortalMessage(hex(bytes)), { code: "malformed" }, bytes);
  }
});

test("data of every length comes out as it went in, from where it lies", () => {
  for (const length of [0, 1, 127, 128, 16_383, 16_384, maxDataBytes]) {
    const data = Buffer.alloc(length, 7);
    const said = decodePortalMessage(encodeData(data));
    assert.deepEqual(said, { kind: "payload", data, counter: undefined }, `length ${length}`);
  }
});

test("any bytes are a portal message or malformed", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      try {
        decodePortalMessage(Buffer.from(bytes));
      } catch (error) {
        assert.ok(error instanceof PortwayError && error.code === "malformed", String(error));
      }
    }),
    { numRuns: 2_000 },
  );
});
