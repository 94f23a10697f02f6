import assert from "node:assert/strict";
import { test } from "node:test";
import { toJson } from "@bufbuild/protobuf";
import { GetServerInfoResponseSchema, SystemService } from "../../../gen/portway/v1/system_service_pb.js";
import { apiFixture, clientFor, transportFor } from "../../support/api-fixture.js";

test("the server tells what it is, and drains when asked", async (t) => {
  const { server, token, engine, system } = await apiFixture(t);
  const url = `http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`;
  const client = clientFor(SystemService, transportFor("grpc", url, { token }));
  assert.deepEqual(toJson(GetServerInfoResponseSchema, await client.getServerInfo({})), {
    version: "1.2.3",
    apiVersions: ["portway.v1"],
    epoch: engine.changes.epoch,
    pid: 42,
    startTime: "2023-11-14T22:13:20Z",
    home: "/home",
    socketPath: "/home/run/api.sock",
    apiAddresses: ["127.0.0.1:1"],
    revision: `${engine.changes.epoch}-0`,
    runtime: process.version,
    warnings: ["careful"],
  });
  const requestId = "00000000-0000-4000-8000-000000000001";
  await client.drain({ timeout: { seconds: 3n }, requestId });
  await client.drain({ timeout: { seconds: 3n }, requestId });
  await client.drain({});
  assert.deepEqual(system.drainedMs, [3000, 10_000]);
  assert.equal((await client.getServerInfo({})).draining, true);
});
