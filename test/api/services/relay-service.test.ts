import assert from "node:assert/strict";
import { test } from "node:test";
import { toJson } from "@bufbuild/protobuf";
import { NodeService } from "../../../gen/portway/v1/node_service_pb.js";
import * as pb from "../../../gen/portway/v1/relay_service_pb.js";
import { apiFixture, clientFor, transportFor } from "../../support/api-fixture.js";

test("relays are created, told, listed and deleted, and registrations told, listed and deleted", async (t) => {
  const { server, token, engine } = await apiFixture(t);
  const url = `http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`;
  const transport = transportFor("grpc", url, { token });
  await clientFor(NodeService, transport).createNode({ nodeId: "n1" });
  const client = clientFor(pb.RelayService, transport);
  const parent = "nodes/n1";

  let waitMs: number | undefined;
  engine.onCreate = async (options) => {
    waitMs = options?.waitMs;
  };
  const { relay } = await client.createRelay({
    parent,
    relay: { at: "/dnsaddr/localhost/tcp/7000", relayAddress: "n3" },
    wait: { seconds: 1n, nanos: 500_000_001 },
  });
  assert.equal(waitMs, 1501);
  assert.equal(relay?.name, "nodes/n1/relays/default");
  const told = toJson(pb.RelaySchema, relay) as { spec: unknown; status: Record<string, unknown> };
  assert.deepEqual(told.spec, { at: "/dnsaddr/localhost/tcp/7000", relayAddress: "n3" });
  assert.equal(told.status["remoteAddress"], "forward_to_n3");
  assert.equal(told.status["route"], "0#a => 0#b");
  assert.equal(told.status["registrations"], "1");
  assert.deepEqual((await client.getRelay({ name: relay.name })).relay, relay);
  assert.deepEqual((await client.listRelays({ parent })).relays, [relay]);
  await client.deleteRelay({ name: relay.name });
  assert.deepEqual((await client.listRelays({ parent })).relays, []);

  await engine.relayRegistrations.create("n1", "n3", undefined);
  const { relayRegistrations } = await client.listRelayRegistrations({ parent });
  assert.deepEqual(toJson(pb.RelayRegistrationSchema, relayRegistrations[0]!), {
    name: "nodes/n1/relayRegistrations/n3",
    uid: "uid3",
    createTime: "2023-11-14T22:13:20.003Z",
    status: {
      state: "STATE_ACTIVE",
      address: "forward_to_n3",
      peerAddress: "127.0.0.1:2",
      connection: "ff",
      renewTime: "1970-01-01T00:00:04Z",
      forwarded: { messages: "3", bytes: "1099511627776" },
      refused: "1",
    },
  });
  const { name } = relayRegistrations[0]!;
  assert.deepEqual((await client.getRelayRegistration({ name })).relayRegistration, relayRegistrations[0]);
  await client.deleteRelayRegistration({ name });
  assert.deepEqual((await client.listRelayRegistrations({ parent })).relayRegistrations, []);
});
