import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { Code, type Transport } from "@connectrpc/connect";
import { PortalService } from "../../../gen/portway/v1/portal_service_pb.js";
import { RelayService } from "../../../gen/portway/v1/relay_service_pb.js";
import { WatchEventType } from "../../../gen/portway/v1/resource_pb.js";
import type { InletResource } from "../../../src/node/resources.js";
import { apiFixture, clientFor, toldError, transportFor } from "../../support/api-fixture.js";
import type { FakeEngine } from "../../support/fake-engine.js";

const { ADDED, MODIFIED, DELETED, SYNCED, BOOKMARK } = WatchEventType;

async function fixture(t: TestContext): Promise<{ engine: FakeEngine; transport: Transport }> {
  const { server, token, engine } = await apiFixture(t);
  const url = `http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`;
  await engine.nodes.create("n1", { tcpListenerAddress: "" });
  await engine.nodes.create("n2", { tcpListenerAddress: "" });
  return { engine, transport: transportFor("grpc", url, { token }) };
}

interface Told {
  readonly type: WatchEventType;
  readonly revision: string;
  readonly resource: { case: string; value: { name: string } } | { case: undefined };
}

class Reader<E extends object> {
  readonly #events: AsyncIterator<E>;
  revision = "";

  constructor(events: AsyncIterable<E>) {
    this.#events = events[Symbol.asyncIterator]();
  }

  async event(): Promise<E & Told> {
    const { value } = await this.#events.next();
    if (value.revision !== "") this.revision = value.revision;
    return value;
  }

  /** In short: its type, and the kind and name of what it is about. */
  async next(): Promise<[WatchEventType, string?, string?]> {
    const { type, resource } = await this.event();
    return resource.case === undefined ? [type] : [type, resource.case, resource.value.name];
  }
}

test("WatchRelays tells relays and registrations of all nodes, or of one, and goes on behind a revision", async (t) => {
  const { engine, transport } = await fixture(t);
  const client = clientFor(RelayService, transport);
  const spec = { at: "/dnsaddr/localhost/tcp/7000", relayAddress: "" };
  await engine.relays.create("n1", "r", spec);
  await engine.relayRegistrations.create("n2", "n1", undefined);
  const all = new Reader(client.watchRelays({}));
  assert.deepEqual(await all.next(), [ADDED, "relay", "nodes/n1/relays/r"]);
  assert.equal(all.revision, "");
  assert.deepEqual(await all.next(), [ADDED, "relayRegistration", "nodes/n2/relayRegistrations/n1"]);
  assert.deepEqual(await all.next(), [SYNCED]);
  assert.equal(all.revision, engine.changes.revision);

  const one = new Reader(client.watchRelays({ parent: "nodes/n2" }));
  assert.deepEqual(await one.next(), [ADDED, "relayRegistration", "nodes/n2/relayRegistrations/n1"]);
  assert.deepEqual(await one.next(), [SYNCED]);

  await engine.relays.delete("n1", "r");
  await engine.relayRegistrations.delete("n2", "n1");
  assert.deepEqual(await all.next(), [DELETED, "relay", "nodes/n1/relays/r"]);
  assert.deepEqual(await all.next(), [DELETED, "relayRegistration", "nodes/n2/relayRegistrations/n1"]);
  assert.deepEqual(await one.next(), [DELETED, "relayRegistration", "nodes/n2/relayRegistrations/n1"]);

  const revision = (await client.listRelays({ parent: "nodes/n1" })).revision;
  await engine.relays.create("n1", "new", spec);
  const resumed = new Reader(client.watchRelays({ startRevision: revision }));
  assert.deepEqual(await resumed.next(), [ADDED, "relay", "nodes/n1/relays/new"]);
  assert.deepEqual(await resumed.next(), [SYNCED]);

  const missing = await toldError(new Reader(client.watchRelays({ parent: "nodes/n3" })).next());
  assert.equal(missing.code, Code.NotFound);
  assert.deepEqual(missing.reasons, ["NODE_NOT_FOUND"]);
  const other = await toldError(new Reader(client.watchRelays({ parent: "n3" })).next());
  assert.equal(other.code, Code.InvalidArgument);
  assert.deepEqual(other.fields, ["parent"]);
});

test("WatchPortals tells inlets and outlets, and their figures when they differ though nothing else changed", async (t) => {
  const { engine, transport } = await fixture(t);
  const client = clientFor(PortalService, transport);
  const { resource } = await engine.inlets.create("n1", "i", {
    bindAddress: "127.0.0.1:6000",
    to: "/service/o",
  });
  await engine.outlets.create("n1", "o", { target: "127.0.0.1:9000" });
  const reader = new Reader(
    client.watchPortals({ figuresInterval: { nanos: 100_000_000 }, bookmarkInterval: { seconds: 1n } }),
  );
  assert.deepEqual(await reader.next(), [ADDED, "inlet", "nodes/n1/inlets/i"]);
  assert.deepEqual(await reader.next(), [ADDED, "outlet", "nodes/n1/outlets/o"]);
  assert.deepEqual(await reader.next(), [SYNCED]);

  const { status } = resource;
  const carried: InletResource = {
    ...resource,
    status: { ...status, lastError: "refused", sessions: { ...status.sessions, open: 7, bytesIn: 2 ** 40 } },
  };
  const before = engine.changes.revision;
  engine.inlets.put("n1", "i", carried);
  const told = await reader.event();
  assert.equal(told.type, MODIFIED);
  assert.ok(told.resource.case === "inlet");
  assert.equal(told.resource.value.status?.sessions?.open, 7);
  assert.equal(told.resource.value.status?.sessions?.bytesIn, 2n ** 40n);
  assert.equal(told.resource.value.status?.lastError, "refused");
  assert.equal(engine.changes.revision, before, "figures do not fill the change log");

  assert.deepEqual(await reader.next(), [BOOKMARK]);
  await engine.outlets.delete("n1", "o");
  assert.deepEqual(await reader.next(), [DELETED, "outlet", "nodes/n1/outlets/o"]);
});
