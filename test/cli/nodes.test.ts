import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { run } from "../../src/cli/run.js";
import { FakeIo, portway } from "../support/fake-io.js";
import { FakeDaemon } from "../support/fake-services.js";

describe("node create", () => {
  test("without a name takes a random one that is free", async () => {
    const daemon = new FakeDaemon();
    const { stdout } = await portway("node create", { daemon });
    assert.match(stdout, /^[a-z]+-[a-z]+$/);
    assert.deepEqual([...daemon.nodes.keys()], [stdout]);
  });

  test("refuses a name that runs", async () => {
    const daemon = await withNode();
    const { code, stderr } = await portway("node create n1", { daemon });
    assert.equal(code, 70);
    assert.match(stderr, /n1 runs already/);
  });

  test("with --skip-is-running-check takes a node that runs with the same settings", async () => {
    const daemon = await withNode();
    assert.equal((await portway("node create n1 -s", { daemon })).code, 0);
    assert.equal((await portway("node create n1 -s -t 7000", { daemon })).code, 70);
  });

  for (const flags of ["", " -t 127.0.0.1:7123"]) {
    test(`takes the place of a stopped node${flags}`, async () => {
      const daemon = await withNode();
      await portway("node stop n1", { daemon });
      assert.equal((await portway(`node create n1${flags}`, { daemon })).code, 0);
      assert.equal(daemon.nodes.get("n1")?.running, true);
      if (flags !== "") assert.equal(daemon.nodes.get("n1")?.address, "127.0.0.1:7123");
    });
  }

  describe("leaves a stopped node as it was", () => {
    const blocked = "{name: n1, tcp-inlets: {web: {from: 6100, to: /service/db}}}";
    const blockedElsewhere = blocked.replace("n1,", "n1, tcp-listener-address: 7200,");
    for (const [why, line] of [
      ["the new one's port is busy", ["node", "create", "n1", "-t", "127.0.0.1:6100"]],
      ["a port of the configuration is busy", ["node", "create", blockedElsewhere]],
      ["a port of a configuration that has its settings is busy", ["node", "create", blocked, "-t", "7100"]],
    ] as const) {
      test(`if ${why}`, async () => {
        const daemon = new FakeDaemon();
        await portway("node create n1 -t 7100", { daemon });
        await portway("node create n2 -t 6100", { daemon });
        await portway("node stop n1", { daemon });
        const { code } = await portway(line, { daemon });
        assert.equal(code, 70);
        const { address, running } = daemon.nodes.get("n1")!;
        assert.deepEqual({ address, running }, { address: "127.0.0.1:7100", running: false });
        assert.equal(daemon.defaultNode, "n1");
      });
    }
  });

  test("says on standard error that a listener is open to the network", async () => {
    const { code, stdout, stderr } = await portway("node create n1 -t 0.0.0.0:7000");
    assert.deepEqual({ code, stdout }, { code: 0, stdout: "n1" });
    assert.match(stderr, /^! 0\.0\.0\.0:7000 is open to the network\n$/);
  });

  test("shows how a node on all addresses is reached from here", async () => {
    const daemon = new FakeDaemon();
    await portway("node create n1 -t 0.0.0.0:7000", { daemon });
    const { stdout } = await portway("node show n1", { daemon });
    assert.equal(JSON.parse(stdout).route.verbose, "/dnsaddr/localhost/tcp/7000");
  });

  test("has an HTTP server only if it is asked for", async () => {
    for (const [flags, address] of [
      ["", null],
      [" --http-server", "127.0.0.1:40999"],
      [" --enable-http-server", "127.0.0.1:40999"],
      [" --http-server-port 0", "127.0.0.1:40999"],
    ] as const) {
      const { stdout } = await portway(`node create n1${flags} --output json`);
      assert.equal(JSON.parse(stdout).status_endpoint_address, address, flags);
    }
  });
});

