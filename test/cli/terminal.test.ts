import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type FakeIoOptions, type Outcome, portway } from "../support/fake-io.js";
import { FakeDaemon } from "../support/fake-services.js";

const noColour = { NO_COLOR: "1" };

describe("on a terminal", () => {
  test("tcp-connection create says the address to begin a route with", async () => {
    const daemon = await withNodes("n1", "n2 --tcp-listener-address 7000");
    const { stdout } = await onTerminal("tcp-connection create --from n1 --to 7000", { daemon });
    assert.match(stdout, /from the node n1 to 127\.0\.0\.1:7000\n {2}\/worker\/[0-9a-f]{32}\n$/);
  });

  test("relay create says from where to where it relays", async () => {
    const daemon = await withNodes("n2 --tcp-listener-address 7000", "n3");
    const { stdout } = await onTerminal("relay create n3 --at /node/n2 --to /node/n3", { daemon });
    assert.match(
      stdout,
      /Now relaying messages from \/node\/n2\/service\/forward_to_n3 → \/node\/n3\/service\/[0-9a-f]{32}\n$/,
    );
  });

  test("a relay that is not up is told, and that it is tried again", async () => {
    const daemon = await withNodes("n3");
    const { code, stdout, stderr } = await onTerminal(
      "relay create x --at /dnsaddr/localhost/tcp/9 --to n3",
      {
        daemon,
      },
    );
    assert.equal(code, 0);
    assert.match(stdout, /Created the relay x/);
    assert.match(stderr, /not up: 127\.0\.0\.1:9 refused the connection; it is tried again by itself/);
  });

  test("a relay that nobody waits for is told to come up later", async () => {
    const daemon = await withNodes("n3");
    const line = "relay create x --at /dnsaddr/localhost/tcp/9 --to n3 --no-connection-wait";
    const { stdout, stderr } = await onTerminal(line, { daemon });
    assert.match(stdout, /will be up as soon as a connection can be made/);
    assert.equal(stderr, "");
  });

  test("lists of nothing say so", async () => {
    const daemon = await withNodes("n1");
    for (const line of [
      "relay list",
      "relay list --hosted",
      "tcp-inlet list",
      "tcp-outlet list",
      "tcp-connection list",
    ]) {
      const { stdout } = await onTerminal(line, { daemon });
      assert.match(stdout, /^The node n1 (has|hosts) no /, line);
    }
  });

  test("show and list tell what there is", async () => {
    const daemon = await withNodes("n1", "n2 --tcp-listener-address 7000");
    for (const line of [
      "tcp-connection create --from n1 --to 7000",
      "relay create r --at n2 --to n1",
      "tcp-outlet create --at n2 --to 9000",
      "tcp-inlet create web --at n1 --from 6000 --to /node/n2/service/outlet",
    ]) {
      assert.equal((await portway(line, { daemon })).code, 0, line);
    }
    for (const [line, said] of [
      ["node list", /n1 {2}running {2}127\.0\.0\.1:\d+ {2}\(default\)/],
      ["node show n1", /Inlet {9}web: 127\.0\.0\.1:6000 → \/ip4\/127\.0\.0\.1\/tcp\/7000\/service\/outlet/],
      ["node show n2", /Outlet {8}\/service\/outlet → 127\.0\.0\.1:9000/],
      ["service list", /\/service\/echo/],
      ["worker list", /echo {7}service/],
      ["tcp-listener list --at n2", /127\.0\.0\.1:7000 {2}0 connections, the node's own/],
      ["tcp-listener show 7000 --at n2", /127\.0\.0\.1:7000/],
      ["tcp-connection list", /\/worker\/[0-9a-f]{32} {2}to 127\.0\.0\.1:7000, up/],
      ["tcp-connection show 127.0.0.1:7000", /Peer {10}127\.0\.0\.1:7000/],
      ["relay list", /r\n {2}At {12}\/ip4\/127\.0\.0\.1\/tcp\/7000\n {2}Status {8}up/],
      ["relay show r", /Reached at {4}\/service\/forward_to_r/],
      ["relay list --hosted --to n2", /r\n {2}Reached at {4}\/service\/forward_to_r/],
      ["relay show r --hosted --at n2", /Held by/],
      ["tcp-inlet show web", /Path {10}up/],
      ["tcp-outlet show outlet --at n2", /To {12}127\.0\.0\.1:9000/],
      ["status", /Portway .*\n {2}Daemon {8}running/],
    ] as const) {
      const { code, stdout } = await onTerminal(line, { daemon });
      assert.equal(code, 0, line);
      assert.match(stdout, said);
    }
  });

  test("control characters of a reply are shown and not obeyed", async () => {
    const { stdout } = await onTerminal("message send x --to /service/escape");
    assert.equal(stdout, "\\x1b[2Jx\n\n");
    assert.equal((await portway("message send x --to /service/escape")).stdout, "\u001b[2Jx\n");
  });
});

describe("deleting on a terminal", () => {
  test("asks, and does nothing for a no", async () => {
    for (const stdin of ["n\n", "\n", "", "what\n"]) {
      const daemon = await withNodes("n1");
      const { code, stderr } = await onTerminal("node delete n1", { daemon, stdin });
      assert.equal(code, 130);
      assert.match(stderr, /Delete the node n1\? \[y\/N\]/);
      assert.equal(daemon.nodes.size, 1);
    }
  });

  test("does it for a yes", async () => {
    const daemon = await withNodes("n1", "n2");
    const { code, stderr } = await onTerminal("node delete --all", { daemon, stdin: "yes\n" });
    assert.equal(code, 0);
    assert.match(stderr, /Delete the nodes n2 and n1\?/);
    assert.equal(daemon.nodes.size, 0);
  });

  for (const [how, options] of [
    ["with -y", { flag: " -y" }],
    ["with --no-input", { flag: " --no-input" }],
    ["with --quiet", { flag: " --quiet" }],
    ["with NO_INPUT", { env: { NO_INPUT: "true" } }],
    ["with QUIET", { env: { QUIET: "1" } }],
  ] as const) {
    test(`does not ask ${how}`, async () => {
      const daemon = await withNodes("n1");
      const { flag = "", env = {} } = options as { flag?: string; env?: Record<string, string> };
      const { code, stderr } = await onTerminal(`node delete n1${flag}`, { daemon, env });
      assert.equal(code, 0);
      assert.doesNotMatch(stderr, /\?/);
      assert.equal(daemon.nodes.size, 0);
    });
  }

  test("NO_INPUT=false is no wish for no questions", async () => {
    const daemon = await withNodes("n1");
    const { code } = await onTerminal("node delete n1", { daemon, env: { NO_INPUT: "false" } });
    assert.equal(code, 130);
  });

  test("lets choose of several, by number, by name, or all", async () => {
    for (const [answer, left] of [
      ["2", ["n1", "n3"]],
      ["1, n3", ["n2"]],
      ["all", []],
    ] as const) {
      const daemon = await withNodes("n1", "n2", "n3");
      const { code, stderr } = await onTerminal("node delete", { daemon, stdin: `${answer}\ny\n` });
      assert.equal(code, 0, stderr);
      assert.match(stderr, /1\) n1\n {2}2\) n2\n {2}3\) n3\nWhich node\?/);
      assert.deepEqual([...daemon.nodes.keys()], left);
    }
  });

  test("asks again after a wrong answer, three times", async () => {
    const daemon = await withNodes("n1", "n2");
    const { code, stderr } = await onTerminal("node delete", { daemon, stdin: "7\nx\n0\n1\n" });
    assert.equal(code, 130);
    assert.equal(stderr.match(/is none of these/g)?.length, 3);
    assert.equal(daemon.nodes.size, 2);
  });

  test("begins a line of its own after the end of input", async () => {
    const daemon = await withNodes("n1", "n2");
    const { code, stderr } = await onTerminal("node delete", { daemon });
    assert.equal(code, 130);
    assert.match(stderr, /\) \nerror: nothing was chosen\n$/);
  });

  test("does not choose where there is only one", async () => {
    const daemon = await withNodes("n1");
    const { code, stderr } = await onTerminal("node delete", { daemon, stdin: "y\n" });
    assert.equal(code, 0);
    assert.doesNotMatch(stderr, /Which node/);
  });
});

