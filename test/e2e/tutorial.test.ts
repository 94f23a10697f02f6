import assert from "node:assert/strict";
import { test } from "node:test";
import { httpRequest } from "./support/tcp-client.js";
import { TcpTarget } from "./support/tcp-target.js";
import { Tutorial } from "./support/tutorial.js";

const page = "Hello from the target.\n";

for (const by of ["relay", "bridge"] as const) {
  for (const daemons of [1, 3] as const) {
    const where = daemons === 1 ? "in one daemon" : "in three daemons";
    test(`the tutorial with a ${by} works with its nodes ${where}`, async () => {
      await using target = await TcpTarget.http(page);
      await using tutorial = await Tutorial.build({ by, daemons, target: target.address });
      const { n1, n2, n3, toN3, inletPort } = tutorial;
      assert.equal(await n1.run(`message send hello --from n1 --to ${toN3}/service/uppercase`), "HELLO");

      const head = await httpRequest(inletPort, { method: "HEAD" });
      assert.deepEqual(head, { status: 200, body: "" });
      assert.deepEqual(await httpRequest(inletPort), { status: 200, body: page });

      if (by === "relay") {
        const hosted = JSON.parse(await n2.run("relay list --hosted --to n2 --output json"));
        assert.deepEqual(
          hosted.map(({ name, worker_address }: Record<string, unknown>) => [name, worker_address]),
          [["n3", "/service/forward_to_n3"]],
        );
        assert.ok(hosted[0].forwarded.messages > 0);
      }
      for (const machine of tutorial.machines) await machine.run("node delete --all -y");
      assert.equal(await n3.run("node list --output json"), "[]");
      await assert.rejects(httpRequest(inletPort), { code: "ECONNREFUSED" });
    });
  }
}
