import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Address } from "../../src/model/address.js";
import { Message } from "../../src/model/message.js";
import { Route } from "../../src/model/route.js";
import { decodeDatagram, splitMessage } from "../../src/wire/datagram.js";
import { decodeMessage } from "../../src/wire/decode.js";
import { encodeMessage } from "../../src/wire/encode.js";
import { lengthBytes, maxFrameBytes, protocolVersion } from "../../src/wire/limits.js";
import { PartAssembler } from "../../src/wire/parts.js";
import { projectRoot } from "../support/project-root.js";

export interface RecordedAddress {
  readonly type: number;
  readonly value: string;
}

/** What a message says, read by a program that has no part of the product. */
export interface RecordedMessage {
  readonly onwardRoute: readonly RecordedAddress[];
  readonly returnRoute: readonly RecordedAddress[];
  readonly payloadHex: string;
  readonly tracing: string | null;
}

/** What passed on a link: the byte that tells the version, or a frame with its length in front. */
export type RecordedFrame =
  | { readonly from: RecordedSide; readonly version: string }
  | { readonly from: RecordedSide; readonly frame: string; readonly decoded: RecordedMessage };

export type RecordedSide = "dialer" | "listener";

/** What passed between a node of Portway and one of Ockam, from the first byte on. */
export interface RecordedSession {
  readonly name: string;
  readonly dialer: "Ockam" | "Portway";
  readonly listener: "Ockam" | "Portway";
  readonly frames: readonly RecordedFrame[];
}

/** A part of a message, read by a program that has no part of the product. */
export interface RecordedPart {
  readonly number: number;
  readonly index: number;
  readonly total: number;
  readonly partHex: string;
}

export interface RecordedDatagram extends RecordedPart {
  readonly from: RecordedSide;
  readonly datagram: string;
}

/** The same over UDP: the datagrams, and the messages that they carried. */
export interface RecordedExchange {
  readonly name: string;
  readonly dialer: "Ockam" | "Portway";
  readonly listener: "Ockam" | "Portway";
  readonly datagrams: readonly RecordedDatagram[];
  readonly messages: readonly {
    readonly from: RecordedSide;
    readonly number: number;
    readonly decoded: RecordedMessage;
  }[];
}

export interface Recording {
  readonly origin: string;
  readonly sessions: readonly RecordedSession[];
  readonly exchanges: readonly RecordedExchange[];
}

export const recordingFile = "ockam-0.150-portway.json";

export function readRecording(): Recording {
  return JSON.parse(readFileSync(join(projectRoot, "test/wire/vectors", recordingFile), "utf8"));
}

/** Each frame is read as it was recorded, and what it says is written as the bytes that passed, whoever wrote them. */
export function checkSession({ name, frames }: RecordedSession): void {
  for (const [at, recorded] of frames.entries()) {
    const where = `${name}, ${at}`;
    if ("version" in recorded) {
      assert.equal(Number.parseInt(recorded.version, 16), protocolVersion, where);
      continue;
    }
    const { frame, decoded } = recorded;
    const bytes = Buffer.from(frame, "hex");
    assert.equal(bytes.readUInt32BE(), bytes.byteLength - lengthBytes, where);
    checkMessage(bytes, decoded, where);
  }
}

/** The same for datagrams: each is read as it was recorded, their messages too, and written as the parts that passed. */
export function checkExchange({ name, datagrams, messages }: RecordedExchange): void {
  for (const { from, number, decoded } of messages) {
    const where = `${name}, ${number} of the ${from}`;
    const recorded = datagrams.filter((each) => each.from === from && each.number === number);
    const assembler = new PartAssembler({
      maxMessageBytes: maxFrameBytes,
      room: { take: () => true, giveBack() {} },
      expireAfterMs: Number.POSITIVE_INFINITY,
      resyncAfterMs: Number.POSITIVE_INFINITY,
    });
    let body: Buffer | undefined;
    for (const { datagram, partHex, ...facts } of recorded) {
      const bytes = Buffer.from(datagram, "hex");
      const part = decodeDatagram(bytes);
      const { start, end, ...read } = part;
      assert.deepEqual({ from, ...read }, facts, where);
      assert.equal(bytes.toString("hex", start, end), partHex, where);
      const whole = assembler.push(bytes, part, 0);
      if (whole !== undefined) body = whole.bytes.subarray(whole.start, whole.end);
    }
    assert.ok(body !== undefined, where);
    checkMessage(Buffer.concat([Buffer.alloc(lengthBytes), body]), decoded, where);
    // The reference ends a message that fills its parts with an empty one.
    if (recorded.at(-1)!.partHex === "") continue;
    const split = splitMessage(body, number).map((datagram) => datagram.toString("hex"));
    const passed = recorded.map(({ datagram }) => datagram);
    assert.deepEqual(split, passed, where);
  }
}

/** `frame` has room for a length in front, which is not looked at. */
function checkMessage(frame: Buffer, decoded: RecordedMessage, where: string): void {
  const message = decodeMessage(frame, lengthBytes, frame.byteLength);
  assert.deepEqual(plainRoute(message.onward), decoded.onwardRoute, where);
  assert.deepEqual(plainRoute(message.return), decoded.returnRoute, where);
  assert.equal(message.payload.toString("hex"), decoded.payloadHex, where);
  assert.equal(message.trace?.toString() ?? null, decoded.tracing, where);

  const made = Message.of({
    onward: routeOf(decoded.onwardRoute),
    return: routeOf(decoded.returnRoute),
    payload: Buffer.from(decoded.payloadHex, "hex"),
    trace: decoded.tracing === null ? undefined : Buffer.from(decoded.tracing),
  });
  const body = frame.toString("hex", lengthBytes);
  assert.equal(encodeMessage(message).toString("hex", lengthBytes), body, where);
  assert.equal(encodeMessage(made).toString("hex", lengthBytes), body, where);
}

function plainRoute(route: Route): RecordedAddress[] {
  return route.addresses().map(({ type, text }) => ({ type, value: text }));
}

function routeOf(addresses: readonly RecordedAddress[]): Route {
  return Route.of(...addresses.map(({ type, value }) => new Address(type, Buffer.from(value))));
}
