import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Address } from "../../src/model/address.js";
import { Message } from "../../src/model/message.js";
import { Route } from "../../src/model/route.js";
import { decodeMessage } from "../../src/wire/decode.js";
import { encodeMessage } from "../../src/wire/encode.js";
import { protocolVersion } from "../../src/wire/limits.js";
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

export interface Recording {
  readonly origin: string;
  readonly sessions: readonly RecordedSession[];
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
    const message = decodeMessage(bytes, 4, bytes.byteLength);
    assert.equal(bytes.readUInt32BE(), bytes.byteLength - 4, where);
    assert.deepEqual(plainRoute(message.onward), decoded.onwardRoute, where);
    assert.deepEqual(plainRoute(message.return), decoded.returnRoute, where);
    assert.equal(message.payload.toString("hex"), decoded.payloadHex, where);
    assert.equal(message.trace?.toString() ?? null, decoded.tracing, where);

    const made = new Message({
      onward: routeOf(decoded.onwardRoute),
      return: routeOf(decoded.returnRoute),
      payload: Buffer.from(decoded.payloadHex, "hex"),
      trace: decoded.tracing === null ? undefined : Buffer.from(decoded.tracing),
    });
    assert.equal(encodeMessage(message).toString("hex"), frame, where);
    assert.equal(encodeMessage(made).toString("hex"), frame, where);
  }
}

function plainRoute(route: Route): RecordedAddress[] {
  return route.addresses().map(({ type, text }) => ({ type, value: text }));
}

function routeOf(addresses: readonly RecordedAddress[]): Route {
  return Route.of(...addresses.map(({ type, value }) => new Address(type, Buffer.from(value))));
}
