import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Client, Code, ConnectError, createHandlerContext } from "@connectrpc/connect";
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from "../../../gen/grpc/health/v1/health_pb.js";
import { healthService } from "../../../src/api/services/health-service.js";
import {
  type ApiFixture,
  apiFixture,
  clientFor,
  type Protocol,
  toldError,
  transportFor,
} from "../../support/api-fixture.js";
import { rawRequest } from "../../support/raw-http.js";

const served = [
  "",
  "grpc.health.v1.Health",
  "grpc.reflection.v1.ServerReflection",
  "grpc.reflection.v1alpha.ServerReflection",
  "portway.v1.MessageService",
  "portway.v1.NodeService",
  "portway.v1.PortalService",
  "portway.v1.RelayService",
  "portway.v1.SystemService",
];
const streaming: readonly Protocol[] = ["connect json", "connect binary", "grpc", "grpc-web"];

async function health(
  t: TestContext,
  protocol: Protocol = "grpc",
): Promise<ApiFixture & { readonly client: Client<typeof Health> }> {
  const fixture = await apiFixture(t);
  const url = `http://${await fixture.server.listenTcp({ host: "127.0.0.1", port: 0 })}`;
  const client = clientFor(Health, transportFor(protocol, url, { token: fixture.token }));
  return { ...fixture, client };
}

test("the daemon and each of its services are SERVING, and NOT_SERVING when it drains", async (t) => {
  const { client, system } = await health(t);
  const statuses = async (): Promise<Record<string, Status>> => {
    const { statuses } = await client.list({});
    const listed = Object.entries(statuses).map(([name, { status }]) => [name, status] as const);
    for (const [service, status] of listed) {
      assert.equal((await client.check({ service })).status, status, service);
    }
    return Object.fromEntries(listed);
  };
  assert.deepEqual(await statuses(), Object.fromEntries(served.map((name) => [name, Status.SERVING])));
  await system.drain(1000);
  assert.deepEqual(await statuses(), Object.fromEntries(served.map((name) => [name, Status.NOT_SERVING])));
});

test("a check of a service that is not served is NOT_FOUND and says which ones are", async (t) => {
  const { client } = await health(t);
  const error = await toldError(client.check({ service: "portway.v1.Nope" }));
  assert.deepEqual(
    [error.code, error.reasons, error.metadata],
    [Code.NotFound, ["SERVICE_NOT_FOUND"], { service: "portway.v1.Nope" }],
  );
  assert.match(error.message, /"portway\.v1\.Nope".*portway\.v1\.NodeService/);
  const long = await toldError(client.check({ service: "x".repeat(1_000_000) }));
  assert.equal(long.code, Code.NotFound);
  assert.ok(long.message.length < 1000, "a long name is not told back whole");
});

for (const protocol of streaming) {
  test(`a watch tells the present status and then the change, over ${protocol}`, async (t) => {
    const { client, system } = await health(t, protocol);
    const seen: Status[] = [];
    for await (const { status } of client.watch({ service: "portway.v1.NodeService" })) {
      seen.push(status);
      if (status === Status.NOT_SERVING) break;
      await system.drain(1000);
    }
    assert.deepEqual(seen, [Status.SERVING, Status.NOT_SERVING]);
    for await (const { status } of client.watch({})) {
      assert.equal(status, Status.NOT_SERVING, "the present status of a daemon that drains");
      break;
    }
  });
}

test("a watch of a service that is not served is SERVICE_UNKNOWN and open until the server closes", async (t) => {
  const { client, server } = await health(t);
  const seen: Status[] = [];
  const watched = (async () => {
    for await (const { status } of client.watch({ service: "portway.v1.Nope" })) {
      seen.push(status);
      void server.close();
    }
  })();
  const error = await watched.catch(ConnectError.from);
  assert.ok(error instanceof ConnectError);
  assert.equal(error.code, Code.Unavailable);
  assert.deepEqual(seen, [Status.SERVICE_UNKNOWN]);
});

test("a watch that ends leaves nothing behind", async () => {
  const drain = new AbortController();
  const { watch } = healthService({ services: ["a.B"], drainSignal: drain.signal });
  for (const service of ["a.B", "nope"]) {
    const caller = new AbortController();
    const context = createHandlerContext({
      service: Health,
      method: Health.method.watch,
      protocolName: "test",
      requestMethod: "POST",
      url: "http://localhost/",
      requestSignal: caller.signal,
    });
    const request = { $typeName: "grpc.health.v1.HealthCheckRequest" as const, service };
    const items = watch(request, context)[Symbol.asyncIterator]();
    await items.next();
    const end = items.next();
    caller.abort();
    assert.equal((await end).done, true);
    assert.deepEqual(getEventListeners(drain.signal, "abort"), []);
  }
});

test("over TCP a check needs the token, over the Unix socket it needs nothing", async (t) => {
  const { server, directory } = await apiFixture(t);
  const path = "/grpc.health.v1.Health/Check";
  const headers = { "content-type": "application/json" };
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  assert.equal((await rawRequest({ at, path, headers, body: "{}" })).status, 401);
  const socket = join(directory, "api.sock");
  await server.listenUnix(socket);
  const answer = await rawRequest({
    at: socket,
    path,
    headers: { ...headers, host: "localhost" },
    body: "{}",
  });
  assert.deepEqual([answer.status, JSON.parse(answer.body)], [200, { status: "SERVING" }]);
});

test("a probe leaves a line in the log only when details are asked for", async (t) => {
  const { client, lines } = await health(t);
  await client.check({});
  const levels = lines.filter(({ event }) => event === "call.answered").map(({ level }) => level);
  assert.deepEqual(levels, ["debug"]);
});