describe("node create with a configuration", () => {
  let directory = "";
  before(() => {
    directory = mkdtempSync(join(tmpdir(), "portway-config-"));
  });
  after(() => rmSync(directory, { recursive: true }));

  const whole = `
name: n1
tcp-listener-address: 127.0.0.1:7100
relays:
  blue: { at: /dnsaddr/localhost/tcp/7200 }
tcp-outlets:
  db: { to: "$PORT" }
tcp-inlets:
  web: { from: 6100, to: /service/db }
`;

  test("creates the node and what is on it, from a file", async () => {
    const path = join(directory, "n1.yaml");
    writeFileSync(path, whole);
    const daemon = new FakeDaemon();
    const { code, stdout, stderr } = await portway(`node create ${path} --variable PORT=5432`, { daemon });
    assert.equal(code, 0, stderr);
    assert.equal(stdout, "n1");
    assertWhole(daemon);
  });

  for (const flag of ["--configuration", "--node-config"]) {
    test(`creates them from ${flag}, with the environment's variables and the name of the argument`, async () => {
      const daemon = new FakeDaemon();
      const { code, stdout, stderr } = await portway(["node", "create", "other", flag, whole], {
        daemon,
        env: { PORT: "5432" },
      });
      assert.equal(code, 0, stderr);
      assert.equal(stdout, "other");
      assert.ok(daemon.nodes.get("other")?.outlets.has("db"));
    });
  }

  test("can be repeated with --skip-is-running-check, with names in it or without", async () => {
    const unnamed = `
name: n1
relays: [{ at: /dnsaddr/localhost/tcp/7200 }]
tcp-outlets: [{ to: 5432 }]
tcp-inlets: [{ from: 6100, to: /service/outlet }]
`;
    for (const text of [whole.replace("$PORT", "5432"), unnamed]) {
      const daemon = new FakeDaemon();
      const line = ["node", "create", "-s", "--configuration", text];
      for (let round = 0; round < 2; round += 1) {
        const { code, stderr } = await portway(line, { daemon });
        assert.equal(code, 0, stderr);
      }
      const { relays, inlets, outlets } = daemon.nodes.get("n1")!;
      assert.deepEqual([relays.size, inlets.size, outlets.size], [1, 1, 1]);
      const other = await portway([...line.slice(0, -1), text.replace("/service/", "/service/other")], {
        daemon,
      });
      assert.equal(other.code, 70);
      assert.deepEqual([relays.size, inlets.size, outlets.size], [1, 1, 1]);
    }
  });

  test("takes JSON and YAML in braces as the argument", async () => {
    for (const text of [
      '{"name":"n1","tcp-outlets":{"db":{"to":5432}}}',
      "{name: n1, tcp-outlets: {db: {to: 5432}}}",
    ]) {
      const daemon = new FakeDaemon();
      const { code, stderr } = await portway(["node", "create", text], { daemon });
      assert.equal(code, 0, stderr);
      assert.ok(daemon.nodes.get("n1")?.outlets.has("db"));
    }
  });

  test("lets the flags win", async () => {
    const daemon = new FakeDaemon();
    const line = [
      "node",
      "create",
      "-t",
      "7300",
      "--configuration",
      // What the flag takes the place of is free for others.
      "{name: n1, tcp-listener-address: 7100, tcp-inlets: {i: {from: 7100, to: /service/outlet}}}",
    ];
    assert.equal((await portway(line, { daemon })).code, 0);
    assert.equal(daemon.nodes.get("n1")?.address, "127.0.0.1:7300");
  });

  test("that is wrong creates nothing and says where", async () => {
    const daemon = new FakeDaemon();
    const text = "name: n1\ntcp-outlets:\n  db: { too: 5432 }\n";
    const { code, stderr } = await portway(["node", "create", "--configuration", text], { daemon });
    assert.equal(code, 64);
    assert.match(stderr, /3:\d+.*too/s);
    assert.deepEqual(daemon.calls, []);
  });

  test("of which one step fails leaves nothing, and names the step", async () => {
    const daemon = new FakeDaemon();
    await portway("node create other", { daemon });
    const text = `{name: n1, tcp-inlets: {a: {from: 6100, to: /service/o, at: other}, b: {to: /service/o}},
      tcp-outlets: {db: {to: 1}}}`;
    daemon.failures.set("CreateOutlet", ["ADDRESS_TAKEN"]);
    const { code, stdout, stderr } = await portway(["node", "create", text], { daemon });
    assert.equal(code, 70, stderr);
    assert.equal(stdout, "");
    assert.match(stderr, /error: configuration:2:\d+: made to fail with ADDRESS_TAKEN/);
    assert.deepEqual([...daemon.nodes.keys()], ["other"]);
    assert.deepEqual([...daemon.nodes.get("other")!.inlets.keys()], []);
  });

  test("says of a relay that it is not up, as of an inlet", async () => {
    const daemon = new FakeDaemon();
    const at = "/dnsaddr/localhost/tcp/9";
    const text = `{name: n1, relays: {r: {at: ${at}}}, tcp-inlets: {i: {to: ${at}/service/outlet}}}`;
    const { code, stderr } = await portway(["node", "create", text], { daemon });
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^! the relay r of the node n1 is not up: .*; it is tried again by itself$/m);
    assert.match(stderr, /^! the inlet i of the node n1 does not reach its outlet's node yet: refused/m);
  });

  test("that is interrupted leaves nothing", async () => {
    const io = new FakeIo();
    await portway("node create other", { daemon: io.daemon });
    io.daemon.silent.add("CreateInlet");
    const text = "{name: n1, tcp-inlets: {a: {to: /service/o}}, relays: {r: {at: /node/other, to: other}}}";
    const running = run(["node", "create", text], io);
    await until(() => io.daemon.calls.includes("CreateInlet"));
    io.interrupt.abort("SIGINT");
    assert.equal(await running, 130);
    assert.deepEqual([...io.daemon.nodes.keys()], ["other"]);
    assert.equal(io.daemon.nodes.get("other")?.relays.size, 0);
    assert.equal(io.stdout.text, "");
    assert.match(io.stderr.text, /error: interrupted/);
  });

  test("is given once", async () => {
    const { code, stderr } = await portway(["node", "create", "{name: n1}", "--configuration", "{name: n2}"]);
    assert.equal(code, 64);
    assert.match(stderr, /given twice/);
  });

  function assertWhole(daemon: FakeDaemon): void {
    const node = daemon.nodes.get("n1");
    assert.equal(node?.address, "127.0.0.1:7100");
    assert.equal(node.relays.get("blue")?.spec["at"], "/dnsaddr/localhost/tcp/7200");
    assert.equal(node.outlets.get("db")?.spec["target"], "127.0.0.1:5432");
    assert.equal(node.inlets.get("web")?.spec["to"], "/service/db");
  }
});

