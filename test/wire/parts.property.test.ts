import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { PortwayError } from "../../src/base/errors.js";
import { decodeDatagram, numberDistance, splitMessage } from "../../src/wire/datagram.js";
import { decodeNotice, encodeNotice, type NoticeKind, noticeKinds } from "../../src/wire/notice.js";
import { PartAssembler, windowMessages } from "../../src/wire/parts.js";

/** What a part that is set aside may cost besides its bytes. */
const perPartBytes = 256;

interface Link {
  readonly lost: number;
  readonly doubled: number;
  /** How many datagrams one may be overtaken by. */
  readonly shuffled: number;
  readonly seed: number;
}

const link: fc.Arbitrary<Link> = fc.record({
  lost: fc.constantFrom(0, 0.01, 0.1, 0.4),
  doubled: fc.constantFrom(0, 0.02, 0.3),
  shuffled: fc.constantFrom(0, 1, 4, 60),
  seed: fc.nat(),
});

/** Numbers from 0 to below 1, the same ones for the same seed. */
function generator(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What arrives of `datagrams` over a link, in the order in which it does. */
function over(datagrams: readonly Buffer[], { lost, doubled, shuffled, seed }: Link): Buffer[] {
  const random = generator(seed);
  return datagrams
    .flatMap((datagram, at) => {
      if (random() < lost) return [];
      const copies = random() < doubled ? 2 : 1;
      return Array.from({ length: copies }, () => ({ datagram, due: at + random() * shuffled }));
    })
    .sort((one, other) => one.due - other.due)
    .map(({ datagram }) => datagram);
}

/** Different messages, whose parts are all different: a wrong part in one is seen. */
function messages(sizes: readonly number[]): Buffer[] {
  return sizes.map((size, which) => {
    const body = Buffer.alloc(size + 4);
    body.writeUInt32BE(which);
    for (let at = 4; at < body.length; at += 1) body[at] = (at * 31 + which * 17 + (at >>> 8)) % 256;
    return body;
  });
}

function assemble(datagrams: readonly Buffer[]) {
  let usedBytes = 0;
  const assembler = new PartAssembler({
    maxMessageBytes: 100_000,
    expireAfterMs: 5_000,
    resyncAfterMs: 30_000,
    room: {
      take: (bytes) => {
        usedBytes += bytes;
        return true;
      },
      giveBack: (bytes) => {
        usedBytes -= bytes;
      },
    },
  });
  const given: Buffer[] = [];
  for (const datagram of datagrams) {
    const assembled = assembler.push(datagram, decodeDatagram(datagram), 0);
    if (assembled === undefined) continue;
    given.push(Buffer.from(assembled.bytes.subarray(assembled.start, assembled.end)));
    assembled.done();
  }
  const counts = assembler.counts;
  assembler.close();
  return { given, counts, usedBytes };
}

const sizes = fc.array(fc.oneof(fc.nat(400), fc.nat(4_000), fc.constantFrom(489, 490, 982, 983, 20_000)), {
  minLength: 1,
  maxLength: 40,
});
const firstNumber = fc.oneof(fc.integer({ min: 65_500, max: 65_535 }), fc.nat(65_535));

test("whatever a link does, what is handed on was sent, whole, and once", () => {
  fc.assert(
    fc.property(sizes, firstNumber, link, (given, from, how) => {
      const sent = messages(given);
      const datagrams = sent.flatMap((body, at) => splitMessage(body, (from + at) & 0xffff));
      const result = assemble(over(datagrams, how));
      const came = new Set<number>();
      let newest = 0;
      for (const body of result.given) {
        const at = body.readUInt32BE();
        assert.ok(!came.has(at), `message ${at} came twice`);
        assert.ok(body.equals(sent[at]!), `message ${at} is not what was sent`);
        assert.ok(at > newest - windowMessages, `message ${at} after ${newest}`);
        came.add(at);
        newest = Math.max(newest, at);
      }
      assert.equal(result.usedBytes, 0);
      assert.equal(result.counts.broken, 0);
      // Of the messages before the newest, those that are missing are counted, or still in the window.
      const first = Math.min(...came, newest);
      const missing = newest - first + 1 - came.size;
      const { abandoned, skipped } = result.counts;
      if (came.size > 0) assert.ok(abandoned + skipped >= missing - windowMessages);
      if (how.lost === 0 && how.shuffled === 0) assert.equal(result.given.length, sent.length);
    }),
    { numRuns: 300 },
  );
});

test("a link that keeps the order costs only messages of which a part was lost, and those come in order", () => {
  fc.assert(
    fc.property(sizes, firstNumber, fc.nat(), (given, first, seed) => {
      const sent = messages(given);
      const cut = sent.map((body, at) => splitMessage(body, (first + at) & 0xffff));
      const arrived = over(cut.flat(), { lost: 0.1, doubled: 0.3, shuffled: 0, seed });
      const here = new Set(arrived);
      const whole = sent.filter((_, at) => cut[at]!.every((datagram) => here.has(datagram)));
      assert.deepEqual(assemble(arrived).given, whole);
    }),
    { numRuns: 200 },
  );
});

test("the parts of five messages may come in any order, and twice", () => {
  const few = fc.array(fc.nat(6_000), { minLength: 1, maxLength: windowMessages });
  fc.assert(
    fc.property(few, firstNumber, fc.nat(), (given, first, seed) => {
      const sent = messages(given);
      const [head, ...rest] = sent.flatMap((body, at) => splitMessage(body, (first + at) & 0xffff));
      const shuffled = over(rest, { lost: 0, doubled: 0.5, shuffled: rest.length, seed });
      const result = assemble([head!, ...shuffled]);
      const inOrder = result.given.sort((one, other) => one.readUInt32BE() - other.readUInt32BE());
      assert.deepEqual(inOrder, sent);
      assert.equal(result.usedBytes, 0);
    }),
    { numRuns: 200 },
  );
});

test("parts that lie about which they are never make another error, nor memory beyond what came", () => {
  const lie = fc.record({
    number: fc.nat(7),
    index: fc.oneof(fc.nat(6), fc.nat(65_534)),
    more: fc.oneof(fc.nat(4), fc.nat(65_535)),
    bytes: fc.oneof(fc.constant(493), fc.nat(600)),
  });
  fc.assert(
    fc.property(fc.array(lie, { maxLength: 60 }), (lies) => {
      let came = 0;
      let peakOverBytes = 0;
      let usedBytes = 0;
      const take = (bytes: number): boolean => {
        usedBytes += bytes;
        peakOverBytes = Math.max(peakOverBytes, usedBytes - came);
        return true;
      };
      const giveBack = (bytes: number): void => {
        usedBytes -= bytes;
      };
      const options = { maxMessageBytes: 100_000, expireAfterMs: 5_000, resyncAfterMs: 30_000 };
      const assembler = new PartAssembler({ ...options, room: { take, giveBack } });
      for (const { number, index, more, bytes } of lies) {
        const datagram = Buffer.alloc(bytes, index);
        came += bytes + perPartBytes;
        const total = Math.min(65_535, index + 1 + more);
        assembler.push(datagram, { number, index, total, start: 0, end: bytes }, 0)?.done();
        // A chunk has four parts at least; while it grows there are two, one double the other.
        assert.ok(peakOverBytes <= 2 * came + windowMessages * 4 * 493, `${peakOverBytes} over ${came}`);
      }
      assembler.close();
      assert.equal(usedBytes, 0);
    }),
    { numRuns: 300 },
  );
});

test("of two numbers that are not half of the circle apart, one is behind the other", () => {
  fc.assert(
    fc.property(fc.nat(65_535), fc.nat(65_535), (one, other) => {
      const ahead = numberDistance(one, other);
      const behind = numberDistance(other, one);
      if (one === other) assert.equal(ahead, 0);
      else if (((one - other) & 0xffff) === 0x8000) assert.ok(ahead < 0 && behind < 0);
      else assert.equal(ahead, -behind);
    }),
  );
});

test("any bytes, cut anywhere, are a datagram or malformed", () => {
  const valid = fc
    .tuple(fc.uint8Array({ maxLength: 493 }), fc.nat(65_535))
    .map(([body, number]) => splitMessage(Buffer.from(body), number)[0]!);
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 600 }).map((given) => Buffer.from(given)),
    fc.tuple(valid, fc.nat(510)).map(([datagram, end]) => datagram.subarray(0, end)),
    fc.tuple(valid, fc.nat(20), fc.nat(255)).map(([datagram, at, value]) => {
      const changed = Buffer.from(datagram);
      if (at < changed.length) changed[at] = value;
      return changed;
    }),
  );
  fc.assert(
    fc.property(bytes, (datagram) => {
      try {
        const { number, index, total, start, end } = decodeDatagram(datagram);
        assert.ok(number <= 0xffff && index < total && total <= 0xffff);
        assert.ok(start <= end && end <= datagram.length);
      } catch (error) {
        assert.ok(error instanceof PortwayError && error.code === "malformed", String(error));
      }
    }),
    { numRuns: 1_000 },
  );
});

test("notices are read as they were written, and cut anywhere they are none", () => {
  const id = fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) => Buffer.from(bytes));
  const kind = fc.constantFrom(...(Object.keys(noticeKinds) as NoticeKind[]));
  fc.assert(
    fc.property(kind, fc.nat(255), id, id, fc.nat(50), (given, reason, dialerId, listenerId, cut) => {
      const notice = { kind: given, reason, dialerId, listenerId };
      const body = encodeNotice(notice);
      assert.deepEqual(decodeNotice(body, 0, body.length), notice);
      if (cut < body.length) assert.equal(decodeNotice(body, 0, cut), undefined);
    }),
  );
});

test("any bytes are a notice or none", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (given) => {
      const bytes = Buffer.from(given);
      assert.equal(decodeNotice(bytes, 0, bytes.length), undefined);
    }),
  );
});
