import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { portway } from "../support/fake-io.js";
import { FakeDaemon } from "../support/fake-services.js";

async function withNode(): Promise<FakeDaemon> {
  const daemon = new FakeDaemon();
  await portway("node create n1", { daemon });
  return daemon;
}

describe("udp-listener", () => {
  test("create prints the route to it, which begins over UDP", async () => {
    const daemon = await withNode();
    const { code, stdout, stderr } = await portway("udp-listener create 127.0.0.1:7000 --at n1", { daemon });
    assert.deepEqual(
      { code, stdout, stderr },
      { code: 0, stdout: "/dnsaddr/localhost/udp/7000", stderr: "" },
    );
  });

  test("create warns of an address that the network can reach", async () => {
    const daemon = await withNode();
    const { stdout, stderr } = await portway("udp-listener create 0.0.0.0:7000 --at n1", { daemon });
    assert.equal(stdout, "/dnsaddr/localhost/udp/7000");
    assert.match(stderr, /0\.0\.0\.0:7000 can be reached from the network/);
  });

  test("is listed, shown and deleted by its address", async () => {
    const daemon = await withNode();
    await portway("udp-listener create 127.0.0.1:7000 --at n1", { daemon });
    const list = await portway("udp-listener list --at n1 --output json", { daemon });
    const [listener] = JSON.parse(list.stdout);
    assert.equal(listener.socket_addr, "127.0.0.1:7000");
    assert.equal(listener.type, "Udp");
    const show = await portway("udp-listener show :7000 --at n1 --output json", { daemon });
    assert.deepEqual(JSON.parse(show.stdout), listener);
    const node = await portway("node show n1 --output json", { daemon });
    assert.deepEqual(JSON.parse(node.stdout).transports.at(-1), listener);
    const plain = await portway("node show n1", { daemon, terminal: true, env: { NO_COLOR: "1" } });
    assert.match(plain.stdout, /\n {2}UDP listener {2}127\.0\.0\.1:7000\n/);
    assert.equal((await portway("udp-listener delete 127.0.0.1:7000 --at n1 -y", { daemon })).code, 0);
    const { code, stderr } = await portway("udp-listener show 7000 --at n1", { daemon });
    assert.notEqual(code, 0);
    assert.match(stderr, /the node n1 has no UDP listener 7000\nhint: .*portway udp-listener list/);
  });
});

describe("udp-connection", () => {
  test("create prints the address to begin a route with", async () => {
    const daemon = await withNode();
    await portway("udp-listener create 127.0.0.1:7000 --at n1", { daemon });
    const { code, stdout } = await portway("udp-connection create --from n1 --to 127.0.0.1:7000", { daemon });
    assert.equal(code, 0);
    assert.match(stdout, /^\/worker\/udp_[0-9a-f]{32}$/);
  });

  test("is listed and shown with what was lost, and deleted", async () => {
    const daemon = await withNode();
    await portway("udp-listener create 127.0.0.1:7000 --at n1", { daemon });
    const { stdout: address } = await portway("udp-connection create --from n1 --to 7000", { daemon });
    const list = await portway("udp-connection list --at n1 --output json", { daemon });
    const [connection] = JSON.parse(list.stdout);
    assert.equal(connection.type, "Udp");
    assert.equal(`/worker/${connection.worker_addr.slice(2)}`, address);
    assert.deepEqual(connection.lost, { skipped: 2 });
    const show = await portway(`udp-connection show ${address} --at n1`, {
      daemon,
      terminal: true,
      env: { NO_COLOR: "1" },
    });
    assert.match(show.stdout, /Lost {10}2 skipped/);
    assert.equal((await portway(`udp-connection delete ${address} --at n1 -y`, { daemon })).code, 0);
    assert.equal(daemon.nodes.get("n1")?.udpConnections.size, 0);
    const { stderr } = await portway(`udp-connection show ${address} --at n1`, { daemon });
    assert.match(stderr, /the node n1 has no UDP connection.*\nhint: .*portway udp-connection list/);
  });

  test("create says what is missing", async () => {
    const { code, stderr } = await portway("udp-connection create --from n1");
    assert.equal(code, 64);
    assert.match(stderr, /--to is missing/);
  });
});