describe("node create in the foreground", () => {
  test("stays until it is interrupted, and then deletes its node", async () => {
    const io = new FakeIo();
    const running = run(["node", "create", "n1", "-f"], io);
    await until(() => io.stdout.text === "n1");
    assert.ok(io.daemon.nodes.has("n1"));
    io.interrupt.abort("SIGTERM");
    assert.equal(await running, 0);
    assert.equal(io.daemon.nodes.size, 0);
  });

  test("with --exit-on-eof ends with standard input", async () => {
    const io = new FakeIo({ stdin: "some\nlines\n" });
    assert.equal(await run(["node", "create", "n1", "-f", "-e"], io), 0);
    assert.equal(io.stdout.text, "n1");
    assert.equal(io.daemon.nodes.size, 0);
  });

  for (const [what, method] of [
    ["relays", "CreateRelay"],
    ["tcp-inlets", "CreateInlet"],
  ] as const) {
    test(`ends at once when it is interrupted while its ${what} are created`, async () => {
      const io = new FakeIo();
      await portway("node create other", { daemon: io.daemon });
      io.daemon.silent.add(method);
      const to = "/dnsaddr/localhost/tcp/9/service/outlet";
      const text = `{name: n1, foreground: true, relays: {b: {at: /node/other}}, tcp-inlets: {a: {to: ${to}}, b: {to: ${to}}}}`;
      const running = run(["node", "create", text], io);
      await until(() => io.daemon.calls.includes(method));
      io.interrupt.abort("SIGINT");
      assert.equal(await running, 0);
      assert.deepEqual([...io.daemon.nodes.keys()], ["other"]);
      assert.equal(io.daemon.calls.filter((name) => name === method).length, 1);
      assert.equal(io.stdout.text, "");
    });
  }

  for (const [what, happens, said] of [
    [
      "deleted by someone else",
      (daemon: FakeDaemon) => daemon.nodes.delete("n1"),
      /the node n1 was deleted\nhint: .*`portway node create NAME` makes one/,
    ],
    [
      "stopped by someone else",
      (daemon: FakeDaemon) => portway("node stop n1", { daemon }),
      /the node n1 was stopped\nhint: `portway node start NAME` starts it again/,
    ],
    [
      "gone with its daemon",
      (daemon: FakeDaemon) => daemon.failures.set("GetNode", ["DAEMON_UNREACHABLE"]),
      /the node n1 ended with its daemon\nhint: .*`portway node create NAME` makes one/,
    ],
  ] as const) {
    test(`fails when its node is ${what}, and says what can be done`, async () => {
      const io = new FakeIo();
      const running = run(["node", "create", "n1", "-f"], io);
      await until(() => io.stdout.text === "n1");
      await happens(io.daemon);
      assert.equal(await running, 70);
      assert.match(io.stderr.text, said);
    });
  }

  test("leaves a node that another command has made meanwhile in the place of its own", async () => {
    const io = new FakeIo();
    const { daemon } = io;
    const running = run(["node", "create", "n1", "-f"], io);
    await until(() => io.stdout.text === "n1");
    await portway("node delete n1", { daemon });
    await portway("node create n1", { daemon });
    io.interrupt.abort("SIGINT");
    assert.equal(await running, 0);
    assert.ok(daemon.nodes.has("n1"));
  });

  test("does not take away a node that was there before", async () => {
    const daemon = await withNode();
    assert.equal((await portway("node create n1 -f", { daemon })).code, 70);
    assert.ok(daemon.nodes.has("n1"));
  });
});

