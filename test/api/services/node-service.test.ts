import assert from "node:assert/strict";
import { test } from "node:test";
import { toJson } from "@bufbuild/protobuf";
import * as pb from "../../../gen/portway/v1/node_service_pb.js";
import { apiFixture, clientFor, transportFor } from "../../support/api-fixture.js";

test("a node and what it has are created, told, listed and deleted by their names", async (t) => {
  const { server, token, engine } = await apiFixture(t);
  const url = `http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`;
  const client = clientFor(pb.NodeService, transportFor("grpc", url, { token }));

  const { node, alreadyExisted } = await client.createNode({
    nodeId: "n1",
    node: { tcpListenerAddress: ":4000", httpServerPort: 0 },
  });
  assert.deepEqual(toJson(pb.NodeSchema, node!), {
    name: "nodes/n1",
    uid: "uid1",
    createTime: "2023-11-14T22:13:20.001Z",
    spec: { tcpListenerAddress: ":4000", httpServerPort: 0 },
    status: {
      state: "STATE_ACTIVE",
      isDefault: true,
      pid: 42,
      tcpListenerAddress: "127.0.0.1:4000",
      warnings: ["open"],
      messages: { received: "1", sent: "2", delivered: "3", dropped: { malformed: "4" } },
      logPath: "/logs/n",
    },
  });
  assert.equal(alreadyExisted, false);
  const name = "nodes/n1";
  for (const answer of [
    await client.getNode({ name }),
    await client.startNode({ name }),
    await client.stopNode({ name }),
    await client.setDefaultNode({ name }),
  ]) {
    assert.equal(answer.node?.name, name);
  }

  const parent = "nodes/n1";
  const { tcpListener } = await client.createTcpListener({ parent, tcpListener: { bindAddress: ":5000" } });
  assert.equal(tcpListener?.name, "nodes/n1/tcpListeners/chosen2");
  assert.deepEqual(tcpListener.status?.refused, { bad_version: 1n });
  assert.deepEqual((await client.getTcpListener({ name: tcpListener.name })).tcpListener, tcpListener);
  assert.deepEqual((await client.listTcpListeners({ parent })).tcpListeners, [tcpListener]);
  await client.deleteTcpListener({ name: tcpListener.name });
  assert.deepEqual((await client.listTcpListeners({ parent })).tcpListeners, []);

  const { tcpConnection } = await client.createTcpConnection({
    parent,
    tcpConnectionId: "c1",
    tcpConnection: { peerAddress: "127.0.0.1:7000" },
  });
  assert.deepEqual(toJson(pb.TcpConnectionSchema, tcpConnection!), {
    name: "nodes/n1/tcpConnections/c1",
    uid: "uid3",
    createTime: "2023-11-14T22:13:20.003Z",
    spec: { peerAddress: "127.0.0.1:7000" },
    status: {
      origin: "TCP_CONNECTION_ORIGIN_CREATED",
      liveness: {
        state: "STATE_ACTIVE",
        conditions: [{ type: "Connected", holds: true, lastTransitionTime: "1970-01-01T00:00:01Z" }],
        failure: {
          count: 2,
          lastError: "refused",
          lastErrorTime: "1970-01-01T00:00:01Z",
          nextRetryTime: "1970-01-01T00:00:02Z",
        },
        lastSuccessTime: "1970-01-01T00:00:03Z",
        roundTripTime: "0.000750s",
      },
      workerAddress: "ffeeddccbbaa99887766554433221100",
      peerAddress: "127.0.0.1:7000",
      localAddress: "127.0.0.1:1",
      links: "1",
      received: { messages: "3", bytes: "1099511627776" },
      sent: { messages: "3", bytes: "1099511627776" },
      queuedBytes: "5",
      owner: "nodes/n1/relays/default",
    },
  });
  assert.deepEqual(
    (await client.getTcpConnection({ name: tcpConnection!.name })).tcpConnection,
    tcpConnection,
  );
  assert.deepEqual((await client.listTcpConnections({ parent })).tcpConnections, [tcpConnection]);
  await client.deleteTcpConnection({ name: tcpConnection!.name });
  assert.deepEqual((await client.listTcpConnections({ parent })).tcpConnections, []);

  const { service } = await client.createService({
    parent,
    serviceId: "hop",
    service: { kind: pb.ServiceKind.HOP },
  });
  assert.equal(service?.spec?.kind, pb.ServiceKind.HOP);
  assert.deepEqual((await client.getService({ name: "nodes/n1/services/hop" })).service, service);
  assert.deepEqual((await client.listServices({ parent })).services, [service]);
  await client.deleteService({ name: "nodes/n1/services/hop" });
  assert.deepEqual((await client.listServices({ parent })).services, []);

  engine.workers.put("n1", "1#127.0.0.1:4000", { node: "n1", id: "1#127.0.0.1:4000", kind: "connection" });
  engine.workers.put("n1", "a/b", { node: "n1", id: "a/b", kind: "reply" });
  const { workers } = await client.listWorkers({ parent });
  assert.deepEqual(
    workers.map((worker) => [worker.name, worker.address, worker.kind]),
    [
      ["nodes/n1/workers/1#127.0.0.1:4000", "1#127.0.0.1:4000", pb.WorkerKind.CONNECTION],
      ["nodes/n1/workers/a%2Fb", "a/b", pb.WorkerKind.REPLY],
    ],
  );
  for (const worker of workers) {
    assert.deepEqual((await client.getWorker({ name: worker.name })).worker, worker);
  }

  await client.deleteNode({ name });
  assert.deepEqual((await client.listNodes({})).nodes, []);
});

