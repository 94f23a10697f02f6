import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { decodeDatagram, splitMessage } from "../../src/wire/datagram.js";
import { type Assembled, PartAssembler, type PartCounts } from "../../src/wire/parts.js";
import { liveBufferBytes } from "../support/live-buffers.js";

const none: PartCounts = {
  late: 0,
  doubled: 0,
  outOfOrder: 0,
  broken: 0,
  abandoned: 0,
  skipped: 0,
  tooLarge: 0,
  noRoom: 0,
  expired: 0,
};

/** An assembler with what it has given, and the memory that it has. */
function bench({ maxMessageBytes = 1_000_000, roomBytes = 4_000_000 } = {}) {
  const state = { usedBytes: 0, peakBytes: 0, nowMs: 0 };
  const given: string[] = [];
  const assembler = new PartAssembler({
    maxMessageBytes,
    expireAfterMs: 5_000,
    resyncAfterMs: 30_000,
    room: {
      take(bytes) {
        if (state.usedBytes + bytes > roomBytes) return false;
        state.usedBytes += bytes;
        state.peakBytes = Math.max(state.peakBytes, state.usedBytes);
        return true;
      },
      giveBack(bytes) {
        state.usedBytes -= bytes;
      },
    },
  });
  const push = (datagram: Buffer): Assembled | undefined => {
    const assembled = assembler.push(datagram, decodeDatagram(datagram), state.nowMs);
    if (assembled !== undefined) {
      given.push(assembled.bytes.toString("latin1", assembled.start, assembled.end));
      assembled.done();
    }
    return assembled;
  };
  return { assembler, push, given, state };
}

/** A message of `parts` parts, each full of a letter of its own. */
function text(letter: string, parts: number): string {
  return Array.from({ length: parts }, (_, at) => `${letter}${at % 10}`.repeat(246).padEnd(493, "."))
    .join("")
    .slice(0, -7);
}

function split(message: string, number: number): Buffer[] {
  return splitMessage(Buffer.from(message, "latin1"), number);
}