describe("the default node", () => {
  test("is created, with a random name, by the first command that needs one", async () => {
    for (const line of [
      "tcp-outlet create --to 9000",
      "tcp-inlet create --to /service/outlet",
      "tcp-listener create 7000",
      "relay create r --at /dnsaddr/localhost/tcp/7000",
    ]) {
      const daemon = new FakeDaemon();
      const { code, stderr } = await portway(line, { daemon });
      assert.equal(code, 0, stderr);
      const [name] = [...daemon.nodes.keys()];
      assert.match(stderr, new RegExp(`Created the node ${name} and made it the default`));
      assert.equal(daemon.defaultNode, name);
    }
  });

  test("is one, created by nine commands at once", async () => {
    const daemon = new FakeDaemon();
    const ports = Array.from({ length: 9 }, (_, number) => 9000 + number);
    const outcomes = await Promise.all(
      ports.map((port) => portway(`tcp-outlet create --to ${port}`, { daemon })),
    );
    assert.deepEqual([...new Set(outcomes.map(({ code }) => code))], [0]);
    assert.deepEqual([...daemon.nodes.keys()], [daemon.defaultNode]);
    assert.equal(daemon.nodes.get(daemon.defaultNode)?.outlets.size, ports.length);
    assert.equal(outcomes.filter(({ stderr }) => stderr.includes("made it the default")).length, 1);
  });

  test("is used where no node is named", async () => {
    const daemon = await withNode();
    await portway("tcp-outlet create --to 9000", { daemon });
    assert.equal(
      (await portway("tcp-outlet create --to 9001", { daemon })).stdout.startsWith("/service/"),
      true,
    );
    assert.equal(daemon.nodes.size, 1);
    assert.equal(daemon.nodes.get("n1")?.outlets.size, 2);
  });

  test("is missing: a command that only looks says so and creates none", async () => {
    const daemon = new FakeDaemon();
    for (const line of ["node default", "tcp-inlet list", "node stop", "service start hop"]) {
      const { code, stderr } = await portway(line, { daemon });
      assert.equal(code, 70, line);
      assert.match(stderr, /no default node/);
    }
    assert.equal(daemon.nodes.size, 0);
  });
});

async function withNode(): Promise<FakeDaemon> {
  const daemon = new FakeDaemon();
  assert.equal((await portway("node create n1", { daemon })).code, 0);
  return daemon;
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}
