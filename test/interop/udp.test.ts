import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { OckamNode } from "./support/ockam-node.js";
import { PortwayNode } from "./support/portway-node.js";

/** The payload with which a message fills its parts is among them, or next to it. */
const sizes = [
  0,
  1,
  255,
  256,
  380,
  ...Array.from({ length: 40 }, (_, at) => 390 + at),
  492,
  493,
  494,
  986,
  10_000,
  100_000,
];

test("echo of each answers the other over UDP", async () => {
  await using portway = await PortwayNode.create("n1");
  await using ockam = new OckamNode();
  const { port } = await ockam.bindUdp();
  const toOckam = await portway.udpConnect(port);
  assert.equal(await portway.send([toOckam, "echo"], "hello äöü"), "hello äöü");
  assert.equal(await portway.send([toOckam, "uppercase"], "a".repeat(18_000)), "A".repeat(18_000));
  const { worker } = await ockam.bindUdp(await portway.udpListener());
  assert.equal(await ockam.sendText([worker, "echo"], "hello"), "hello");
  for (const bytes of sizes) {
    const payload = randomBytes(bytes);
    assert.ok(payload.equals(await ockam.send([worker, "echo"], payload)), `${bytes} bytes`);
  }
});

test("a message without a connection of its own reaches a node of Ockam over UDP", async () => {
  await using portway = await PortwayNode.create("n1");
  await using ockam = new OckamNode();
  const { port } = await ockam.bindUdp();
  const to = `/ip4/127.0.0.1/udp/${port}/service/uppercase`;
  assert.equal(await portway.machine.run(["message", "send", "hello", "--to", to]), "HELLO");
});

test("a bridge of Ockam's leads from UDP to TCP, between two nodes of Portway", async () => {
  await using n1 = await PortwayNode.create("n1");
  await using n3 = await PortwayNode.create("n3");
  await using bridge = new OckamNode();
  await bridge.hop("hop");
  const { port } = await bridge.bindUdp();
  const onward = await bridge.connect(n3.port);
  const toBridge = await n1.udpConnect(port);
  assert.equal(await n1.send([toBridge, "hop", onward, "uppercase"], "hello"), "HELLO");
});

test("a bridge of Portway's leads from UDP to TCP, between two nodes of Ockam", async () => {
  await using bridge = await PortwayNode.create("n2");
  await bridge.hop("hop");
  const { node, port } = await OckamNode.listening();
  await using _far = node;
  const onward = await bridge.connect(port);
  await using near = new OckamNode();
  const { worker } = await near.bindUdp(await bridge.udpListener());
  assert.equal(await near.sendText([worker, "hop", onward, "uppercase"], "hello"), "HELLO");
});

test("a node of Ockam hears a node of Portway that was killed and started again, at the third try at the latest", async () => {
  await using portway = await PortwayNode.create("n1");
  await using ockam = new OckamNode();
  const port = await portway.udpListener();
  const { worker } = await ockam.bindUdp(port);
  assert.equal(await ockam.sendText([worker, "uppercase"], "hello"), "HELLO");
  // Whether the numbers of a new process are behind those of the last is as good as a coin; so it is tossed often.
  for (let life = 0; life < 5; life += 1) {
    await portway.machine.kill9();
    await portway.start();
    await portway.machine.run(`udp-listener create 127.0.0.1:${port} --at n1`);
    const answers: string[] = [];
    for (let tries = 0; tries < 3 && answers.length === 0; tries += 1) {
      await ockam.sendText([worker, "uppercase"], "hello", 1_000).then(
        (answer) => answers.push(answer),
        () => {},
      );
    }
    assert.deepEqual(answers, ["HELLO"], `life ${life}`);
  }
});
