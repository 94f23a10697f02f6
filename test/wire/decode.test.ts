import assert from "node:assert/strict";
import { test } from "node:test";
import { Message } from "../../src/model/message.js";
import { Route } from "../../src/model/route.js";
import { decodeMessage } from "../../src/wire/decode.js";
import { encodeMessage } from "../../src/wire/encode.js";
import { maxSkipDepth, maxTraceBytes } from "../../src/wire/limits.js";
import { goldenFrames, hex } from "./vectors.js";

function decode(...pieces: readonly string[]): Message {
  const body = hex(...pieces);
  return decodeMessage(body, 0, body.byteLength);
}

/** A message as one line, to compare all of it at once. */
function said(message: Message): string {
  const trace = message.trace === undefined ? "" : ` trace ${message.trace}`;
  return `to [${message.onward}] from [${message.return}] payload ${message.payload.toString("hex")}${trace}`;
}

/** The same message with routes that were never on the wire. */
function anew({ onward, return: back, payload, trace }: Message): Message {
  return Message.of({
    onward: Route.of(...onward.addresses()),
    return: Route.of(...back.addresses()),
    payload,
    trace,
  });
}

const echo = "81 8200446563686f"; // the route [0#echo]
const app = "81 820043617070"; // the route [0#app]
const hello = "46 0568656c6c6f"; // the payload
const expected = "to [0#echo] from [0#app] payload 0568656c6c6f";

const lenient: readonly [what: string, body: string, says?: string][] = [
  ["a message of 3 elements", `83 ${echo} ${app} ${hello}`],
  ["a message of 4 elements", `84 ${echo} ${app} ${hello} 627b7d`, `${expected} trace {}`],
  ["an empty tracing context", `84 ${echo} ${app} ${hello} 60`, `${expected} trace `],
  ["null in the place of the tracing context", `84 ${echo} ${app} ${hello} f6`],
  ["a fifth element", `85 ${echo} ${app} ${hello} 627b7d 01`, `${expected} trace {}`],
  ["a fifth element after null", `85 ${echo} ${app} ${hello} f6 a1 01 02`],
  ["23 elements", `97 ${echo} ${app} ${hello} 627b7d ${"00".repeat(19)}`, `${expected} trace {}`],
  ["24 elements", `9818 ${echo} ${app} ${hello} 627b7d ${"00".repeat(20)}`, `${expected} trace {}`],
  [
    "an extra element of each kind",
    `8f ${echo} ${app} ${hello} f6 00 20 4161 6161 80 a0 c100 f5 f90000 9fff bfff`,
  ],
  [
    "extra floats and simple values",
    `89 ${echo} ${app} ${hello} f6 fa00000000 fb0000000000000000 f820 f7 f4`,
  ],
  ["an extra element with others in it", `85 ${echo} ${app} ${hello} f6 82 a2 01 8102 03 9f04ff c2 4105`],
  ["extra strings in pieces", `86 ${echo} ${app} ${hello} f6 5f 4161 40 ff 7f 6161 ff`],
  ["bytes after the message", `83 ${echo} ${app} ${hello} ff00ff`],
  ["bytes after a message with tracing", `84 ${echo} ${app} ${hello} 627b7d 1c`, `${expected} trace {}`],
  ["an indefinite message", `9f ${echo} ${app} ${hello} ff`],
  ["an indefinite message with tracing", `9f ${echo} ${app} ${hello} 627b7d ff`, `${expected} trace {}`],
  ["an indefinite message with more", `9f ${echo} ${app} ${hello} f6 8101 02 ff`],
  ["bytes after an indefinite message", `9f ${echo} ${app} ${hello} ff ff`],
  ["an indefinite onward route", `83 9f 8200446563686f ff ${app} ${hello}`],
  ["an indefinite return route", `83 ${echo} 9f 820043617070 ff ${hello}`],
  ["indefinite empty routes", `83 9fff 9fff ${hello}`, "to [] from [] payload 0568656c6c6f"],
  ["an indefinite address", `83 81 9f 00 446563686f ff ${app} ${hello}`],
  ["an indefinite address with more", `83 81 9f 00 446563686f 01 8100 ff ${app} ${hello}`],
  ["everything indefinite at once", `9f 9f 9f00446563686fff ff 9f 9f0043617070ff ff ${hello} f6 ff`],
  [
    "the last example of PROTOCOL.md",
    "9f 9f 83 1800 5804 6563686f f6 ff 9801 9f 00 43 617070 ff 590006 0568656c6c6f f6 8101 ff 0000",
  ],
  ["an address of 3 elements", `83 81 83 00 446563686f 00 ${app} ${hello}`],
  ["an address of 5 elements", `83 81 85 00 446563686f f6 8101 6161 ${app} ${hello}`],
  ["a transport type in two bytes", `83 81 82 1800 446563686f ${app} ${hello}`],
  ["a transport type in nine bytes", `83 81 82 1b0000000000000000 446563686f ${app} ${hello}`],
  ["a message head in two bytes", `9803 ${echo} ${app} ${hello}`],
  ["a message head in nine bytes", `9b0000000000000003 ${echo} ${app} ${hello}`],
  ["a route head in three bytes", `83 990001 8200446563686f ${app} ${hello}`],
  ["an address head in five bytes", `83 81 9a00000002 00 446563686f ${app} ${hello}`],
  ["a value head in two bytes", `83 81 82 00 5804 6563686f ${app} ${hello}`],
  ["a value head in three bytes", `83 ${echo} 81 82 00 590003 617070 ${hello}`],
  ["a payload head in five bytes", `83 ${echo} ${app} 5a00000006 0568656c6c6f`],
  ["a payload head in nine bytes", `83 ${echo} ${app} 5b0000000000000006 0568656c6c6f`],
  ["a tracing head in three bytes", `84 ${echo} ${app} ${hello} 790002 7b7d`, `${expected} trace {}`],
  ["a heartbeat", "83 80 80 40", "to [] from [] payload "],
  ["an address without bytes", `83 81 820040 ${app} ${hello}`, "to [0#] from [0#app] payload 0568656c6c6f"],
  ["the largest transport type", `83 81 82 18ff 4161 80 40`, "to [255#a] from [] payload "],
  ["the smallest transport type of two bytes", `83 81 82 1818 4161 80 40`, "to [24#a] from [] payload "],
  ["address bytes that are no UTF-8", `83 81 82 00 42 ff23 80 40`, "to [0#\ufffd#] from [] payload "],
];

