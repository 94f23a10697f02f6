import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { PortwayError } from "../../src/base/errors.js";
import type { Message } from "../../src/model/message.js";
import { decodeMessage } from "../../src/wire/decode.js";
import { encodeMessage, frameBytes, headBytes, tailBytes } from "../../src/wire/encode.js";
import { choices, messageOf, plainMessage, plainOf } from "./arbitraries.js";
import { choicesFrom, laxMessage } from "./lax-cbor.js";
import { liveSessions } from "./live-vectors.js";
import { goldenFrames, hex } from "./vectors.js";

/** A message, or "malformed"; anything else that is thrown ends the test. */
function outcome(body: Buffer): Message | "malformed" {
  try {
    const message = decodeMessage(body, 0, body.byteLength);
    // What is given must be whole: all of it can be read and written.
    plainOf(message);
    assert.equal(encodeMessage(message).byteLength, frameBytes(message));
    return message;
  } catch (error) {
    if (error instanceof PortwayError && error.code === "malformed") return "malformed";
    throw error;
  }
}

/**
 * The same message with a head longer than needed, which only the lenient reader takes. Undefined if the head is none
 * that the fast reader takes.
 */
function lenientForm(body: Buffer): Buffer | undefined {
  const head = body[0];
  if (head === undefined || head < 0x80 || head > 0x97) return undefined;
  return Buffer.concat([Buffer.of(0x98, head - 0x80), body.subarray(1)]);
}

function assertBothReadersAgree(body: Buffer): void {
  const lenient = lenientForm(body);
  if (lenient === undefined) return;
  const one = outcome(body);
  const other = outcome(lenient);
  if (one === "malformed" || other === "malformed") {
    assert.equal(one, other);
    return;
  }
  assert.deepEqual(plainOf(one), plainOf(other));
  assert.ok(encodeMessage(one).equals(encodeMessage(other)));
}

const validBody = fc.oneof(
  plainMessage.map((plain) => laxMessage(plain, () => 0)),
  fc.tuple(plainMessage, choices).map(([plain, list]) => laxMessage(plain, choicesFrom(list))),
  fc.constantFrom(
    ...goldenFrames.map(({ frame }) => frame.subarray(4)),
    ...liveSessions.flatMap(({ frames }) => frames.flatMap(({ bodyHex }) => (bodyHex ? hex(bodyHex) : []))),
  ),
);

/** A valid body with a few bytes or bits of it changed, and cut somewhere. */
const damagedBody = fc
  .tuple(
    validBody,
    fc.array(
      fc.record({
        at: fc.oneof(fc.nat(60), fc.nat()),
        to: fc.option(
          fc.constantFrom(0x00, 0x1f, 0x40, 0x58, 0x5b, 0x5f, 0x80, 0x9f, 0xa0, 0xc1, 0xf6, 0xff),
        ),
        bit: fc.nat(7),
      }),
      { maxLength: 4 },
    ),
    fc.option(fc.nat()),
  )
  .map(([body, changes, cut]) => {
    const damaged = Buffer.from(body);
    for (const { at, to, bit } of changes) {
      if (damaged.byteLength === 0) break;
      const index = at % damaged.byteLength;
      damaged[index] = to ?? damaged[index]! ^ (1 << bit);
    }
    return cut === null ? damaged : damaged.subarray(0, cut % (damaged.byteLength + 1));
  });

test("every message is the same after it was written and read", () => {
  fc.assert(
    fc.property(plainMessage, (plain) => {
      const message = messageOf(plain);
      const frame = encodeMessage(message);
      assert.equal(frame.byteLength, frameBytes(message));
      assert.equal(frame.readUInt32BE(0), frame.byteLength - 4);
      assert.equal(headBytes(message) + plain.payload.byteLength + tailBytes(message), frame.byteLength);
      const read = decodeMessage(frame, 4, frame.byteLength);
      assert.deepEqual(plainOf(read), plain);
      assert.ok(encodeMessage(read).equals(frame));
    }),
  );
});

test("a message is written as an encoder of no relation writes it", () => {
  fc.assert(
    fc.property(plainMessage, (plain) => {
      assert.ok(
        encodeMessage(messageOf(plain))
          .subarray(4)
          .equals(laxMessage(plain, () => 0)),
      );
    }),
  );
});

test("a message in any of its many forms is read as the message", () => {
  fc.assert(
    fc.property(plainMessage, choices, (plain, list) => {
      const body = laxMessage(plain, choicesFrom(list));
      const message = decodeMessage(body, 0, body.byteLength);
      assert.deepEqual(plainOf(message), plain);
      assert.ok(
        encodeMessage(message)
          .subarray(4)
          .equals(laxMessage(plain, () => 0)),
      );
    }),
    { numRuns: 500 },
  );
});

test("a message in any of its many forms that is cut inside is malformed", () => {
  fc.assert(
    fc.property(plainMessage, choices, fc.nat(), (plain, list, cut) => {
      const whole = laxMessage(plain, choicesFrom(list));
      // Up to two bytes behind the message are no part of it.
      const body = whole.subarray(0, cut % Math.max(1, whole.byteLength - 2));
      const end = outcome(body);
      if (end === "malformed") return;
      assert.deepEqual(plainOf(end), plain);
      assert.ok(whole.subarray(body.byteLength).every((byte) => byte === 0xff));
    }),
    { numRuns: 500 },
  );
});

test("any bytes are a message or malformed, for both readers alike", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.integer({ min: 0x80, max: 0x9f }), (bytes, head) => {
      outcome(Buffer.from(bytes));
      const body = Buffer.concat([Buffer.of(head), bytes]);
      outcome(body);
      assertBothReadersAgree(body);
    }),
    { numRuns: 2000 },
  );
});

test("any bytes that look like heads are a message or malformed, for both readers alike", () => {
  const heads = [
    0x00, 0x18, 0x40, 0x41, 0x58, 0x60, 0x80, 0x81, 0x82, 0x83, 0x84, 0x9f, 0xa1, 0xbf, 0xc1, 0xf6, 0xff,
  ];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...heads), { maxLength: 40 }), (bytes) => {
      const body = Buffer.from(bytes);
      outcome(body);
      assertBothReadersAgree(body);
    }),
    { numRuns: 5000 },
  );
});

test("a damaged message is a message or malformed, for both readers alike", () => {
  fc.assert(
    fc.property(damagedBody, (body) => {
      outcome(body);
      assertBothReadersAgree(body);
    }),
    { numRuns: 5000 },
  );
});

test("each single bit of each example may be wrong", () => {
  for (const { frame } of goldenFrames) {
    const body = Buffer.from(frame.subarray(4));
    for (let bit = 0; bit < body.byteLength * 8; bit += 1) {
      body[bit >> 3]! ^= 1 << (bit & 7);
      outcome(body);
      assertBothReadersAgree(body);
      body[bit >> 3]! ^= 1 << (bit & 7);
    }
  }
});

test("a damaged message that is accepted goes on in a form that is no longer and that is read alike", () => {
  fc.assert(
    fc.property(damagedBody, (body) => {
      const message = outcome(body);
      if (message === "malformed") return;
      const frame = encodeMessage(message);
      assert.ok(frame.byteLength - 4 <= body.byteLength);
      assert.deepEqual(plainOf(decodeMessage(frame, 4, frame.byteLength)), plainOf(message));
    }),
    { numRuns: 2000 },
  );
});
