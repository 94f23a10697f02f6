import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { freePort } from "../e2e/support/ports.js";
import { connectTo, exchange, exchangeOn, fateOf } from "../e2e/support/tcp-client.js";
import { behaviours, TcpTarget } from "../e2e/support/tcp-target.js";
import { until, within } from "../e2e/support/until.js";
import {
  checkExchange,
  checkSession,
  type RecordedExchange,
  type RecordedSession,
  recordingFile,
} from "../wire/recorded-vectors.js";
import { Link } from "./support/link.js";
import { OckamNode } from "./support/ockam-node.js";
import { PortwayNode } from "./support/portway-node.js";
import { UdpLink } from "./support/udp-link.js";

type Party = "Ockam" | "Portway";

const recorded: RecordedSession[] = [];
const exchanges: RecordedExchange[] = [];
const pace = { pingMs: 500, retryMs: 500 };

const otherThan = { Ockam: "Portway", Portway: "Ockam" } as const;

function keep(name: string, dialer: Party, { frames }: Link): void {
  const session = { name, dialer, listener: otherThan[dialer], frames: [...frames] };
  checkSession(session);
  recorded.push(session);
}

function keepExchange(name: string, dialer: Party, link: UdpLink): void {
  const { datagrams } = link;
  const exchange = { name, dialer, listener: otherThan[dialer], datagrams, messages: link.messages() };
  checkExchange(exchange);
  exchanges.push(exchange);
}

/** Whether a frame with this payload has passed. */
function has({ frames }: Link, payloadHex: string): boolean {
  return frames.some((each) => "decoded" in each && each.decoded.payloadHex === payloadHex);
}

const disconnectHex = "02";

test("messages that Portway sends to Ockam", async () => {
  await using portway = await PortwayNode.create("n1");
  const { node, port } = await OckamNode.listening();
  await using ockam = node;
  for (const hop of ["h1", "h2"]) await ockam.hop(hop);
  await using link = await Link.to(port, { records: true });
  const toOckam = await portway.connect(link.port);
  assert.equal(await portway.send([toOckam, "echo"], "hello"), "hello");
  assert.equal(await portway.send([toOckam, "h1", "h2", "uppercase"], "hello äöü"), "HELLO ÄÖÜ");
  keep("echo, and uppercase through two hops", "Portway", link);
});

test("messages that Ockam sends to Portway", async () => {
  await using portway = await PortwayNode.create("n1");
  for (const hop of ["h1", "h2"]) await portway.hop(hop);
  await using ockam = new OckamNode();
  await using link = await Link.to(portway.port, { records: true });
  const toPortway = await ockam.connect(link.port);
  for (const bytes of [0, 23, 24, 255, 256]) {
    assert.equal((await ockam.send([toPortway, "echo"], Buffer.alloc(bytes, 7))).byteLength, bytes);
  }
  assert.equal(await ockam.sendText([toPortway, "h1", "h2", "uppercase"], "hello"), "HELLO");
  keep("echo of raw bytes, and uppercase through two hops", "Ockam", link);
});

test("a relay at Portway", async () => {
  await using host = await PortwayNode.create("n2");
  await using link = await Link.to(host.port, { records: true });
  await using client = new OckamNode();
  await client.relay("o", link.port, pace);
  await until("a ping was answered", async () => (await client.session("o")).pongs > 0);
  assert.equal(await host.send(["forward_to_o", "uppercase"], "hello"), "HELLO");
  keep("registration, confirmation, pings, a message through the relay", "Ockam", link);
});

test("a relay at Ockam", async () => {
  const { node, port } = await OckamNode.listening();
  await using host = node;
  await host.relayService();
  await using link = await Link.to(port, { records: true });
  await using client = await PortwayNode.create("n3");
  await client.relay("p", link.port);
  assert.equal(await host.sendText(["forward_to_p", "uppercase"], "hello"), "HELLO");
  keep("registration, confirmation, a message through the relay", "Portway", link);
});

test("a portal from Portway to Ockam", async () => {
  await using target = await TcpTarget.listen(behaviours.echoes);
  const { node, port } = await OckamNode.listening();
  await using far = node;
  await far.outlet("outlet", target.address);
  await using link = await Link.to(port, { records: true });
  await using near = await PortwayNode.create("n1");
  const inletPort = await near.inlet("web", link.port, ["outlet"]);
  const socket = await connectTo(inletPort);
  assert.equal(await within("an answer", exchangeOn(socket, "hello")), "hello");
  socket.end();
  await until("the target's connection is closed", () => target.sockets.size === 0);
  await until("the end was told", () => has(link, disconnectHex));
  keep("a portal session that the client ends", "Portway", link);
});