for (const [what, body, says = expected] of lenient) {
  test(`${what} is accepted`, () => {
    assert.equal(said(decode(body)), says);
  });

  test(`${what} is sent on in the shortest form`, () => {
    const message = decode(body);
    const frame = encodeMessage(message);
    assert.equal(said(decodeMessage(frame, 4, frame.byteLength)), says);
    assert.equal(frame.toString("hex"), encodeMessage(anew(message)).toString("hex"));
  });
}

const rejected: readonly [what: string, body: string, says: RegExp][] = [
  ["no bytes at all", "", /ends too soon/],
  ["a message of no elements", "80", /0 elements/],
  ["a message of 2 elements", `82 ${echo} ${app}`, /2 elements/],
  ["a message of 2 elements with more behind it", `82 ${echo} ${app} ${hello} 60`, /2 elements/],
  [
    "a message of 128 elements that is one of 24 without the first byte",
    `9880 80 40 f6 ${"00".repeat(20)}`,
    /the return route has the major type 2/,
  ],
  ["an indefinite message of 2 elements", `9f ${echo} ${app} ff`, /the payload has the major type 7/],
  ["an indefinite message of no elements", "9f ff", /the onward route has the major type 7/],
  ["an indefinite message without its break", `9f ${echo} ${app} ${hello}`, /ends too soon/],
  ["an indefinite message with tracing without its break", `9f ${echo} ${app} ${hello} f6`, /ends too soon/],
  ["a map instead of the message", `a3 ${echo} ${app} ${hello}`, /the message has the major type 5/],
  [
    "an indefinite map instead of the message",
    `bf ${echo} ${app} ${hello} ff`,
    /the message has the major type 5/,
  ],
  ["a tagged message", `c1 83 ${echo} ${app} ${hello}`, /the message has the major type 6/],
  ["a message that is a byte string", "43 808040", /the message has the major type 2/],
  ["a break instead of the message", "ff", /the message has the major type 7/],
  ["a reserved head", `9c ${echo} ${app} ${hello}`, /reserved length/],
  ["a reserved head of a payload", `83 ${echo} ${app} 5d`, /reserved length/],
  ["a map instead of a route", `83 a0 ${app} ${hello}`, /the onward route has the major type 5/],
  ["null instead of a route", `83 ${echo} f6 ${hello}`, /the return route has the major type 7/],
  ["a break in a route of known length", `83 81 ff ${app} ${hello}`, /the onward route has the major type 7/],
  [
    "a break after a route of known length",
    `83 ${echo} ff ${app} ${hello}`,
    /the return route has the major type 7/,
  ],
  ["a break instead of address bytes", `83 81 9f00ff ${app} ${hello}`, /onward route has the major type 7/],
  ["a break instead of a transport type", `83 81 9fff ${app} ${hello}`, /onward route has the major type 7/],
  ["an address of 1 element", `83 81 8100 ${app} ${hello}`, /an address of the onward route has 1 elements/],
  ["an address of no elements", `83 ${echo} 81 80 ${hello}`, /an address of the return route has 0 elements/],
  ["an address that is a map", `83 81 a100446563686f ${app} ${hello}`, /major type 5/],
  ["an address that is a byte string", `83 81 446563686f ${app} ${hello}`, /major type 2/],
  [
    "address bytes as text",
    `83 81 8200646563686f ${app} ${hello}`,
    /onward route has the major type 3, not 2/,
  ],
  [
    "address bytes as integers",
    `83 81 8200841865 ${app} ${hello}`,
    /onward route has the major type 4, not 2/,
  ],
  ["address bytes in pieces", `83 81 82005f 446563686f ff ${app} ${hello}`, /comes in pieces/],
  ["a transport type of 256", `83 81 82190100446563686f ${app} ${hello}`, /is 256/],
  [
    "a transport type of 65 without address bytes",
    `83 81 82 1841 61 80 40`,
    /onward route has the major type 3/,
  ],
  ["a negative transport type", `83 81 8220446563686f ${app} ${hello}`, /major type 1/],
  ["a transport type without a value", `83 81 821f446563686f ${app} ${hello}`, /has no value/],
  [
    "a transport type of 2^53 and more",
    `83 81 821bffffffffffffffff4161 ${app} ${hello}`,
    /is 9007199254740991/,
  ],
  [
    "a payload of integers",
    `83 ${echo} ${app} 86 05 1868 1865 186c 186c 186f`,
    /the payload has the major type 4/,
  ],
  ["a payload as text", `83 ${echo} ${app} 66 0568656c6c6f`, /the payload has the major type 3/],
  ["a payload in pieces", `83 ${echo} ${app} 5f 41 05 ff`, /the payload comes in pieces/],
  ["null instead of a payload", `83 ${echo} ${app} f6`, /the payload has the major type 7/],
  [
    "a payload longer than the frame",
    `83 ${echo} ${app} 47 0568656c6c6f`,
    /the payload is longer than the frame/,
  ],
  ["a payload of 4 GiB", `83 ${echo} ${app} 5affffffff 05`, /the payload is longer than the frame/],
  [
    "a payload of 2^53 bytes",
    `83 ${echo} ${app} 5b0020000000000000 05`,
    /the payload is longer than the frame/,
  ],
  [
    "a payload of 2^64 - 1 bytes",
    `83 ${echo} ${app} 5bffffffffffffffff 05`,
    /the payload is longer than the frame/,
  ],
  ["an address longer than the frame", `83 81 8200 5900ff 00 ${app} ${hello}`, /is longer than the frame/],
  ["a route of 2^53 addresses", `83 9b0020000000000000 820040`, /ends too soon/],
  ["a route of 2^64 - 1 addresses", `83 9bffffffffffffffff 820040`, /ends too soon/],
  ["an address of 2^53 elements", `83 81 9b0020000000000000 00 4161 00`, /ends too soon/],
  ["a message of 2^53 elements", `9b0020000000000000 ${echo} ${app} ${hello} f6 00`, /ends too soon/],
  ["tracing as bytes", `84 ${echo} ${app} ${hello} 42 7b7d`, /the tracing context has the major type 2/],
  ["tracing as a map", `84 ${echo} ${app} ${hello} a0`, /the tracing context has the major type 5/],
  ["tracing as undefined", `84 ${echo} ${app} ${hello} f7`, /the tracing context has the major type 7/],
  ["tracing in pieces", `84 ${echo} ${app} ${hello} 7f 627b7d ff`, /the tracing context comes in pieces/],
  ["tracing that is no UTF-8", `84 ${echo} ${app} ${hello} 62 7bff`, /the tracing context is not UTF-8/],
  ["tracing longer than the frame", `84 ${echo} ${app} ${hello} 63 7b7d`, /longer than the frame/],
  ["a missing fourth element", `84 ${echo} ${app} ${hello}`, /ends too soon/],
  ["a missing fifth element", `85 ${echo} ${app} ${hello} 627b7d`, /ends too soon/],
  [
    "a break as the fourth element",
    `84 ${echo} ${app} ${hello} ff`,
    /the tracing context has the major type 7/,
  ],
  ["a break as the fifth element", `85 ${echo} ${app} ${hello} f6 ff`, /a break where an item was expected/],
  [
    "a break inside an extra array of known length",
    `85 ${echo} ${app} ${hello} f6 8200ff`,
    /a break where an item/,
  ],
  ["a break behind a tag", `85 ${echo} ${app} ${hello} f6 9f c1 ff`, /a break where an item was expected/],
  ["a break instead of a value of a map", `85 ${echo} ${app} ${hello} f6 bf 01 ff`, /the value of a map/],
  ["a text among pieces of bytes", `85 ${echo} ${app} ${hello} f6 5f 6161 ff`, /a piece of a string/],
  ["a piece of a string in pieces", `85 ${echo} ${app} ${hello} f6 5f 5f ff ff`, /comes in pieces/],
  ["a number without a value", `85 ${echo} ${app} ${hello} f6 1f`, /a head without a value/],
  ["a negative number without a value", `85 ${echo} ${app} ${hello} f6 3f`, /a head without a value/],
  ["a tag without a value", `85 ${echo} ${app} ${hello} f6 df 00`, /a head without a value/],
  ["a reserved head in an extra element", `85 ${echo} ${app} ${hello} f6 fc`, /reserved length/],
  [
    "an extra string longer than the frame",
    `85 ${echo} ${app} ${hello} f6 5bffffffffffffffff`,
    /longer than the frame/,
  ],
  ["an extra map of 2^64 - 1 pairs", `85 ${echo} ${app} ${hello} f6 bbffffffffffffffff 00`, /ends too soon/],
];

