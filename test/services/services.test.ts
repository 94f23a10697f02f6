import assert from "node:assert/strict";
import { test } from "node:test";
import { Address } from "../../src/model/address.js";
import { encodeBareBytes } from "../../src/model/bare.js";
import { type Backing, Message } from "../../src/model/message.js";
import { Route } from "../../src/model/route.js";
import type { Outcome, Worker } from "../../src/routing/worker.js";
import { createEcho } from "../../src/services/echo.js";
import { createHop } from "../../src/services/hop.js";
import { createUppercase } from "../../src/services/uppercase.js";
import { createTestGate } from "../support/router-pair.js";
import { liveSessions } from "../wire/live-vectors.js";

/** What a service asks of its router: takes messages, or answers what a test says. */
class Onwards {
  readonly sent: Message[] = [];
  outcome: Outcome;

  forward(message: Message): Outcome {
    if (this.outcome === undefined) this.sent.push(message);
    return this.outcome;
  }
}

interface Service {
  readonly name: string;
  readonly create: (router: Onwards, own: Address) => Worker;
  readonly onward: string;
}

const services: readonly Service[] = [
  { name: "echo", create: createEcho, onward: "own" },
  { name: "uppercase", create: createUppercase, onward: "own" },
  { name: "hop", create: createHop, onward: "own => next" },
];

const own = Address.local("own");
const backing: Backing = { hold() {}, release() {} };
const trace = Buffer.from("{}");

function message(onward: string, payload: Buffer, back = "tcp => app"): Message {
  return Message.of({ onward: Route.parse(onward), return: Route.parse(back), payload, trace, backing });
}

const bare = (text: string): Buffer => encodeBareBytes(Buffer.from(text));

function routes({ onward, return: back }: Message): readonly [string, string] {
  return [onward.toString(), back.toString()];
}

test("echo sends any payload back as it is, on the request's return route, with itself as the way back", () => {
  const onwards = new Onwards();
  const echo = createEcho(onwards, own);
  // A BARE string, the CBOR number of an Ockam session's ping, nothing, and what is no text in any encoding.
  for (const hex of ["0568656c6c6f", "1bdb81b9f81f71670a", "", "ffff"]) {
    const request = message("own", Buffer.from(hex, "hex"));
    assert.equal(echo.handle(request), undefined);
    const answer = onwards.sent.at(-1)!;
    assert.deepEqual(routes(answer), ["0#tcp => 0#app", "0#own"]);
    assert.equal(answer.payload, request.payload, "not copied");
    assert.equal(answer.backing, backing);
    assert.equal(answer.trace, trace);
  }
});

test("uppercase answers a BARE string with the same in upper case, by the rules of Unicode", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["hello", "HELLO"],
    ["", ""],
    ["Straße", "STRASSE"],
    ["ŉ éàü ÿ", "ʼN ÉÀÜ Ÿ"],
    ["ςσ ﬁ", "ΣΣ FI"],
    ["i\u0307", "I\u0307"],
    ["\ufeffbom", "\ufeffBOM"],
    ["x".repeat(300), "X".repeat(300)],
  ];
  for (const [given, expected] of cases) {
    const onwards = new Onwards();
    assert.equal(createUppercase(onwards, own).handle(message("own", bare(given))), undefined);
    const [answer] = onwards.sent;
    assert.equal(answer?.payload.toString("hex"), bare(expected).toString("hex"), given);
    assert.deepEqual(routes(answer!), ["0#tcp => 0#app", "0#own"]);
    assert.equal(answer?.backing, undefined, "its bytes are new");
    assert.equal(answer?.trace, trace);
  }
});

test("uppercase gives the payload that a live Ockam node gives for the same request", () => {
  const [session] = liveSessions.filter(({ name }) => name.startsWith("message and the same portal"));
  const [request, answer] = session!.frames
    .map(({ decoded }) => decoded?.payloadHex)
    .filter((payload) => payload !== undefined);
  const onwards = new Onwards();

  createUppercase(onwards, own).handle(message("own", Buffer.from(request!, "hex")));

  assert.equal(onwards.sent[0]?.payload.toString("hex"), answer);
});

test("uppercase drops what is no BARE string of UTF-8 and answers nothing", () => {
  for (const hex of ["", "05", "0568656c", "02c3c3", "01ff", "ffffffffffffffffff7f"]) {
    const onwards = new Onwards();
    const outcome = createUppercase(onwards, own).handle(message("own", Buffer.from(hex, "hex")));
    assert.equal(outcome, "malformed_payload", hex);
    assert.deepEqual(onwards.sent, []);
  }
});

test("hop takes itself off the onward route, puts itself on the return route, and leaves the payload alone", () => {
  const onwards = new Onwards();
  const request = message("own => tcp => echo", Buffer.from("any bytes"));
  assert.equal(createHop(onwards, own).handle(request), undefined);
  const [passed] = onwards.sent;
  assert.deepEqual(routes(passed!), ["0#tcp => 0#echo", "0#own => 0#tcp => 0#app"]);
  assert.equal(passed?.payload.buffer, request.payload.buffer, "not copied");
  assert.deepEqual(passed?.payload, request.payload);
  assert.equal(passed?.backing, backing);
  assert.equal(passed?.trace, trace);
});

test("a hop at the end of a route, and a service without a way back, drop the message", () => {
  const onwards = new Onwards();
  assert.equal(createHop(onwards, own).handle(message("own", bare("x"))), "route_exhausted");
  for (const create of [createEcho, createUppercase]) {
    assert.equal(create(onwards, own).handle(message("own", bare("x"), "")), "route_exhausted");
  }
  assert.deepEqual(onwards.sent, []);
});

test("the entrance and the observer of the exit travel with what a hop passes on; an answer keeps the entrance", () => {
  const entrance = { address: Address.local("connection") };
  const exit = { leftOn() {} };
  for (const { create, onward, name } of services) {
    const onwards = new Onwards();
    const fields = { onward: Route.parse(onward), return: Route.parse("app"), payload: bare("x") };
    create(onwards, own).handle(Message.of({ ...fields, entrance, exit }));
    assert.equal(onwards.sent[0]?.entrance, entrance, name);
    // What an answer leaves on tells whoever asked nothing.
    assert.equal(onwards.sent[0]?.exit, name === "hop" ? exit : undefined, name);
  }
});

test("a gate or a drop behind a service is the service's own outcome, and the same message passes later", () => {
  for (const { create, onward, name } of services) {
    const onwards = new Onwards();
    const worker = create(onwards, own);
    const request = message(onward, bare("x"));
    const gate = createTestGate();
    onwards.outcome = gate;
    assert.equal(worker.handle(request), gate, name);
    onwards.outcome = "not_connected";
    assert.equal(worker.handle(request), "not_connected", name);
    onwards.outcome = undefined;
    assert.equal(worker.handle(request), undefined, name);
    assert.equal(onwards.sent.length, 1, name);
  }
});
