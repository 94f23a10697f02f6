import assert from "node:assert/strict";
import { test } from "node:test";
import { toJson } from "@bufbuild/protobuf";
import { NodeService, ServiceKind } from "../../../gen/portway/v1/node_service_pb.js";
import * as pb from "../../../gen/portway/v1/portal_service_pb.js";
import { RelayService } from "../../../gen/portway/v1/relay_service_pb.js";
import { apiFixture, clientFor, transportFor } from "../../support/api-fixture.js";

test("inlets and outlets are created, told, listed and deleted", async (t) => {
  const { server, token } = await apiFixture(t);
  const url = `http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`;
  const transport = transportFor("grpc", url, { token });
  await clientFor(NodeService, transport).createNode({ nodeId: "n1" });
  const client = clientFor(pb.PortalService, transport);
  const parent = "nodes/n1";

  const { inlet } = await client.createInlet({
    parent,
    inletId: "web",
    inlet: {
      bindAddress: "127.0.0.1:6000",
      to: "/worker/ff/service/outlet",
      openTimeout: { seconds: 3n },
      retryWait: { nanos: 1 },
    },
  });
  const told = toJson(pb.InletSchema, inlet!) as { spec: unknown; status: Record<string, unknown> };
  assert.deepEqual(told.spec, {
    bindAddress: "127.0.0.1:6000",
    to: "/worker/ff/service/outlet",
    openTimeout: "3s",
    retryWait: "0.001s",
  });
  assert.equal(told.status["targetOutcome"], "TARGET_OUTCOME_CONNECTED");
  assert.equal(told.status["targetTime"], "1970-01-01T00:00:05Z");
  assert.deepEqual(told.status["sessions"], {
    open: 1,
    opened: "2",
    failed: { timed_out: "1" },
    bytesIn: "10",
    bytesOut: "20",
  });
  assert.equal(inlet?.name, "nodes/n1/inlets/web");
  assert.deepEqual((await client.getInlet({ name: inlet.name })).inlet, inlet);
  assert.deepEqual((await client.listInlets({ parent })).inlets, [inlet]);
  await client.deleteInlet({ name: inlet.name });
  assert.deepEqual((await client.listInlets({ parent })).inlets, []);

  const { outlet } = await client.createOutlet({
    parent,
    outletId: "outlet",
    outlet: { target: "127.0.0.1:9000", connectTimeout: { seconds: 2n } },
  });
  const toldOutlet = toJson(pb.OutletSchema, outlet!) as { spec: unknown; status: Record<string, unknown> };
  assert.deepEqual(toldOutlet.spec, { target: "127.0.0.1:9000", connectTimeout: "2s" });
  assert.equal(outlet?.status?.targetOutcome, pb.TargetOutcome.UNSPECIFIED);
  assert.equal(outlet.name, "nodes/n1/outlets/outlet");
  assert.deepEqual((await client.getOutlet({ name: outlet.name })).outlet, outlet);
  assert.deepEqual((await client.listOutlets({ parent })).outlets, [outlet]);
  await client.deleteOutlet({ name: outlet.name });
  assert.deepEqual((await client.listOutlets({ parent })).outlets, []);
});

test("whatever id the API gives out, it takes back in a name", async (t) => {
  const { server, token, engine } = await apiFixture(t);
  const url = `http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`;
  const transport = transportFor("grpc", url, { token });
  const nodes = clientFor(NodeService, transport);
  const portals = clientFor(pb.PortalService, transport);
  const relays = clientFor(RelayService, transport);
  await nodes.createNode({ nodeId: "n1" });
  const parent = "nodes/n1";
  const id = "%".repeat(255);
  const { outlet } = await portals.createOutlet({ parent, outletId: id, outlet: { target: "127.0.0.1:9" } });
  const { service } = await nodes.createService({
    parent,
    serviceId: id,
    service: { kind: ServiceKind.HOP },
  });
  await portals.getOutlet({ name: outlet!.name });
  await portals.deleteOutlet({ name: outlet!.name });
  await nodes.getService({ name: service!.name });
  await nodes.deleteService({ name: service!.name });
  // The longest address: that of a relay, whose name its client chooses.
  const address = `forward_to_${id}`;
  for (const collection of [engine.workers, engine.relayRegistrations]) {
    await collection.create("n1", address, undefined);
  }
  const { workers } = await nodes.listWorkers({ parent });
  const { relayRegistrations } = await relays.listRelayRegistrations({ parent });
  await nodes.getWorker({ name: workers[0]!.name });
  await relays.getRelayRegistration({ name: relayRegistrations[0]!.name });
  await relays.deleteRelayRegistration({ name: relayRegistrations[0]!.name });
});
