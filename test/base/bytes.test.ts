import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  copyBytes,
  copyWords,
  readUint16,
  readUint32,
  startsWith,
  wordsOf,
  writeUint32,
} from "../../src/base/bytes.js";

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
      target.fill(0xee);
      assert.equal(copyWords(wordsOf(target), at, wordsOf(source), start, start + size), at + size);
      assert.deepEqual(target, expected, `${size} bytes by words`);
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

test("bytes are the first ones of others only if each of them is the same", () => {
  for (let size = 0; size <= 40; size += 1) {
    for (const at of [0, 1, 7]) {
      const other = Buffer.alloc(50).map((_, index) => index + 1) as Buffer;
      const one = Buffer.concat([Buffer.alloc(at, 0xee), other.subarray(0, size), Buffer.alloc(9)]);
      const isSame = (): boolean => startsWith(wordsOf(one), at, wordsOf(other), size);
      assert.equal(isSame(), true, `${size} bytes at ${at}`);
      for (let index = 0; index < size; index += 1) {
        one[at + index]! ^= 0x80;
        assert.equal(isSame(), false, `byte ${index} of ${size} at ${at}`);
        one[at + index]! ^= 0x80;
      }
    }
  }
});

test("a view by words is of the bytes of its buffer, where that lies in a larger one", () => {
  const slice = Buffer.from("....four....").subarray(4, 8);
  const words = wordsOf(slice);
  assert.deepEqual([words.byteLength, words.getUint32(0)], [4, slice.readUInt32BE(0)]);
});