describe("parts", () => {
  test("in order, they give the message, and its memory is given back", () => {
    const { push, given, state, assembler } = bench();
    for (const datagram of split(text("a", 9), 65_535)) push(datagram);
    for (const datagram of split(text("b", 1), 0)) push(datagram);
    assert.deepEqual(given, [text("a", 9), text("b", 1)]);
    assert.deepEqual(assembler.counts, none);
    assert.equal(state.usedBytes, 0);
  });

  test("in any order, they give the message", () => {
    const { push, given, assembler, state } = bench();
    const parts = split(text("a", 5), 9);
    for (const at of [4, 2, 0, 1, 3]) push(parts[at]!);
    assert.deepEqual(given, [text("a", 5)]);
    assert.deepEqual(assembler.counts, { ...none, outOfOrder: 2 });
    assert.equal(state.usedBytes, 0);
  });

  test("of five messages at once, each comes when it is whole", () => {
    const { push, given, assembler } = bench();
    const letters = ["a", "b", "c", "d", "e"];
    const cut = letters.map((letter, at) => split(text(letter, 3), (65_533 + at) & 0xffff));
    for (const which of [0, 1, 2]) for (const parts of cut.toReversed()) push(parts[which]!);
    // The window begins with the first number that came, which is that of the last.
    assert.deepEqual(given, [text("e", 3)]);
    assert.deepEqual(assembler.counts, { ...none, late: 12 });
    const [next, ...later] = letters.map((letter, at) => split(text(letter, 3), at + 100));
    push(next![0]!);
    for (const which of [0, 1, 2]) for (const parts of later.toReversed()) push(parts[which]!);
    for (const part of next!.slice(1)) push(part);
    assert.deepEqual(
      given.slice(1),
      ["e", "d", "c", "b", "a"].map((letter) => text(letter, 3)),
    );
  });

  test("a missing one costs its message, once five later ones have come, and no other", () => {
    const { push, given, assembler } = bench();
    for (const [at, datagram] of split(text("a", 4), 5).entries()) if (at !== 2) push(datagram);
    for (const [at, letter] of ["b", "c", "d", "e"].entries()) push(split(letter, 6 + at)[0]!);
    assert.deepEqual(assembler.counts, { ...none, outOfOrder: 1 });
    push(split("f", 10)[0]!);
    push(split(text("a", 4), 5)[2]!);
    assert.deepEqual(given, ["b", "c", "d", "e", "f"]);
    assert.deepEqual(assembler.counts, { ...none, outOfOrder: 1, abandoned: 1, late: 1 });
  });

  test("one that comes twice is counted, and the message is whole", () => {
    const { push, given, assembler } = bench();
    const parts = split(text("a", 4), 5);
    for (const at of [0, 0, 2, 2, 1, 1, 2, 3, 3]) push(parts[at]!);
    assert.deepEqual(given, [text("a", 4)]);
    // The last one is late: its message is over.
    assert.deepEqual(assembler.counts, { ...none, doubled: 4, outOfOrder: 1, late: 1 });
  });

  for (const [what, second] of [
    ["other bytes", split(text("b", 3), 5)[0]!],
    ["another number of parts", split(text("a", 4), 5)[1]!],
    ["another length", Buffer.from("850105010343616161", "hex")],
    ["no length", Buffer.from("850105010340", "hex")],
  ] as const) {
    test(`one with ${what} than the others have gives the message up`, () => {
      const { push, given, assembler, state } = bench();
      const parts = split(text("a", 3), 5);
      push(parts[0]!);
      push(second);
      for (const part of parts) push(part);
      assert.deepEqual(given, []);
      assert.deepEqual(assembler.counts, { ...none, broken: 1, late: 3 });
      assert.equal(state.usedBytes, 0);
    });
  }

  test("the last one may be empty, as the reference writes it, and alone it is an empty message", () => {
    const { push, given } = bench();
    push(Buffer.from("8501050002426161", "hex"));
    push(Buffer.from("850105010240", "hex"));
    push(Buffer.from("850106000140", "hex"));
    assert.deepEqual(given, ["aa", ""]);
  });

  test("messages of which nothing came are counted once the window has left them", () => {
    const { push, given, assembler } = bench();
    push(split("a", 65_530)[0]!);
    push(split("b", 4)[0]!);
    assert.deepEqual(given, ["a", "b"]);
    assert.deepEqual(assembler.counts, { ...none, skipped: 5 });
    push(split("c", 9)[0]!);
    assert.deepEqual(assembler.counts, { ...none, skipped: 9 });
    push(split("d", 10_000)[0]!);
    assert.deepEqual(assembler.counts, { ...none, skipped: 9_999 });
  });

  test("nothing more for five seconds gives the message up", () => {
    const { push, given, assembler, state } = bench();
    const [first, second, third] = split(text("a", 3), 9);
    push(first!);
    state.nowMs += 4_999;
    push(second!);
    state.nowMs += 5_000;
    push(third!);
    assert.deepEqual(given, []);
    assert.deepEqual(assembler.counts, { ...none, expired: 1, late: 1 });
    assert.equal(state.usedBytes, 0);
  });

  test("after thirty seconds of silence a peer may begin with a lower number", () => {
    const { push, given, state } = bench();
    push(split("a", 900)[0]!);
    state.nowMs += 29_999;
    push(split("b", 100)[0]!);
    assert.deepEqual(given, ["a"]);
    state.nowMs += 1;
    push(split("c", 100)[0]!);
    assert.deepEqual(given, ["a", "c"]);
  });

  test("an index or a number of parts buys no memory, and what came is never doubled by more than once", () => {
    const { push, state, assembler } = bench({ maxMessageBytes: 16 * 1024 * 1024 });
    push(split("a", 1)[0]!);
    // number 2, part 60,000 of 65,535, 3 bytes
    push(Buffer.from("85010219ea6019ffff43616263", "hex"));
    assert.ok(state.usedBytes < 300);
    // number 3, part 0 of 65,535, 493 bytes: it would have 32 MB
    push(Buffer.concat([Buffer.from("8501030019ffff5901ed", "hex"), Buffer.alloc(493)]));
    assert.deepEqual(assembler.counts, { ...none, outOfOrder: 1, tooLarge: 1 });
    assembler.yield();
    assert.equal(state.usedBytes, 0);
    const parts = split(text("b", 100), 4);
    let came = 0;
    for (const datagram of parts.slice(0, -1)) {
      push(datagram);
      came += 493;
      assert.ok(state.usedBytes <= Math.max(4 * 493, came * 2), `${state.usedBytes} for ${came}`);
    }
  });

  for (const [what, elements, behind] of [
    ["another element", 6, Buffer.concat([Buffer.from("59ea60", "hex"), Buffer.alloc(60_000)])],
    ["bytes behind its elements", 5, Buffer.alloc(60_000)],
  ] as const) {
    test(`a datagram with ${what} is not kept for a part that is set aside`, async () => {
      const { push, state, assembler } = bench();
      const before = await liveBufferBytes();
      for (let index = 1; index <= 500; index += 1) {
        // version 1, number 7, a part of 600, 1 byte
        const head = Buffer.from([
          0x80 + elements,
          1,
          7,
          0x19,
          index >> 8,
          index & 0xff,
          0x19,
          2,
          0x58,
          0x41,
          1,
        ]);
        push(Buffer.concat([head, behind]));
      }
      assert.equal(assembler.counts.outOfOrder, 500);
      const grown = (await liveBufferBytes()) - before;
      assert.ok(grown <= state.usedBytes, `${grown} for ${state.usedBytes}`);
    });
  }

  test("those that are set aside out of a buffer of many have memory of their own", () => {
    const { push, given } = bench();
    const parts = split(text("a", 4), 9);
    const buffer = Buffer.concat(parts);
    for (const at of [3, 2, 1, 0]) {
      const start = at * parts[0]!.length;
      push(buffer.subarray(start, start + parts[at]!.length));
      buffer.fill(0, start);
    }
    assert.deepEqual(given, [text("a", 4)]);
  });

  test("a message above the limit is given up, and the next one comes", () => {
    const { push, given, assembler, state } = bench({ maxMessageBytes: 1_500 });
    for (const datagram of split(text("a", 4), 1)) push(datagram);
    for (const datagram of split(text("b", 3), 2)) push(datagram);
    assert.deepEqual(given, [text("b", 3)]);
    assert.deepEqual(assembler.counts, { ...none, tooLarge: 1 });
    assert.equal(state.usedBytes, 0);
  });

  test("without memory a message is given up; one of a single part needs none", () => {
    const { push, given, assembler } = bench({ roomBytes: 100 });
    for (const datagram of split(text("a", 2), 1)) push(datagram);
    push(split("b", 2)[0]!);
    assert.deepEqual(given, ["b"]);
    assert.deepEqual(assembler.counts, { ...none, noRoom: 1, late: 1 });
  });

  test("whoever holds a message has its memory until it lets go", () => {
    const { assembler, state } = bench();
    let last: Assembled | undefined;
    for (const datagram of split(text("a", 3), 1))
      last = assembler.push(datagram, decodeDatagram(datagram), 0);
    last!.backing.hold();
    last!.done();
    assert.ok(state.usedBytes > 0);
    last!.backing.release();
    assert.equal(state.usedBytes, 0);
  });

  test("a number that came another way is passed: nothing is missing, and nothing of it comes again", () => {
    const { push, given, assembler } = bench();
    assembler.pass(65_535, 0);
    push(split("a", 0)[0]!);
    assembler.pass(1, 0);
    push(split("b", 1)[0]!);
    push(split("c", 2)[0]!);
    assert.deepEqual(given, ["a", "c"]);
    assert.deepEqual(assembler.counts, { ...none, late: 1 });
  });
});
