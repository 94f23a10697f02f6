import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { memoryOf } from "../../src/base/bytes.js";
import { PortwayError } from "../../src/base/errors.js";
import { Address } from "../../src/model/address.js";
import { Message } from "../../src/model/message.js";
import { Route } from "../../src/model/route.js";
import { decodeMessage } from "../../src/wire/decode.js";
import { encodeMessage, frameBytes, writeHead } from "../../src/wire/encode.js";
import { ReadRoutes } from "../../src/wire/route-memory.js";
import { messageOf, plainMessage, plainOf } from "./arbitraries.js";

function body(message: Message): Buffer {
  return encodeMessage(message).subarray(4);
}

function read(bytes: Buffer, known?: ReadRoutes): object | "malformed" {
  try {
    return plainOf(take(bytes, known));
  } catch (error) {
    if (error instanceof PortwayError && error.code === "malformed") return "malformed";
    throw error;
  }
}

function take(bytes: Buffer, known?: ReadRoutes): Message {
  return decodeMessage(bytes, 0, bytes.length, undefined, undefined, known);
}

const message = (onward: string, back: string, payload = "x"): Message =>
  Message.of({ onward: Route.parse(onward), return: Route.parse(back), payload: Buffer.from(payload) });

/** Few different messages, in any order and damaged now and then, as sessions that share a connection send them. */
const stream = fc
  .tuple(
    fc.array(plainMessage, { minLength: 1, maxLength: 4 }),
    fc.array(
      fc.record({ which: fc.nat(), flip: fc.option(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 }))) }),
      {
        maxLength: 40,
      },
    ),
  )
  .map(([messages, uses]) =>
    uses.map(({ which, flip }) => {
      const bytes = body(messageOf(messages[which % messages.length]!));
      if (flip !== null) bytes[flip[0] % bytes.length]! ^= flip[1];
      return bytes;
    }),
  );

test("whatever was read before, a message is read as if it were the first", () => {
  fc.assert(
    fc.property(stream, (bodies) => {
      const known = new ReadRoutes();
      for (const bytes of bodies) assert.deepEqual(read(bytes, known), read(bytes));
    }),
  );
});

test("however often it was written, a message is written as if it were the first time", () => {
  fc.assert(
    fc.property(fc.array(plainMessage, { minLength: 1, maxLength: 4 }), fc.array(fc.nat()), (plain, uses) => {
      const messages = plain.map(messageOf);
      for (const which of uses) {
        const at = which % messages.length;
        const head = memoryOf(Buffer.alloc(frameBytes(messages[at]!)));
        const end = writeHead(head, 0, messages[at]!);
        assert.ok(head.bytes.subarray(0, end).equals(encodeMessage(messageOf(plain[at]!)).subarray(0, end)));
      }
    }),
  );
});

test("messages of one session have the same routes", () => {
  const known = new ReadRoutes();
  const bytes = [message("a => b", "c", "one"), message("a => b", "c", "another")].map(body);
  const [first, second] = bytes.map((each) =>
    decodeMessage(each, 0, each.length, undefined, undefined, known),
  );
  assert.equal(first!.onward, second!.onward);
  assert.equal(first!.return, second!.return);
  assert.equal(second!.payload.toString(), "another");
});

test("routes outlive those that are kept after them, and the buffer that they were read from", () => {
  const known = new ReadRoutes();
  const buffer = Buffer.alloc(64);
  const readAgain = (each: Message): Message => {
    const bytes = body(each);
    buffer.set(bytes);
    return decodeMessage(buffer, 0, bytes.length, undefined, undefined, known);
  };
  const first = readAgain(message("a => b", "c"));
  for (let i = 0; i < 100; i += 1) readAgain(message(`x${i}`, "y"));
  assert.equal(`${first.onward} / ${first.return}`, "0#a => 0#b / 0#c");
});

test("a session that comes behind others is known before long", () => {
  const known = new ReadRoutes();
  const one = body(message("a", "b"));
  const other = body(message("c", "d"));
  assert.equal(take(one, known).onward, take(one, known).onward);
  const met = Array.from({ length: 40 }, () => take(other, known).onward);
  assert.equal(met.at(-1), met.at(-2));
});

test("all of many sessions are known that share a connection, but for a few whose places are taken", () => {
  const known = new ReadRoutes();
  const sessions = Array.from({ length: 40 }, (_, at) =>
    body(message("a => b", createHash("sha1").update(String(at)).digest("hex"))),
  );
  const onwards = (): Route[] => sessions.map((each) => take(each, known).onward);
  for (let round = 0; round < 3; round += 1) onwards();
  const before = onwards();
  const same = onwards().filter((onward, at) => onward === before[at]);
  assert.ok(same.length > 25, `${same.length} of 40`);
});

test("routes with the same end are not taken for each other", () => {
  const known = new ReadRoutes();
  const pairs = [message("a => b", "c"), message("x => y", "c"), message("a", "cccc")];
  for (let round = 0; round < 20; round += 1) {
    for (const each of pairs) {
      const bytes = body(each);
      const got = take(bytes, known);
      assert.equal(`${got.onward} / ${got.return}`, `${each.onward} / ${each.return}`);
    }
  }
});

test("a session of two words is not kept in the place of another", () => {
  const known = new ReadRoutes();
  const first = body(message("a", "b"));
  const other = body(message("c", "d"));
  for (let i = 0; i < 10; i += 1) take(first, known);
  assert.notEqual(take(other, known).onward, take(other, known).onward);
});

test("what was written is remembered from the third time, and not with a large buffer behind it", () => {
  const large = Buffer.alloc(10_000);
  const bytes = body(message("a", "b"));
  large.set(bytes);
  const target = memoryOf(Buffer.alloc(100));
  const write = (each: Message, times: number): void => {
    for (let i = 0; i < times; i += 1) writeHead(target, 0, each);
  };
  const lying = decodeMessage(large, 0, bytes.length);
  write(lying, 10);
  assert.equal(lying.onward.written?.back, undefined);
  const own = message("a", "b");
  write(own, 2);
  assert.equal(own.onward.written?.back, undefined);
  write(own, 1);
  assert.equal(own.onward.written?.back, own.return);
});

test("an onward route that is written with another return route is not written with the one before", () => {
  const onward = Route.parse("a => b");
  const backs = [Route.parse("c"), Route.parse("d => e")];
  for (let i = 0; i < 30; i += 1) {
    const back = backs[Math.floor(i / 5) % 2]!;
    const each = Message.of({ onward, return: back, payload: Buffer.from("x") });
    const fresh = message("a => b", back === backs[0] ? "c" : "d => e");
    assert.ok(encodeMessage(each).equals(encodeMessage(fresh)));
  }
});

test("a route remembers what was made of it, and of nothing else", () => {
  const route = Route.parse("a => b");
  const [x, y] = [Address.local("x"), Address.local("y")];
  assert.equal(route.prepend(x), route.prepend(x));
  assert.equal(String(route.prepend(y)), "0#y => 0#a => 0#b");
  assert.equal(String(route.prepend(x)), "0#x => 0#a => 0#b");
  assert.equal(route.rest(), route.rest());
  assert.equal(String(route.prepend(x).rest()), "0#a => 0#b");
  assert.ok(route.firstIs(Address.local("a")));
  assert.ok(!route.firstIs(Address.local("b")));
  assert.equal(route.firstHash, Address.local("a").hash);
});
