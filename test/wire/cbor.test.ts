import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { PortwayError } from "../../src/base/errors.js";
import { CborReader } from "../../src/wire/cbor.js";
import { maxSkipDepth } from "../../src/wire/limits.js";
import { hex } from "./vectors.js";

function reader(...pieces: readonly string[]): CborReader {
  const bytes = hex(...pieces);
  return new CborReader(bytes, 0, bytes.byteLength);
}

test("an unsigned number is read from a head of every length", () => {
  for (const [bytes, value] of [
    ["00", 0],
    ["17", 23],
    ["1818", 24],
    ["1800", 0],
    ["18ff", 255],
    ["190100", 256],
    ["1a00010000", 65_536],
    ["1affffffff", 4_294_967_295],
    ["1b0000000100000000", 4_294_967_296],
    ["1b001fffffffffffff", Number.MAX_SAFE_INTEGER],
  ] as const) {
    const cbor = reader(bytes);
    assert.equal(cbor.unsigned("a number"), value, bytes);
    assert.equal(cbor.at, cbor.end, bytes);
  }
});

test("a number above 2^53 - 1 is taken for 2^53 - 1, which no length in a frame can be", () => {
  for (const bytes of ["1b0020000000000000", "1bffffffffffffffff"]) {
    assert.equal(reader(bytes).unsigned("a number"), Number.MAX_SAFE_INTEGER);
  }
  assert.throws(() => reader("5bffffffffffffffff 00").byteString("bytes"), { code: "malformed" });
});

test("what is read is named when it is something else", () => {
  assert.throws(() => reader("40").unsigned("the count"), {
    code: "malformed",
    message: "malformed frame: the count has the major type 2, not 0",
    facts: { what: "the count has the major type 2, not 0" },
  });
});

test("a head that is cut is malformed for every method", () => {
  for (const cut of ["", "18", "19 00", "1a 000000", "1b 00000000000000"]) {
    assert.throws(() => reader(cut).unsigned("a number"), { code: "malformed" }, cut);
    assert.throws(() => reader(cut).skip(), { code: "malformed" }, cut);
  }
  for (const method of ["takeNull", "takeBreak"] as const) {
    assert.throws(() => reader()[method](), { code: "malformed" });
  }
});

test("strings and arrays leave the reader behind what they took", () => {
  const cbor = reader("83 43 010203 42 0405 62 6869 f6 ff 9f");
  assert.equal(cbor.array("all"), 3);
  assert.equal(cbor.byteString("bytes").toString("hex"), "010203");
  assert.equal(cbor.stepOverBytes("bytes"), 2);
  assert.equal(cbor.textString("text").toString(), "hi");
  assert.equal(cbor.takeBreak(), false);
  assert.equal(cbor.takeNull(), true);
  assert.equal(cbor.takeNull(), false);
  assert.equal(cbor.takeBreak(), true);
  assert.equal(cbor.at, cbor.end - 1);
  assert.equal(cbor.array("the last"), undefined);
  assert.equal(cbor.at, cbor.end);
});

test("a reader does not look beyond its end", () => {
  const bytes = hex("43 010203 00");
  assert.throws(() => new CborReader(bytes, 0, 3).byteString("bytes"), { code: "malformed" });
  assert.throws(() => new CborReader(bytes, 0, 3).skip(), { code: "malformed" });
  assert.throws(() => new CborReader(bytes, 1, 1).skip(), { code: "malformed" });
});