describe("in a pipe", () => {
  test("several without a name are an error that names them", async () => {
    const daemon = await withNodes("n1", "n2");
    for (const name of ["a", "b"])
      await portway(`tcp-outlet create --at n1 --from ${name} --to 9000`, { daemon });
    for (const [line, said] of [
      ["node delete", /there are 2 nodes: name one of n1, n2/],
      ["tcp-outlet show", /there are 2 outlets: name one of a, b/],
      ["tcp-outlet delete", /there are 2 outlets: name one of a, b/],
    ] as const) {
      const { code, stderr } = await portway(line, { daemon });
      assert.equal(code, 64, line);
      assert.match(stderr, said);
    }
    assert.equal(daemon.nodes.size, 2);
  });

  test("the only one is meant", async () => {
    const daemon = await withNodes("n1");
    await portway("tcp-inlet create web --to /service/outlet", { daemon });
    assert.equal(JSON.parse((await portway("tcp-inlet show", { daemon })).stdout).alias, "web");
    assert.deepEqual(JSON.parse((await portway("tcp-inlet delete", { daemon })).stdout), {
      alias: "web",
      node: "n1",
    });
    assert.equal((await portway("tcp-inlet delete", { daemon })).code, 70);
  });

  test("node show without a name shows the default node", async () => {
    const daemon = await withNodes("n1", "n2");
    assert.equal(JSON.parse((await portway("node show", { daemon })).stdout).name, "n1");
  });

  test("nothing is asked before something is deleted", async () => {
    const daemon = await withNodes("n1", "n2");
    const { code } = await portway("node delete --all", { daemon });
    assert.equal(code, 0);
    assert.equal(daemon.nodes.size, 0);
  });

  for (const [noun, method, reason] of [
    ["node", "DeleteNode", "NODE_NOT_FOUND"],
    ["tcp-inlet", "DeleteInlet", "INLET_NOT_FOUND"],
    ["tcp-outlet", "DeleteOutlet", "OUTLET_NOT_FOUND"],
  ] as const) {
    test(`one that another command has deleted meanwhile counts as deleted: ${noun} delete --all`, async () => {
      const daemon = await withNodes("n1");
      for (const port of [6001, 6002]) {
        await portway(`tcp-inlet create --from ${port} --to /service/outlet`, { daemon });
        await portway(`tcp-outlet create --to ${port}`, { daemon });
      }
      daemon.failures.set(method, [reason]);
      const { code, stderr } = await portway(`${noun} delete --all`, { daemon });
      assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    });
  }
});

async function onTerminal(line: string, options: FakeIoOptions = {}): Promise<Outcome> {
  return await portway(line, { terminal: true, ...options, env: { ...noColour, ...options.env } });
}

async function withNodes(...lines: string[]): Promise<FakeDaemon> {
  const daemon = new FakeDaemon();
  for (const line of lines) assert.equal((await portway(`node create ${line}`, { daemon })).code, 0);
  return daemon;
}
