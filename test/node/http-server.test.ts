import assert from "node:assert/strict";
import net from "node:net";
import { test } from "node:test";
import { NodeHttpServer } from "../../src/node/http-server.js";
import type { NodeResource } from "../../src/node/resources.js";

test("accepts that fail do not end the process, nor the server", async (t) => {
  const listen = t.mock.method(net.Server.prototype, "listen");
  const http = await NodeHttpServer.listen(0, () => ({}) as NodeResource);
  t.after(() => http.close());
  const server = listen.mock.calls[0]!.this as net.Server;
  for (const code of ["EMFILE", "ENFILE", "EMFILE"]) server.emit("error", new Error(`accept ${code}`));
  assert.equal((await fetch(`http://${http.address}/`, { method: "HEAD" })).status, 200);
});
