import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { copyBytes, readUint16, readUint32, writeUint32 } from "../../src/base/bytes.js";

const anyPlace = fc
  .uint8Array({ minLength: 4, maxLength: 40 })
  .chain((bytes) => fc.tuple(fc.constant(Buffer.from(bytes)), fc.nat(bytes.length - 4)));

/** Numbers whose first bit is set are those that go wrong. */
const anyUint32 = fc.oneof(
  fc.integer({ min: 0, max: 0xffff_ffff }),
  fc.constantFrom(0, 1, 0x7fff_ffff, 0x8000_0000, 0xff00_00ff, 0xffff_ffff),
);

test("numbers are read as Buffer reads them", () => {
  fc.assert(
    fc.property(anyPlace, ([bytes, at]) => {
      assert.equal(readUint16(bytes, at), bytes.readUInt16BE(at));
      assert.equal(readUint32(bytes, at), bytes.readUInt32BE(at));
    }),
  );
});

test("a number is written as Buffer writes it, and nothing around it", () => {
  fc.assert(
    fc.property(anyPlace, anyUint32, ([bytes, at], value) => {
      const expected = Buffer.from(bytes);
      assert.equal(writeUint32(bytes, at, value), expected.writeUInt32BE(value, at));
      assert.deepEqual(bytes, expected);
      assert.equal(readUint32(bytes, at), value);
    }),
  );
});

test("a copy of any size is that which Buffer makes, and nothing around it", () => {
  const source = Buffer.alloc(400, 0).map((_, at) => at % 251) as Buffer;
  for (let size = 0; size <= 300; size += 1) {
    for (const [at, start] of [
      [0, 0],
      [7, 3],
      [31, 64],
    ] as const) {
      const target = Buffer.alloc(400, 0xee);
      const expected = Buffer.from(target);
      source.copy(expected, at, start, start + size);
      assert.equal(copyBytes(target, at, source, start, start + size), at + size);
      assert.deepEqual(target, expected, `${size} bytes`);
    }
  }
});

test("a copy may go to another place of the same buffer that does not overlap", () => {
  for (const size of [1, 95, 96, 97, 200]) {
    for (const [at, start] of [
      [0, size],
      [size, 0],
    ] as const) {
      const bytes = Buffer.alloc(2 * size).map((_, index) => index % 251) as Buffer;
      const copied = Buffer.from(bytes.subarray(start, start + size));
      copyBytes(bytes, at, bytes, start, start + size);
      assert.deepEqual(bytes, Buffer.concat([copied, copied]), `${size} bytes from ${start} to ${at}`);
    }
  }
});