for (const [what, body, says] of rejected) {
  test(`${what} is malformed`, () => {
    assert.throws(() => decode(body), { name: "PortwayError", code: "malformed", message: says });
  });
}

test("a frame that is cut anywhere is malformed", () => {
  for (const { name, frame } of goldenFrames) {
    for (let end = 4; end < frame.byteLength; end += 1) {
      assert.throws(() => decodeMessage(frame, 4, end), { code: "malformed" }, `${name}, cut at ${end}`);
    }
  }
});

test("what lies around a frame in its buffer is not read", () => {
  for (const { frame } of goldenFrames) {
    const body = frame.subarray(4);
    const around = Buffer.concat([Buffer.alloc(7, 0x9f), body, Buffer.alloc(7, 0x00)]);
    assert.equal(
      said(decodeMessage(around, 7, 7 + body.byteLength)),
      said(decodeMessage(body, 0, body.byteLength)),
    );
  }
});

test("routes of 23, 24, 255 and 256 addresses are read and written in the shortest form", () => {
  for (const [count, head] of [
    [23, "97"],
    [24, "9818"],
    [255, "98ff"],
    [256, "990100"],
  ] as const) {
    const body = hex("83", head, "820043617070".repeat(count), "80 40");
    const message = decodeMessage(body, 0, body.byteLength);
    assert.equal(message.onward.length, count);
    assert.equal(message.onward.byteLength, 6 * count);
    assert.equal(encodeMessage(message).subarray(4).toString("hex"), body.toString("hex"));
  }
});

