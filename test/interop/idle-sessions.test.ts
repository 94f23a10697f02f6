import assert from "node:assert/strict";
import { test } from "node:test";
import { State } from "../../gen/portway/v1/resource_pb.js";
import { exchange } from "../e2e/support/tcp-client.js";
import { behaviours, TcpTarget } from "../e2e/support/tcp-target.js";
import { until } from "../e2e/support/until.js";
import { OckamNode } from "./support/ockam-node.js";
import { PortwayNode } from "./support/portway-node.js";
import { ockamHost, portwayHost } from "./support/relay.js";

/** One at once, and one every ten seconds for two minutes. */
const pings = 13;
const limitMs = 150_000;

test("Ockam's sessions have their pings answered for two minutes, and no link of either is made a second time", async () => {
  await using target = await TcpTarget.listen(behaviours.echoes);
  await using hostedByUs = await portwayHost("direct", {});
  await using outletNode = await PortwayNode.create("n1");
  await outletNode.outlet("outlet", target.address);
  await using inletNode = new OckamNode();
  await inletNode.inlet("web", { at: "127.0.0.1:0", port: outletNode.port, route: ["outlet"] });
  await using hostedByOckam = await ockamHost("direct");
  const startMs = performance.now();
  const sessions = [
    ["the relay", () => hostedByUs.client.session("o")],
    ["the inlet", () => inletNode.session("web")],
  ] as const;
  const ended = sessions.map(async ([what, session]) => {
    await until(`${what} was asked ${pings} times`, async () => (await session()).pongs >= pings, limitMs);
    return await session();
  });
  for (const { made, pings: asked, pongs } of await Promise.all(ended)) {
    assert.deepEqual([made, asked - pongs], [1, 0]);
    console.log(`${pongs} of ${asked} pings answered in ${Math.round(performance.now() - startMs)} ms`);
  }
  const { client } = hostedByOckam;
  const { liveness } = await client.relayStatus("p");
  assert.deepEqual([liveness?.state, liveness?.failure], [State.ACTIVE, undefined]);
  const { tcpConnections } = await client.machine.client.nodes.listTcpConnections({ parent: "nodes/n3" });
  assert.deepEqual(
    tcpConnections.map(({ status }) => status?.links),
    [1n],
  );
  const { address } = await inletNode.session("web");
  assert.equal(await exchange(Number(address.split(":")[1]), "still there"), "still there");
});
