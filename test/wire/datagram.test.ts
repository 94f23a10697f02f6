import assert from "node:assert/strict";
import { test } from "node:test";
import {
  decodeDatagram,
  maxDatagramBytes,
  maxPartBytes,
  nextNumber,
  numberDistance,
  splitMessage,
} from "../../src/wire/datagram.js";

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(" ", ""), "hex");

test("a message of one datagram is written as the reference writes it", () => {
  // array of 5 | version 1 | number 500 | offset 0 | last | 3 bytes
  const golden = hex("85 01 1901f4 00 f5 43 616263");
  assert.deepEqual(splitMessage(Buffer.from("abc"), 500), [golden]);
  assert.deepEqual(decodeDatagram(golden), { number: 500, offset: 0, isLast: true, start: 8, end: 11 });
});

test("a message is cut into parts of 493 bytes that name where they begin", () => {
  const body = Buffer.from(Uint8Array.from({ length: 2 * maxPartBytes + 1 }, (_, at) => at % 251));
  const datagrams = splitMessage(body, 7);
  const parts = datagrams.map((datagram) => decodeDatagram(datagram));
  assert.deepEqual(
    parts.map(({ number, offset, isLast }) => ({ number, offset, isLast })),
    [
      { number: 7, offset: 0, isLast: false },
      { number: 7, offset: 493, isLast: false },
      { number: 7, offset: 986, isLast: true },
    ],
  );
  const joined = Buffer.concat(parts.map(({ start, end }, at) => datagrams[at]!.subarray(start, end)));
  assert.deepEqual(joined, body);
});

test("a message that fills its parts has no empty one behind them", () => {
  assert.equal(splitMessage(Buffer.alloc(maxPartBytes), 1).length, 1);
  assert.equal(splitMessage(Buffer.alloc(2 * maxPartBytes), 1).length, 2);
});

test("no datagram is larger than 508 bytes, however large its number and its offset", () => {
  const datagrams = splitMessage(Buffer.alloc(16 * 1024 * 1024), 0xffff);
  for (const { length } of datagrams) assert.ok(length <= maxDatagramBytes, `${length} bytes`);
});

test("what the reference reads is read: long heads, arrays without an end, more elements, bytes behind it", () => {
  for (const form of [
    "9f 01 1901f4 00 f5 43 616263 ff",
    "86 01 1901f4 00 f5 43 616263 82 01 f6",
    "85 1801 1a000001f4 1b0000000000000000 f5 5803 616263",
    "85 01 1901f4 00 f5 43 616263 00 ff",
  ]) {
    const bytes = hex(form);
    const { number, offset, isLast, start, end } = decodeDatagram(bytes);
    assert.deepEqual({ number, offset, isLast }, { number: 500, offset: 0, isLast: true }, form);
    assert.equal(bytes.toString("utf8", start, end), "abc", form);
  }
});

test("what is no datagram of this version is refused", () => {
  for (const form of [
    "",
    "84 01 1901f4 00 f5",
    "85 02 1901f4 00 f5 43 616263",
    "85 01 1a00010000 00 f5 43 616263",
    "85 01 1901f4 1b0000000100000000 f5 43 616263",
    "85 01 1901f4 00 f6 43 616263",
    "85 01 1901f4 00 01 43 616263",
    "85 01 1901f4 00 f5 44 616263",
    "85 01 1901f4 00 f5 63 616263",
    "85 01 20 00 f5 43 616263",
    "86 01 1901f4 00 f5 43 616263",
    "9f 01 1901f4 00 f5 43 616263",
  ]) {
    assert.throws(() => decodeDatagram(hex(form)), { code: "malformed" }, form);
  }
  const tooLarge = Buffer.concat([hex("85 01 1901f4 00 f5 590200"), Buffer.alloc(512)]);
  assert.throws(() => decodeDatagram(tooLarge), { code: "malformed", message: /522 bytes; at most 508/ });
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
