import assert from "node:assert/strict";
import { test } from "node:test";
import type { Message } from "../../src/model/message.js";
import { decodeMessage } from "../../src/wire/decode.js";
import { maxFrameBytes } from "../../src/wire/limits.js";
import { hex } from "./vectors.js";

/** `before`, then `piece` as often as the largest frame has room for it, then `after`; `count` goes before the pieces. */
function filled(before: string, piece: string, after = "", withCount?: (count: number) => Buffer): Buffer {
  const [head, one, tail] = [hex(before), hex(piece), hex(after)];
  const room = maxFrameBytes - head.byteLength - tail.byteLength - 8;
  const count = Math.floor(room / one.byteLength);
  const parts = [
    head,
    withCount?.(count) ?? Buffer.alloc(0),
    Buffer.alloc(count * one.byteLength, one),
    tail,
  ];
  return Buffer.concat(parts);
}

function arrayOf(count: number): Buffer {
  const head = Buffer.of(0x9a, 0, 0, 0, 0);
  head.writeUInt32BE(count, 1);
  return head;
}

/** The largest frames that a peer may send, made to be as much work as can be. */
const hostile: readonly [what: string, body: () => Buffer, end: "message" | "malformed"][] = [
  ["an onward route of small addresses", () => filled("83", "820040", "80 40", arrayOf), "message"],
  ["a return route of small addresses", () => filled("83 80", "820040", "40", arrayOf), "message"],
  [
    "a route of small addresses in a longer form",
    () => filled("83", "8218004161", "80 40", arrayOf),
    "message",
  ],
  ["an indefinite route of indefinite addresses", () => filled("83 9f", "9f0040ff", "ff 80 40"), "message"],
  [
    "a route whose last address is wrong",
    () => filled("83", "820040", "00 80 40", (n) => arrayOf(n + 1)),
    "malformed",
  ],
  [
    "a route of addresses with more elements",
    () => filled("83", "8500408000f6", "80 40", arrayOf),
    "message",
  ],
  [
    "an address of small elements",
    () => filled("83 81", "00", "80 40", (n) => Buffer.concat([arrayOf(n + 2), hex("0040")])),
    "message",
  ],
  [
    "a message of small elements",
    () => filled("", "00", "", (n) => Buffer.concat([arrayOf(n + 3), hex("808040")])),
    "malformed",
  ],
  ["an indefinite message of small elements", () => filled("9f 80 80 40 f6", "00", "ff"), "message"],
  ["an indefinite message of small arrays", () => filled("9f 80 80 40 f6", "8100", "ff"), "message"],
  ["an indefinite message of empty arrays", () => filled("9f 80 80 40 f6", "9fff", "ff"), "message"],
  [
    "an indefinite message of empty strings in pieces",
    () => filled("9f 80 80 40 f6", "5fff", "ff"),
    "message",
  ],
  ["an extra array of small elements", () => filled("85 80 80 40 f6", "00", "", arrayOf), "message"],
  ["an extra array of arrays of arrays", () => filled("85 80 80 40 f6 9f", "818180", "ff"), "message"],
  ["an extra map of small elements", () => filled("85 80 80 40 f6 bf", "0000", "ff"), "message"],
  ["an extra string of small pieces", () => filled("85 80 80 40 f6 5f", "4100", "ff"), "message"],
  ["an extra string of empty pieces", () => filled("85 80 80 40 f6 7f", "60", "ff"), "message"],
  ["nested arrays", () => filled("85 80 80 40 f6", "81"), "malformed"],
  ["nested indefinite arrays", () => filled("85 80 80 40 f6", "9f"), "malformed"],
  ["nested maps", () => filled("85 80 80 40 f6", "bf00"), "malformed"],
  ["nested tags", () => filled("85 80 80 40 f6", "c1"), "malformed"],
  ["nested arrays instead of a route", () => filled("83", "81"), "malformed"],
  ["nested arrays instead of a message", () => filled("", "83"), "malformed"],
  [
    "one address",
    () =>
      filled("83 81 8200", "61", "80 40", (n) => Buffer.concat([Buffer.of(0x5a), arrayOf(n).subarray(1)])),
    "message",
  ],
  [
    "a tracing context",
    () => filled("84 80 80 40", "61", "", (n) => Buffer.concat([Buffer.of(0x7a), arrayOf(n).subarray(1)])),
    "message",
  ],
];

/** Of processor time, so that other programs do not count. */
const maxMs = 2000;
const maxGrowthBytes = 4 * maxFrameBytes;

function heldBytes(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

for (const [what, make, end] of hostile) {
  test(`16 MiB of ${what} are read and shown in less than two seconds and with little memory`, () => {
    const body = make();
    assert.ok(body.byteLength <= maxFrameBytes && body.byteLength > maxFrameBytes - 16, `${body.byteLength}`);
    const heldBefore = heldBytes();
    const before = process.cpuUsage();
    let message: Message | undefined;
    let code: unknown;
    try {
      message = decodeMessage(body, 0, body.byteLength);
      // As for whoever watches messages.
      assert.notEqual(`${message.onward}, ${message.return}`, "");
    } catch (error) {
      code = (error as { code?: unknown }).code;
    }
    const { user, system } = process.cpuUsage(before);
    const tookMs = (user + system) / 1000;
    const grownBytes = heldBytes() - heldBefore;
    assert.ok(tookMs < maxMs, `it took ${tookMs} ms`);
    assert.ok(grownBytes < maxGrowthBytes, `it grew by ${grownBytes} bytes`);
    assert.equal(code ?? "message", end);
    assert.equal(message === undefined, end === "malformed");
  });
}
