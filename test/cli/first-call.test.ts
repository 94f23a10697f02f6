import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { withFirstCallRepeated } from "../../src/cli/first-call.js";
import type { PortwayClient } from "../../src/client/client.js";
import { createFakeClient, FakeDaemon } from "../support/fake-services.js";

describe("a daemon that ends before its first answer", () => {
  test("is followed by the next one, which gets the call", async () => {
    const { client, opened } = clientOf(dying("GetServerInfo"), new FakeDaemon());
    assert.equal((await client.system.getServerInfo({})).home, "/nonexistent/portway");
    assert.equal(opened(), 1);
  });

  test("is followed by one for all the calls that failed together", async () => {
    const first = dying("GetServerInfo");
    first.failures.set("ListNodes", ["DAEMON_UNREACHABLE"]);
    const { client, opened } = clientOf(first, new FakeDaemon());
    await Promise.all([client.system.getServerInfo({}), client.nodes.listNodes({})]);
    assert.equal(opened(), 1);
  });

  test("is given up after three others did the same", async () => {
    const daemons = Array.from({ length: 5 }, () => dying("GetServerInfo"));
    const { client, opened } = clientOf(...daemons);
    await assert.rejects(client.system.getServerInfo({}), /made to fail with DAEMON_UNREACHABLE/);
    assert.equal(opened(), 3);
  });

  test("is not followed when it ends later: what failed may have been done", async () => {
    const first = new FakeDaemon();
    const { client, opened } = clientOf(first, new FakeDaemon());
    await client.system.getServerInfo({});
    first.failures.set("DeleteNode", ["DAEMON_UNREACHABLE"]);
    await assert.rejects(client.nodes.deleteNode({ name: "nodes/n1" }), /made to fail/);
    assert.equal(opened(), 0);
  });

  test("is not followed after any other failure", async () => {
    const first = new FakeDaemon();
    first.failures.set("ListNodes", ["QUEUE_FULL", "DAEMON_UNREACHABLE"]);
    const { client, opened } = clientOf(first, new FakeDaemon());
    await assert.rejects(client.nodes.listNodes({}), /QUEUE_FULL/);
    await assert.rejects(client.nodes.listNodes({}), /DAEMON_UNREACHABLE/);
    assert.equal(opened(), 0);
  });
});

function dying(method: string): FakeDaemon {
  const daemon = new FakeDaemon();
  daemon.failures.set(method, ["DAEMON_UNREACHABLE"]);
  return daemon;
}

/** A client of the first daemon; each time that it is opened again, of the next one. */
function clientOf(...daemons: FakeDaemon[]): { client: PortwayClient; opened: () => number } {
  let opened = 0;
  const reopen = async (): Promise<PortwayClient> => {
    opened += 1;
    return createFakeClient(daemons[opened]!);
  };
  return { client: withFirstCallRepeated(createFakeClient(daemons[0]!), reopen), opened: () => opened };
}
