import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { State } from "../../gen/portway/v1/resource_pb.js";
import { exchange } from "../e2e/support/tcp-client.js";
import { behaviours, TcpTarget } from "../e2e/support/tcp-target.js";
import { until, withSlack } from "../e2e/support/until.js";
import { OckamNode } from "./support/ockam-node.js";
import { PortwayNode } from "./support/portway-node.js";
import { ockamHost, portwayHost } from "./support/relay.js";

const backMs = withSlack(10_000);
/** One attempt: a message that comes too early is not heard of any more. */
const tryMs = 1_000;

describe("a relay that Portway hosts for a node of Ockam", () => {
  test("leads there, from Portway and from Ockam", async () => {
    await using relayed = await portwayHost("direct");
    const { host, client } = relayed;
    await using sender = await PortwayNode.create("n1");
    const toHost = await sender.connect(host.port);
    assert.equal(await sender.send([toHost, "forward_to_o", "uppercase"], "hello"), "HELLO");
    await using other = new OckamNode();
    const fromOckam = await other.connect(host.port);
    assert.equal(await other.sendText([fromOckam, "forward_to_o", "uppercase"], "hello"), "HELLO");
    assert.equal((await client.session("o")).address, "forward_to_o");
  });

  test("carries a portal of Portway to an outlet of Ockam", async () => {
    await using target = await TcpTarget.listen(behaviours.echoes);
    await using relayed = await portwayHost("direct");
    await relayed.client.outlet("outlet", target.address);
    await using near = await PortwayNode.create("n1");
    const inletPort = await near.inlet("web", relayed.host.port, ["forward_to_o", "outlet"]);
    assert.equal(await exchange(inletPort, "hello"), "hello");
  });

  for (const broken of ["link", "host"] as const) {
    test(`comes back after its ${broken} was ${broken === "link" ? "cut" : "killed"}`, async () => {
      await using relayed = await portwayHost(broken === "link" ? "link" : "direct");
      const { host, client, link } = relayed;
      await using sender = await PortwayNode.create("n1");
      const toHost = await sender.connect(host.port);
      const { made } = await client.session("o");
      if (broken === "link") await link.cut();
      else await host.machine.kill9();
      await until("the client has noticed", async () => !(await client.session("o")).isUp, backMs);
      if (broken === "link") await link.restore();
      else await host.start();
      const { tookMs } = await until(
        "the relay is there again",
        async () => (await sender.send([toHost, "forward_to_o", "uppercase"], "again", tryMs)) === "AGAIN",
        backMs,
      );
      assert.equal((await client.session("o")).made, made + 1);
      console.log(`hosted by Portway, ${broken}: back ${Math.round(tookMs)} ms later`);
    });
  }
});

describe("a relay that Ockam hosts for a node of Portway", () => {
  test("leads there, from Portway and from Ockam", async () => {
    await using relayed = await ockamHost("direct");
    await using sender = await PortwayNode.create("n1");
    const toHost = await sender.connect(relayed.port);
    assert.equal(await sender.send([toHost, "forward_to_p", "uppercase"], "hello"), "HELLO");
    await using other = new OckamNode();
    const fromOckam = await other.connect(relayed.port);
    assert.equal(await other.sendText([fromOckam, "forward_to_p", "uppercase"], "hello"), "HELLO");
  });

  test("carries portals of Portway and of Ockam to an outlet of Portway", async () => {
    await using target = await TcpTarget.listen(behaviours.echoes);
    await using relayed = await ockamHost("direct");
    await relayed.client.outlet("outlet", target.address);
    const route = ["forward_to_p", "hop", "outlet"];
    await using near = await PortwayNode.create("n1");
    const ours = await near.inlet("web", relayed.port, route);
    assert.equal(await exchange(ours, "hello"), "hello");
    await using theirs = new OckamNode();
    await theirs.inlet("web", { at: "127.0.0.1:0", port: relayed.port, route });
    const { value } = await until("the inlet is made", async () => {
      const session = await theirs.session("web");
      return session.isUp && session.address;
    });
    assert.equal(await exchange(Number(value.split(":")[1]), "hello"), "hello");
  });

  for (const broken of ["link", "host"] as const) {
    test(`comes back after its ${broken} was ${broken === "link" ? "cut" : "killed"}`, async () => {
      await using relayed = await ockamHost(broken === "link" ? "link" : "direct");
      const { client, link } = relayed;
      const isActive = async () => (await client.relayStatus("p")).liveness?.state === State.ACTIVE;
      assert.ok(await isActive());
      if (broken === "link") await link.cut();
      else await relayed.kill9();
      await until("the client has noticed", async () => !(await isActive()), backMs);
      if (broken === "link") await link.restore();
      else await relayed.restart();
      await using sender = await PortwayNode.create("n1");
      const toHost = await sender.connect(relayed.port);
      const { tookMs } = await until(
        "the relay is there again",
        async () => (await sender.send([toHost, "forward_to_p", "uppercase"], "again", tryMs)) === "AGAIN",
        backMs,
      );
      await until("the client says so", isActive, backMs);
      console.log(`hosted by Ockam, ${broken}: back at most ${Math.round(tookMs)} ms later`);
    });
  }

  test("belongs to the node that registered it last", async () => {
    await using relayed = await ockamHost("direct");
    await using second = await PortwayNode.create("n2");
    await second.hop("second");
    await second.relay("p", relayed.port);
    await using sender = await PortwayNode.create("n1");
    const toHost = await sender.connect(relayed.port);
    assert.equal(await sender.send([toHost, "forward_to_p", "second", "uppercase"], "hello"), "HELLO");
  });
});

test("a relay at a node of Ockam that falls silent is given up, and made again", async () => {
  await using relayed = await ockamHost("link");
  const { client, link } = relayed;
  link.silence();
  const silentMs = withSlack(15_000);
  await until(
    "the client has noticed",
    async () => (await client.relayStatus("p")).liveness?.state !== State.ACTIVE,
    silentMs,
  );
  await link.cut();
  await link.restore();
  await until(
    "the relay is active again",
    async () => (await client.relayStatus("p")).liveness?.state === State.ACTIVE,
    backMs,
  );
});
