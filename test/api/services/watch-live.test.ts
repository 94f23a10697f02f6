import assert from "node:assert/strict";
import net from "node:net";
import { type TestContext, test } from "node:test";
import { NodeService } from "../../../gen/portway/v1/node_service_pb.js";
import { type InletStatus, PortalService } from "../../../gen/portway/v1/portal_service_pb.js";
import { type Relay, RelayService } from "../../../gen/portway/v1/relay_service_pb.js";
import { State, WatchEventType } from "../../../gen/portway/v1/resource_pb.js";
import { silentLog } from "../../../src/base/log.js";
import { createEngine } from "../../../src/node/host.js";
import { apiFixture, clientFor, transportFor } from "../../support/api-fixture.js";

/** An engine of real nodes, and a way to its API. */
async function realNodes(t: TestContext) {
  const engine = createEngine({ log: () => silentLog, logPath: () => "" });
  t.after(() => engine.close());
  const { server, token } = await apiFixture(t, { engine });
  const url = `http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`;
  const transport = transportFor("grpc", url, { token });
  return { engine, transport };
}

test("on real nodes, a watch of portals sees sessions, bytes each way and the last error, and one of nodes the drain", async (t) => {
  const { engine, transport } = await realNodes(t);
  const target = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", () => socket.write("12345678"));
  });
  t.after(() => target.close());
  await new Promise<void>((resolve) => target.listen(0, "127.0.0.1", resolve));
  const { port } = target.address() as net.AddressInfo;
  await engine.nodes.create("n1", { tcpListenerAddress: "" });
  await engine.outlets.create("n1", "outlet", { target: `127.0.0.1:${port}` });
  const portals = clientFor(PortalService, transport);
  const { inlet } = await portals.createInlet({
    parent: "nodes/n1",
    inletId: "i",
    inlet: { to: "/service/outlet" },
    wait: { seconds: 10n },
  });

  const figuresInterval = { nanos: 100_000_000 };
  const events = portals.watchPortals({ figuresInterval }, { timeoutMs: 20_000 })[Symbol.asyncIterator]();
  const untilInlet = async (isSo: (status: InletStatus) => boolean): Promise<void> => {
    for (;;) {
      const { value, done } = await events.next();
      assert.ok(!done);
      if (value.resource.case !== "inlet") continue;
      const { status } = value.resource.value;
      if (status !== undefined && isSo(status)) return;
    }
  };
  const connect = (): net.Socket => {
    const client = net.connect(Number(inlet?.status?.boundAddress.split(":")[1]), "127.0.0.1");
    client.on("error", () => {});
    return client;
  };
  const client = connect();
  client.write("abc");
  await untilInlet(
    ({ sessions }) => sessions?.open === 1 && sessions.bytesIn === 3n && sessions.bytesOut === 8n,
  );
  client.destroy();
  await untilInlet(({ sessions }) => sessions?.open === 0 && sessions.opened === 1n);
  target.close();
  connect();
  await untilInlet(({ lastError }) => lastError !== "");

  const nodes = clientFor(NodeService, transport)
    .watchNodes({}, { timeoutMs: 20_000 })
    [Symbol.asyncIterator]();
  assert.equal((await nodes.next()).value.type, WatchEventType.ADDED);
  assert.equal((await nodes.next()).value.type, WatchEventType.SYNCED);
  await engine.drain(0);
  const { value } = await nodes.next();
  assert.equal(value.type, WatchEventType.MODIFIED);
  assert.equal(value.node.status.state, State.DRAINING);
});

test("on real nodes, a watch of relays sees each state of a relay, from CONNECTING until it is deleted", async (t) => {
  const { engine, transport } = await realNodes(t);
  const { resource: host } = await engine.nodes.create("host", { tcpListenerAddress: "" });
  await engine.nodes.create("n1", { tcpListenerAddress: "" });
  const relays = clientFor(RelayService, transport);
  const events = relays.watchRelays({ parent: "nodes/n1" }, { timeoutMs: 20_000 })[Symbol.asyncIterator]();
  assert.equal((await events.next()).value.type, WatchEventType.SYNCED);
  const untilRelay = async (id: string, state: State): Promise<void> => {
    for (;;) {
      const { value, done } = await events.next();
      assert.ok(!done);
      assert.equal(value.resource.case, "relay");
      const { name, status } = value.resource.value as Relay;
      if (name === `nodes/n1/relays/${id}` && status?.liveness?.state === state) return;
    }
  };
  const [address, port] = host.status.tcpListenerAddress.split(":");
  const create = (relayId: string, relayAddress: string) =>
    relays.createRelay({
      parent: "nodes/n1",
      relayId,
      relay: { at: `/ip4/${address}/tcp/${port}`, relayAddress },
    });

  await create("first", "blue");
  await untilRelay("first", State.CONNECTING);
  await untilRelay("first", State.ACTIVE);
  await engine.nodes.stop("host");
  await untilRelay("first", State.DEGRADED);
  await engine.nodes.start("host");
  await untilRelay("first", State.ACTIVE);
  await create("second", "blue");
  await untilRelay("second", State.FAILED);
  await relays.deleteRelay({ name: "nodes/n1/relays/second" });
  assert.equal((await events.next()).value.type, WatchEventType.DELETED);
});
