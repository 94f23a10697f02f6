import assert from "node:assert/strict";
import { test } from "node:test";
import {
  decodeDatagram,
  maxPartBytes,
  nextNumber,
  numberDistance,
  splitMessage,
} from "../../src/wire/datagram.js";

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(" ", ""), "hex");

test("a message of one datagram is written as the reference writes it", () => {
  // array of 5 | version 1 | number 500 | part 0 | of 1 | 3 bytes
  const golden = hex("85 01 1901f4 00 01 43 616263");
  assert.deepEqual(splitMessage(Buffer.from("abc"), 500), [golden]);
  assert.deepEqual(decodeDatagram(golden), { number: 500, index: 0, total: 1, start: 8, end: 11 });
});

test("a message is cut into parts of 493 bytes that say which they are, and of how many", () => {
  const body = Buffer.from(Uint8Array.from({ length: 2 * maxPartBytes + 1 }, (_, at) => at % 251));
  const datagrams = splitMessage(body, 7);
  const parts = datagrams.map((datagram) => decodeDatagram(datagram));
  assert.deepEqual(
    parts.map(({ number, index, total, start, end }) => [number, index, total, end - start]),
    [
      [7, 0, 3, 493],
      [7, 1, 3, 493],
      [7, 2, 3, 1],
    ],
  );
  const joined = Buffer.concat(parts.map(({ start, end }, at) => datagrams[at]!.subarray(start, end)));
  assert.deepEqual(joined, body);
});

test("a message that fills its parts has no empty one behind them", () => {
  assert.equal(splitMessage(Buffer.alloc(maxPartBytes), 1).length, 1);
  assert.equal(splitMessage(Buffer.alloc(2 * maxPartBytes), 1).length, 2);
});

test("no datagram is larger than 508 bytes, however large its number and its message", () => {
  const datagrams = splitMessage(Buffer.alloc(16 * 1024 * 1024), 0xffff);
  for (const { length } of datagrams) assert.ok(length <= 508, `${length} bytes`);
});

test("what the reference reads is read: long heads, arrays without an end, more elements, bytes behind it", () => {
  for (const form of [
    "9f 01 1901f4 02 03 43 616263 ff",
    "86 01 1901f4 02 03 43 616263 82 01 f6",
    "85 1801 1a000001f4 1b0000000000000002 190003 5803 616263",
    "85 01 1901f4 02 03 43 616263 00 ff",
  ]) {
    const bytes = hex(form);
    const { number, index, total, start, end } = decodeDatagram(bytes);
    assert.deepEqual({ number, index, total }, { number: 500, index: 2, total: 3 }, form);
    assert.equal(bytes.toString("utf8", start, end), "abc", form);
  }
});

test("a datagram of a node that was set to larger ones is read", () => {
  const bytes = Buffer.concat([hex("85 01 1901f4 00 01 590578"), Buffer.alloc(1_400)]);
  const { start, end } = decodeDatagram(bytes);
  assert.equal(end - start, 1_400);
});

test("the last part may be empty: the reference writes one behind a message that fills its parts", () => {
  const { index, total, start, end } = decodeDatagram(hex("85 01 1901f4 01 02 40"));
  assert.deepEqual([index, total, end - start], [1, 2, 0]);
});

test("what is no datagram of this version is refused", () => {
  for (const form of [
    "",
    "84 01 1901f4 00 01",
    "85 02 1901f4 00 01 43 616263",
    "85 01 1a00010000 00 01 43 616263",
    "85 01 1901f4 1a00010000 01 43 616263",
    "85 01 1901f4 00 1a00010000 43 616263",
    "85 01 1901f4 00 00 43 616263",
    "85 01 1901f4 03 03 43 616263",
    "85 01 1901f4 00 f5 43 616263",
    "85 01 1901f4 00 01 44 616263",
    "85 01 1901f4 00 01 63 616263",
    "85 01 20 00 01 43 616263",
    "86 01 1901f4 00 01 43 616263",
    "9f 01 1901f4 00 01 43 616263",
  ]) {
    assert.throws(() => decodeDatagram(hex(form)), { code: "malformed" }, form);
  }
});

test("numbers wrap, and half of the circle away is behind from either side", () => {
  assert.equal(nextNumber(0xffff), 0);
  assert.equal(numberDistance(0, 0xffff), 1);
  assert.equal(numberDistance(0xffff, 0), -1);
  assert.equal(numberDistance(5, 5), 0);
  assert.equal(numberDistance(0x7fff, 0), 0x7fff);
  assert.equal(numberDistance(0x8000, 0), -0x8000);
  assert.equal(numberDistance(0, 0x8000), -0x8000);
});
