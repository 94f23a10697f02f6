import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, rmSync } from "node:fs";
import http from "node:http";
import { test } from "node:test";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { NodeService } from "../../gen/portway/v1/node_service_pb.js";
import { SystemService } from "../../gen/portway/v1/system_service_pb.js";
import { Machine } from "./support/machine.js";

test("a daemon of another version is used, with a warning that names both", async () => {
  await using machine = new Machine();
  mkdirSync(machine.home.runDirectory, { recursive: true, mode: 0o700 });
  const server = http.createServer(
    connectNodeAdapter({
      routes: (router) => {
        router.service(SystemService, { getServerInfo: () => ({ version: "99.1.0" }) });
        router.service(NodeService, { listNodes: () => ({ nodes: [] }) });
      },
    }),
  );
  server.listen(machine.home.socketPath);
  await once(server, "listening");
  try {
    const { code, stdout, stderr } = await machine.cli("node list --output json");
    assert.deepEqual([code, stdout.trim()], [0, "[]"], stderr);
    assert.match(stderr, /daemon is version 99\.1\.0 and this command \d+\.\d+\.\d+/);
  } finally {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
    // What this test made is not for a reset to delete.
    rmSync(machine.home.path, { recursive: true });
  }
});
