import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { OckamNode } from "./support/ockam-node.js";
import { PortwayNode } from "./support/portway-node.js";

test("echo of each answers the other", async () => {
  await using portway = await PortwayNode.create("n1");
  const { node, port } = await OckamNode.listening();
  await using ockam = node;
  const toOckam = await portway.connect(port);
  assert.equal(await portway.send([toOckam, "echo"], "hello äöü"), "hello äöü");
  const toPortway = await ockam.connect(portway.port);
  assert.equal(await ockam.sendText([toPortway, "echo"], "hello"), "hello");
  for (const bytes of [0, 1, 23, 24, 255, 256, 65_535, 65_536, 5_000_000]) {
    const payload = randomBytes(bytes);
    assert.ok(payload.equals(await ockam.send([toPortway, "echo"], payload)), `${bytes} bytes`);
  }
});

test("a message without a connection of its own reaches a node of Ockam", async () => {
  await using portway = await PortwayNode.create("n1");
  const { node, port } = await OckamNode.listening();
  await using _ockam = node;
  const to = `/ip4/127.0.0.1/tcp/${port}/service/uppercase`;
  assert.equal(await portway.machine.run(["message", "send", "hello", "--to", to]), "HELLO");
});

test("uppercase answers through two hops of the other", async () => {
  await using portway = await PortwayNode.create("n1");
  const { node, port } = await OckamNode.listening();
  await using ockam = node;
  for (const hop of ["h1", "h2"]) await Promise.all([portway.hop(hop), ockam.hop(hop)]);
  const toOckam = await portway.connect(port);
  assert.equal(await portway.send([toOckam, "h1", "h2", "uppercase"], "hello"), "HELLO");
  const toPortway = await ockam.connect(portway.port);
  assert.equal(await ockam.sendText([toPortway, "h1", "h2", "uppercase"], "hello"), "HELLO");
});

test("one route leads through three nodes of Portway and two of Ockam, in turns", async () => {
  await using p1 = await PortwayNode.create("p1");
  await using p2 = await PortwayNode.create("p2");
  await using p3 = await PortwayNode.create("p3");
  const [first, second] = [await OckamNode.listening(), await OckamNode.listening()];
  await using o1 = first.node;
  await using o2 = second.node;
  // Before the connections: what comes in on one reaches the hops that were there when it was made.
  for (const node of [p1, p2, p3, o1, o2]) await node.hop("hop");
  const [p1ToO1, o1ToP2] = [await p1.connect(first.port), await o1.connect(p2.port)];
  const [p2ToO2, o2ToP3] = [await p2.connect(second.port), await o2.connect(p3.port)];
  const route = [p1ToO1, "hop", o1ToP2, "hop", p2ToO2, "hop", o2ToP3];
  assert.equal(await p1.send([...route, "uppercase"], "hello"), "HELLO");

  // The other way round: from Ockam, and back to the first node.
  const [o2ToP2, p2ToO1, o1ToP1] = [
    await o2.connect(p2.port),
    await p2.connect(first.port),
    await o1.connect(p1.port),
  ];
  const back = [o2ToP2, "hop", p2ToO1, "hop", o1ToP1];
  assert.equal(await o2.sendText([...back, "uppercase"], "hello"), "HELLO");
});

test("a message to a worker that is not there leaves the connection as it is, on both sides", async () => {
  await using portway = await PortwayNode.create("n1");
  const { node, port } = await OckamNode.listening();
  await using ockam = node;
  const toOckam = await portway.connect(port);
  const toPortway = await ockam.connect(portway.port);
  const to = `/service/${toOckam}/service/nobody`;
  const sent = await portway.machine.cli([
    "message",
    "send",
    "hello",
    "--from",
    "n1",
    "--to",
    to,
    "--timeout",
    "1s",
  ]);
  assert.notEqual(sent.code, 0);
  await assert.rejects(ockam.send([toPortway, "nobody"], Buffer.of(1), 1_000));
  assert.equal(await portway.send([toOckam, "uppercase"], "hello"), "HELLO");
  assert.equal(await ockam.sendText([toPortway, "uppercase"], "hello"), "HELLO");
});

test("a secure channel of two nodes of Ockam goes through a node of Portway", async () => {
  await using portway = await PortwayNode.create("n2");
  await portway.hop("hop");
  const { node, port } = await OckamNode.listening();
  await using responder = node;
  await responder.secureListener("api");
  const onward = await portway.connect(port);
  await using initiator = new OckamNode();
  const toPortway = await initiator.connect(portway.port);
  const channel = await initiator.secureChannel([toPortway, "hop", onward, "api"]);
  for (let message = 0; message < 100; message += 1) {
    assert.equal(await initiator.sendText([channel, "uppercase"], `hello ${message}`), `HELLO ${message}`);
  }
});