test("a portal from Ockam to Portway, whose client ends, and whose target does", async () => {
  await using target = await TcpTarget.listen(behaviours.echoes);
  await using far = await PortwayNode.create("n1");
  await far.outlet("outlet", target.address);
  await using link = await Link.to(far.port, { records: true });
  await using near = new OckamNode();
  const inletPort = await freePort();
  await near.inlet("web", { at: `127.0.0.1:${inletPort}`, port: link.port, route: ["outlet"], ...pace });
  await until("the inlet is made", async () => (await near.session("web")).isUp);
  const first = await connectTo(inletPort);
  assert.equal(await within("an answer", exchangeOn(first, "hello")), "hello");
  first.end();
  await until("the target's connection is closed", () => target.sockets.size === 0);
  const second = await connectTo(inletPort);
  assert.equal(await within("an answer", exchangeOn(second, "again")), "again");
  const closed = once(second, "close");
  for (const socket of target.sockets) socket.end();
  await within("the client's connection ends", closed);
  keep("two portal sessions, ended by the client and by the target", "Ockam", link);
});

test("a portal from Ockam to Portway, whose target refuses", async () => {
  await using far = await PortwayNode.create("n1");
  await far.outlet("outlet", `127.0.0.1:${await freePort()}`);
  await using link = await Link.to(far.port, { records: true });
  await using near = new OckamNode();
  const inletPort = await freePort();
  await near.inlet("web", { at: `127.0.0.1:${inletPort}`, port: link.port, route: ["outlet"], ...pace });
  await until("the inlet is made", async () => (await near.session("web")).isUp);
  await fateOf(inletPort);
  assert.ok(has(link, disconnectHex));
  keep("a portal session whose target refuses", "Ockam", link);
});

test("a portal from Ockam to Portway after a cut", async () => {
  await using target = await TcpTarget.listen(behaviours.echoes);
  await using far = await PortwayNode.create("n1");
  await far.outlet("outlet", target.address);
  await using link = await Link.to(far.port);
  await using near = new OckamNode();
  const inletPort = await freePort();
  await near.inlet("web", { at: `127.0.0.1:${inletPort}`, port: link.port, route: ["outlet"], ...pace });
  await until("the inlet is made", async () => (await near.session("web")).isUp);
  await link.cut();
  await until("the inlet has noticed", async () => !(await near.session("web")).isUp);
  await using anew = await Link.to(far.port, { records: true, port: link.port });
  await until("the inlet serves", async () => (await exchange(inletPort, "hello", 1_000)) === "hello");
  keep("a portal session after the link was cut", "Ockam", anew);
});

test("a secure channel of Ockam's through Portway", async () => {
  await using portway = await PortwayNode.create("n2");
  await portway.hop("hop");
  const { node, port } = await OckamNode.listening();
  await using responder = node;
  await responder.secureListener("api");
  const onward = await portway.connect(port);
  await using link = await Link.to(portway.port, { records: true });
  await using initiator = new OckamNode();
  const toPortway = await initiator.connect(link.port);
  const channel = await initiator.secureChannel([toPortway, "hop", onward, "api"]);
  assert.equal(await initiator.sendText([channel, "uppercase"], "hello"), "HELLO");
  keep("the handshake and two messages of a secure channel between nodes of Ockam", "Ockam", link);
});

test("messages that Portway sends to Ockam over UDP", async () => {
  await using portway = await PortwayNode.create("n1");
  await using ockam = new OckamNode();
  await using link = await UdpLink.to((await ockam.bindUdp()).port);
  const toOckam = await portway.udpConnect(link.port);
  assert.equal(await portway.send([toOckam, "echo"], "hello"), "hello");
  assert.equal(await portway.send([toOckam, "uppercase"], "a".repeat(1_200)), "A".repeat(1_200));
  keepExchange("a dial, echo in one part, and uppercase in three", "Portway", link);
});

test("messages that Ockam sends to Portway over UDP", async () => {
  await using portway = await PortwayNode.create("n1");
  await using ockam = new OckamNode();
  await using link = await UdpLink.to(await portway.udpListener());
  const { worker } = await ockam.bindUdp(link.port);
  const hasEmptyPart = (): boolean => link.datagrams.some(({ partHex }) => partHex === "");
  for (const bytes of [5, 1_200]) {
    assert.equal((await ockam.send([worker, "echo"], Buffer.alloc(bytes, 7))).byteLength, bytes);
  }
  // Ockam's message of one of these sizes fills its part.
  for (let bytes = 350; !hasEmptyPart(); bytes += 1) {
    assert.ok(bytes < 493);
    const before = link.datagrams.length;
    assert.equal((await ockam.send([worker, "echo"], Buffer.alloc(bytes, 7))).byteLength, bytes);
    if (!hasEmptyPart()) link.datagrams.splice(before);
  }
  keepExchange("echo in one part and in three, and of a message that fills its part", "Ockam", link);
});

test("all of it is kept where a recording was asked for", () => {
  assert.equal(recorded.length, 9);
  assert.equal(exchanges.length, 2);
  const folder = process.env["PORTWAY_INTEROP_RECORD"];
  if (folder === undefined) return;
  const today = new Date().toISOString().slice(0, 10);
  const recording = {
    origin: `recorded between Portway and nodes of ockam 0.150.0 (published crate, Rust) on loopback, ${today}, by npm run test:interop -- --record`,
    sessions: recorded,
    exchanges,
  };
  writeFileSync(join(folder, recordingFile), `${JSON.stringify(recording, null, 2)}\n`);
});