test("address bytes of every length at which the head grows are read and written in the shortest form", () => {
  for (const [length, head] of [
    [0, "40"],
    [23, "57"],
    [24, "5818"],
    [255, "58ff"],
    [256, "590100"],
    [65_535, "59ffff"],
    [65_536, "5a00010000"],
  ] as const) {
    const value = "61".repeat(length);
    const body = hex("83", "81 8200", head, value, "81 8207", head, value, head, value);
    const message = decodeMessage(body, 0, body.byteLength);
    assert.equal(message.onward.first.key.length, length);
    assert.equal(message.return.first.text.length, length);
    assert.equal(message.payload.byteLength, length);
    assert.equal(encodeMessage(message).subarray(4).toString("hex"), body.toString("hex"));
  }
});

test("address bytes with a longer head than they need go on with the shortest", () => {
  for (const [length, given, shortest] of [
    [0, "5800", "40"],
    [23, "5817", "57"],
    [24, "590018", "5818"],
    [255, "5900ff", "58ff"],
    [256, "5a00000100", "590100"],
    [65_535, "5a0000ffff", "59ffff"],
    [65_536, "5b0000000000010000", "5a00010000"],
  ] as const) {
    const value = "61".repeat(length);
    const message = decode("83", "81 8200", given, value, "80", given, value);
    const frame = encodeMessage(message).subarray(4);
    assert.equal(
      frame.toString("hex"),
      hex("83", "81 8200", shortest, value, "80", shortest, value).toString("hex"),
    );
  }
});