/** Where the item at `at` ends, by the book (RFC 8949, well-formedness), one call per item. Undefined if it doesn't. */
function endOf(bytes: Buffer, at: number, depth = 0): number | undefined {
  const head = bytes[at];
  if (head === undefined || depth > maxSkipDepth) return undefined;
  const kind = head >> 5;
  const info = head & 0x1f;
  const size = info < 24 ? 0 : info < 28 ? 1 << (info - 24) : info === 31 ? 0 : undefined;
  if (size === undefined || at + 1 + size > bytes.byteLength) return undefined;
  let next: number | undefined = at + 1 + size;
  let value = BigInt(info);
  if (size > 0) value = BigInt(`0x${bytes.subarray(at + 1, next).toString("hex")}`);
  const isIndefinite = info === 31;
  const isBreak = (): boolean => bytes[next!] === 0xff;
  switch (kind) {
    case 0:
    case 1:
      return isIndefinite ? undefined : next;
    case 2:
    case 3:
      if (!isIndefinite) return value > bytes.byteLength - next ? undefined : next + Number(value);
      while (!isBreak()) {
        const piece = bytes[next]!;
        if (piece >> 5 !== kind || (piece & 0x1f) === 31) return undefined;
        next = endOf(bytes, next, 0);
        if (next === undefined) return undefined;
      }
      return next + 1;
    case 7:
      return isIndefinite ? undefined : next;
    case 6:
      return isIndefinite ? undefined : endOf(bytes, next, depth + 1);
    default:
      for (let left = kind === 5 ? value * 2n : value; left > 0n || isIndefinite; left -= 1n) {
        if (isIndefinite && isBreak()) return next + 1;
        next = endOf(bytes, next, depth + 1);
        if (next !== undefined && isIndefinite && kind === 5) next = endOf(bytes, next, depth + 1);
        if (next === undefined) return undefined;
      }
      return next;
  }
}

function assertSkipsLikeTheBook(bytes: Buffer): void {
  const cbor = new CborReader(bytes, 0, bytes.byteLength);
  let end: number | undefined;
  try {
    cbor.skip();
    end = cbor.at;
  } catch (error) {
    assert.ok(error instanceof PortwayError && error.code === "malformed", String(error));
  }
  assert.equal(end, endOf(bytes, 0), bytes.toString("hex"));
}

test("skip ends where a reader by the book ends, or both refuse: bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 60 }), (bytes) =>
      assertSkipsLikeTheBook(Buffer.from(bytes)),
    ),
    { numRuns: 3000 },
  );
});

test("skip ends where a reader by the book ends, or both refuse: heads", () => {
  const heads = [
    0x00, 0x18, 0x1f, 0x20, 0x40, 0x41, 0x5f, 0x61, 0x7f, 0x80, 0x82, 0x9f, 0xa1, 0xbf, 0xc1, 0xdf,
  ];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...heads, 0xf6, 0xf8, 0xff, 0xff), { maxLength: 30 }), (bytes) =>
      assertSkipsLikeTheBook(Buffer.from(bytes)),
    ),
    { numRuns: 20_000 },
  );
});

test("skip ends where a reader by the book ends, or both refuse: whole items, cut and not", () => {
  const { item } = fc.letrec<{ item: Buffer; leaf: Buffer }>((tie) => ({
    leaf: fc.constantFrom(
      ...["00", "1903e8", "20", "43616263", "60", "f6", "f90000", "5f4161ff", "7fff"].map((x) => hex(x)),
    ),
    item: fc.oneof(
      { maxDepth: 5 },
      tie("leaf"),
      fc
        .array(tie("item"), { maxLength: 4 })
        .map((items) => Buffer.concat([Buffer.of(0x80 | items.length), ...items])),
      fc.array(tie("item"), { maxLength: 4 }).map((items) => Buffer.concat([hex("9f"), ...items, hex("ff")])),
      fc
        .array(fc.tuple(tie("item"), tie("item")), { maxLength: 3 })
        .map((pairs) => Buffer.concat([Buffer.of(0xa0 | pairs.length), ...pairs.flat()])),
      fc
        .array(fc.tuple(tie("item"), tie("item")), { maxLength: 3 })
        .map((pairs) => Buffer.concat([hex("bf"), ...pairs.flat(), hex("ff")])),
      tie("item").map((inner) => Buffer.concat([hex("d9d9f7"), inner])),
    ),
  }));
  fc.assert(
    fc.property(item, fc.nat(), (bytes, cut) => {
      assert.equal(endOf(bytes, 0), bytes.byteLength);
      assertSkipsLikeTheBook(bytes);
      assertSkipsLikeTheBook(bytes.subarray(0, cut % bytes.byteLength));
    }),
    { numRuns: 1000 },
  );
});
