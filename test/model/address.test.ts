import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Address, addressBytes, addressKey, maxAddressBytes, writeAddress } from "../../src/model/address.js";

test("a text without # is a local address with the bytes of all of it", () => {
  for (const text of ["echo", "", " ", "forward_to_n3", "127.0.0.1:4000", "é✓"]) {
    const address = Address.parse(text);
    assert.equal(address.type, 0);
    assert.equal(address.text, text);
    assert.equal(address.toString(), `0#${text}`);
    assert.ok(address.equals(Address.local(text)));
  }
});

test("a number before # is the transport type", () => {
  for (const [text, type, value] of [
    ["0#echo", 0, "echo"],
    ["1#127.0.0.1:4000", 1, "127.0.0.1:4000"],
    ["255#x", 255, "x"],
    ["2#", 2, ""],
  ] as const) {
    const address = Address.parse(text);
    assert.equal(address.type, type);
    assert.equal(address.text, value);
    assert.equal(address.toString(), text);
  }
});

test("an address with a wrong transport type is refused with what was expected", () => {
  for (const text of [
    "256#x",
    "1000#x",
    "-1#x",
    "+1#x",
    "#x",
    "#",
    "x#y",
    "1.0#x",
    "0x1#x",
    " 1#x",
    "1 #x",
    "١#x",
  ]) {
    assert.throws(() => Address.parse(text), {
      name: "PortwayError",
      code: "bad_address",
      message: `the address "${text}" needs a number from 0 to 255 before the #`,
      facts: { address: text },
    });
  }
});

test("an address with more than one # is refused", () => {
  for (const text of ["1#a#b", "0##", "##", "a#b#c"]) {
    assert.throws(() => Address.parse(text), {
      code: "bad_address",
      message: `the address "${text}" has more than one "#"`,
    });
  }
});

test("an address as text has at most 255 bytes, and a longer one is not repeated in the error", () => {
  assert.equal(Address.parse("a".repeat(maxAddressBytes)).text.length, 255);
  assert.equal(Address.parse(`255#${"a".repeat(maxAddressBytes)}`).text.length, 255);
  for (const text of ["a".repeat(256), "é".repeat(128), `1#${"a".repeat(256)}`, "#".repeat(100_000)]) {
    assert.throws(
      () => Address.parse(text),
      (error: { code: string; message: string; facts: { max: number } }) =>
        error.code === "bad_address" && error.facts.max === 255 && error.message.length < 120,
    );
  }
});

test("an address keeps its own copy of the bytes it was made of", () => {
  const bytes = Buffer.from("echo");
  const address = new Address(0, bytes);
  bytes.fill(0x78);
  assert.equal(address.text, "echo");
  assert.equal(address.encoded.toString("hex"), "8200446563686f");
});

test("a local address in ASCII is its own key", () => {
  assert.equal(Address.local("echo").key, "echo");
  assert.equal(Address.local("").key, "");
});

test("a local address whose bytes look like another address has a key of its own", () => {
  const tcp = Address.parse("1#127.0.0.1:4000");
  const local = new Address(0, Buffer.from("1#127.0.0.1:4000"));
  assert.notEqual(local.key, tcp.key);
  assert.equal(local.equals(tcp), false);
  assert.equal(local.text, "1#127.0.0.1:4000");
  assert.equal(tcp.text, "127.0.0.1:4000");
});

test("bytes that are no UTF-8 keep addresses apart although they show alike", () => {
  const one = new Address(0, Uint8Array.of(0xff));
  const other = new Address(0, Uint8Array.of(0xfe));
  assert.equal(one.text, "\ufffd");
  assert.equal(other.text, "\ufffd");
  assert.equal(one.equals(other), false);
});

const anyAddress = fc.tuple(
  fc.oneof(fc.constantFrom(0, 1, 23, 24, 255), fc.integer({ min: 0, max: 255 })),
  fc.oneof(
    fc.uint8Array({ maxLength: 30 }),
    fc.constantFrom("1#x", "0#x", "x", "", "\x01x").map((text) => Uint8Array.from(Buffer.from(text))),
  ),
);

test("two addresses have the same key exactly if type and bytes are the same", () => {
  fc.assert(
    fc.property(anyAddress, anyAddress, ([type, bytes], [otherType, otherBytes]) => {
      const one = new Address(type, bytes);
      const other = new Address(otherType, otherBytes);
      const isSame = type === otherType && Buffer.from(bytes).equals(otherBytes);
      assert.equal(one.key === other.key, isSame);
      assert.equal(one.equals(other), isSame);
      assert.equal(one.encoded.equals(other.encoded), isSame);
      assert.equal(one.key, addressKey(type, Buffer.from(bytes).toString("latin1")));
    }),
    { numRuns: 2000 },
  );
});

test("no local address, whatever its bytes, has the key of an address of another type", () => {
  fc.assert(
    fc.property(anyAddress, ([type, bytes]) => {
      const address = new Address(type, bytes);
      for (const encoding of ["latin1", "utf8"] as const) {
        const local = new Address(0, Buffer.from(address.key, encoding));
        assert.equal(local.equals(address), type === 0 && local.encoded.equals(address.encoded));
      }
    }),
  );
});

test("an address that can be written as text is read back from it", () => {
  const text = fc.string({ unit: "grapheme", maxLength: 40 }).filter((value) => !value.includes("#"));
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 255 }), text, (type, value) => {
      const address = new Address(type, Buffer.from(value));
      assert.ok(Address.parse(address.toString()).equals(address));
      assert.equal(address.text, value);
    }),
  );
});

test("the wire form has the announced size and ends where it says, at every length where its head grows", () => {
  for (const type of [0, 23, 24, 255]) {
    for (const [length, head] of [
      [0, "40"],
      [23, "57"],
      [24, "5818"],
      [255, "58ff"],
      [256, "590100"],
      [65_535, "59ffff"],
      [65_536, "5a00010000"],
    ] as const) {
      const value = Buffer.alloc(length, 0x61);
      const { encoded } = new Address(type, value);
      const typeHex = Buffer.from(type < 24 ? [type] : [24, type]).toString("hex");
      assert.equal(encoded.toString("hex"), `82${typeHex}${head}${value.toString("hex")}`);
      assert.equal(addressBytes(type, length), encoded.byteLength);
      const target = Buffer.alloc(encoded.byteLength + 2);
      assert.equal(writeAddress(target, 1, type, value), 1 + encoded.byteLength);
      assert.ok(target.subarray(1, -1).equals(encoded));
    }
  }
});

test("random addresses are local, of 32 hex digits, and do not come again", () => {
  const keys = new Set<string>();
  for (let count = 0; count < 2000; count += 1) {
    const address = Address.random();
    assert.equal(address.type, 0);
    assert.match(address.key, /^[0-9a-f]{32}$/);
    keys.add(address.key);
  }
  assert.equal(keys.size, 2000);
});
