import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { PortwayError } from "../../src/base/errors.js";
import { decodeBareBytes, encodeBareBytes } from "../../src/model/bare.js";

test("a byte string is its LEB128 length and its bytes", () => {
  assert.equal(encodeBareBytes(Buffer.from("hello")).toString("hex"), "0568656c6c6f");
  assert.equal(encodeBareBytes(Buffer.alloc(0)).toString("hex"), "00");
  assert.equal(encodeBareBytes(Buffer.alloc(127)).subarray(0, 2).toString("hex"), "7f00");
  assert.equal(encodeBareBytes(Buffer.alloc(128)).subarray(0, 3).toString("hex"), "800100");
  assert.equal(encodeBareBytes(Buffer.alloc(300)).subarray(0, 3).toString("hex"), "ac0200");
});

test("decoding gives back what was encoded and ignores what follows", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.uint8Array({ maxLength: 20 }), (value, after) => {
      const encoded = Buffer.concat([encodeBareBytes(value), after]);
      assert.deepEqual(Buffer.from(decodeBareBytes(encoded)), Buffer.from(value));
    }),
  );
});

test("a length may have zeros at its end, up to 10 bytes with 01 as the tenth", () => {
  assert.equal(Buffer.from(decodeBareBytes(Buffer.from("818000ff", "hex"))).toString("hex"), "ff");
  // 2^63: well-formed, and more than there is
  assert.throws(() => decodeBareBytes(Buffer.from(`${"80".repeat(9)}01`, "hex")), /follow/);
});

test("a tenth byte other than 01, or an eleventh, is refused", () => {
  for (const tenth of ["00", "02", "7f", "81", "ff"]) {
    const encoded = Buffer.from(`${"80".repeat(9)}${tenth}${"00".repeat(8)}`, "hex");
    assert.throws(() => decodeBareBytes(encoded), /64 bits/, tenth);
  }
});

test("any bytes give a part of themselves or a malformed error", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      try {
        const value = decodeBareBytes(bytes);
        assert.ok(value.byteLength < bytes.byteLength);
        assert.equal(value.buffer, bytes.buffer);
      } catch (error) {
        assert.ok(error instanceof PortwayError);
        assert.equal(error.code, "malformed");
      }
    }),
  );
});

test("a cut anywhere in a byte string is malformed", () => {
  const whole = encodeBareBytes(Buffer.alloc(200, 7));
  for (let end = 0; end < whole.byteLength; end += 1) {
    assert.throws(() => decodeBareBytes(whole.subarray(0, end)), { code: "malformed" }, `cut at ${end}`);
  }
});