test("UDP listeners and connections are made, shown and deleted as those over TCP", async (t) => {
  const { server, token } = await apiFixture(t);
  const url = `http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`;
  const client = clientFor(pb.NodeService, transportFor("grpc", url, { token }));
  await client.createNode({ nodeId: "n1" });
  const parent = "nodes/n1";
  const bindAddress = "127.0.0.1:7000";
  const { udpListener } = await client.createUdpListener({
    parent,
    udpListenerId: "l",
    udpListener: { bindAddress },
  });
  assert.equal(udpListener?.name, "nodes/n1/udpListeners/l");
  assert.equal(udpListener.status?.boundAddress, bindAddress);
  assert.deepEqual((await client.getUdpListener({ name: udpListener.name })).udpListener, udpListener);
  assert.deepEqual((await client.listUdpListeners({ parent })).udpListeners, [udpListener]);
  assert.deepEqual((await client.listTcpListeners({ parent })).tcpListeners, []);

  const { udpConnection } = await client.createUdpConnection({
    parent,
    udpConnectionId: "c",
    udpConnection: { peerAddress: bindAddress },
  });
  assert.equal(udpConnection?.name, "nodes/n1/udpConnections/c");
  assert.equal(udpConnection.status?.origin, pb.UdpConnectionOrigin.CREATED);
  assert.equal(udpConnection.status.workerAddress, "ffeeddccbbaa99887766554433221100");
  assert.equal(udpConnection.status.owner, "nodes/n1/relays/default");
  assert.deepEqual(udpConnection.status.lost, { skipped: 4n });
  assert.deepEqual(
    (await client.getUdpConnection({ name: udpConnection.name })).udpConnection,
    udpConnection,
  );
  assert.deepEqual((await client.listUdpConnections({ parent })).udpConnections, [udpConnection]);

  await client.deleteUdpConnection({ name: udpConnection.name });
  await client.deleteUdpListener({ name: udpListener.name });
  assert.deepEqual((await client.listUdpConnections({ parent })).udpConnections, []);
  assert.deepEqual((await client.listUdpListeners({ parent })).udpListeners, []);
});

test("a node without a spec and a name gets defaults", async (t) => {
  const { server, token } = await apiFixture(t);
  const url = `http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`;
  const { node } = await clientFor(pb.NodeService, transportFor("grpc", url, { token })).createNode({});
  assert.equal(node?.name, "nodes/chosen1");
  assert.equal(node.spec?.tcpListenerAddress, "");
  assert.equal(node.spec.httpServerPort, undefined);
});

test("the listener that a node was made with comes first in its list", async (t) => {
  const { server, token, engine } = await apiFixture(t);
  const url = `http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`;
  const client = clientFor(pb.NodeService, transportFor("grpc", url, { token }));
  await client.createNode({ nodeId: "n1" });
  const parent = "nodes/n1";
  await client.createTcpListener({ parent, tcpListenerId: "a", tcpListener: { bindAddress: "1" } });
  const added = await engine.tcpListeners.get("n1", "a");
  engine.tcpListeners.put("n1", "z", {
    ...added,
    id: "z",
    status: { ...added.status, isNodeListener: true },
  });
  const { tcpListeners } = await client.listTcpListeners({ parent });
  assert.deepEqual(
    tcpListeners.map(({ name }) => name),
    ["nodes/n1/tcpListeners/z", "nodes/n1/tcpListeners/a"],
  );
});