test("a tracing context of the limit is kept, and one above it is left out of a message that goes on", () => {
  const withTrace = (bytes: number) => {
    const size = Buffer.alloc(2);
    size.writeUInt16BE(bytes);
    return decode("84", echo, app, hello, "79", size.toString("hex"), "61".repeat(bytes));
  };
  assert.equal(withTrace(maxTraceBytes).trace?.byteLength, maxTraceBytes);
  const cut = withTrace(maxTraceBytes + 1);
  assert.equal(cut.trace, undefined);
  assert.equal(said(cut), expected);
  assert.equal(encodeMessage(cut)[4], 0x83);
});

test("extra elements may be nested as deep as the limit and no deeper", () => {
  for (const [open, close] of [
    ["81", ""],
    ["9f", "ff"],
    ["c1", ""],
    ["a100", ""],
    ["bf00", "ff"],
  ] as const) {
    const nested = (depth: number) => `${open.repeat(depth)}00${close.repeat(depth)}`;
    assert.equal(said(decode("85", echo, app, hello, "f6", nested(maxSkipDepth))), expected, open);
    assert.throws(() => decode("85", echo, app, hello, "f6", nested(maxSkipDepth + 1)), {
      code: "malformed",
      message: /nested deeper than 64/,
    });
  }
});

test("nothing of a message in the usual form is copied", () => {
  const body = hex("84", echo, app, hello, "63 7b207d");
  const message = decodeMessage(body, 0, body.byteLength);
  body.fill(0x62, 5, 9); // the bytes of "echo"
  body.fill(0x63, 13, 16); // the bytes of "app"
  assert.equal(message.onward.first.key, "bbbb");
  assert.equal(message.return.first.key, "ccc");
  assert.equal(message.payload.buffer, body.buffer);
  assert.equal(message.trace?.buffer, body.buffer);
});

test("the backing and the entrance that were given are those of the message, and the way back, in every form", () => {
  const backing = { hold() {}, release() {} };
  const entrance = { address: decode("83", echo, app, hello).onward.first };
  for (const head of ["83", "9803", "9f"]) {
    const body = hex(head, echo, app, hello, head === "9f" ? "ff" : "");
    const message = decodeMessage(body, 0, body.byteLength, backing, entrance);
    assert.equal(message.backing, backing);
    assert.equal(message.entrance, entrance);
    assert.deepEqual(
      message.return.addresses().map(({ text }) => text),
      [entrance.address.text, "app"],
    );
  }
});
