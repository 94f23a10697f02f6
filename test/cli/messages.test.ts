import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { portway } from "../support/fake-io.js";
import { FakeDaemon } from "../support/fake-services.js";

describe("message send", () => {
  test("prints the reply and nothing else", async () => {
    const { code, stdout, stderr } = await portway("message send hello --to /service/uppercase");
    assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: "HELLO", stderr: "" });
  });

  test("tells the route of the reply and its time in JSON", async () => {
    const { stdout } = await portway("message send hello --to /service/uppercase --output json");
    assert.deepEqual(JSON.parse(stdout), { reply: "HELLO", return_route: "0#a => 0#b", round_trip_ms: 1.5 });
  });

  test("--hex takes and prints bytes", async () => {
    assert.equal((await portway("message send 00FFfe --hex --to /service/echo")).stdout, "00fffe");
    assert.equal((await portway("message send 00 --hex --to /service/bytes")).stdout, "fffe");
  });

  test("a reply that is no text is an error without --hex", async () => {
    const { code, stdout, stderr } = await portway("message send x --to /service/bytes");
    assert.deepEqual({ code, stdout }, { code: 70, stdout: "" });
    assert.match(stderr, /2 bytes is not UTF-8.*--hex/);
  });

  test("no reply is an error that says what to look at", async () => {
    const { code, stderr } = await portway("message send x --to /service/nope --timeout 500ms");
    assert.equal(code, 70);
    assert.match(stderr, /error: no reply from \/service\/nope\nhint: .*portway worker list/);
  });

  test("can be tried again, and is not unless that is asked for", async () => {
    for (const [flags, env, code] of [
      ["", {}, 70],
      [" --retry-count 2 --retry-delay 1ms", {}, 0],
      [" --retry 2 --retry-delay 1ms", {}, 0],
      [" --retry-count 1 --retry-delay 1ms", {}, 70],
      [" --retry-delay 1ms", {}, 0],
      ["", { PORTWAY_COMMAND_RETRY_COUNT: "2", PORTWAY_COMMAND_RETRY_DELAY: "1ms" }, 0],
      [" --no-retry", { PORTWAY_COMMAND_RETRY_COUNT: "2", PORTWAY_COMMAND_RETRY_DELAY: "1ms" }, 70],
    ] as const) {
      const daemon = new FakeDaemon();
      daemon.failures.set("SendMessage", ["NO_REPLY", "NOT_CONNECTED"]);
      const outcome = await portway(`message send x --to /service/echo${flags}`, { daemon, env });
      assert.equal(outcome.code, code, `${flags} ${JSON.stringify(env)}: ${outcome.stderr}`);
    }
  });

  test("names what said how often, and how long to wait, where that is wrong", async () => {
    for (const [flags, env, said] of [
      [" --retry-count -1", {}, '--retry-count: "-1"'],
      [" --retry -1", {}, '--retry: "-1"'],
      [" --retry-delay x", {}, '--retry-delay: "x"'],
      [" --retry-delay 25d", {}, "--retry-delay: 25d is too long: at most 86400 s"],
      ["", { PORTWAY_COMMAND_RETRY_COUNT: "x" }, 'PORTWAY_COMMAND_RETRY_COUNT: "x"'],
      ["", { PORTWAY_COMMAND_RETRY_DELAY: "x" }, 'PORTWAY_COMMAND_RETRY_DELAY: "x"'],
    ] as const) {
      const { code, stderr } = await portway(`message send x --to /service/echo${flags}`, { env });
      assert.equal(code, 64);
      assert.ok(stderr.startsWith(`error: ${said}`), stderr);
    }
  });

  test("is not tried again after a failure that would be the same again", async () => {
    const daemon = new FakeDaemon();
    daemon.failures.set("SendMessage", ["BAD_ROUTE"]);
    const { code } = await portway("message send x --to /service/echo --retry-count 5 --retry-delay 1ms", {
      daemon,
    });
    assert.equal(code, 64);
    assert.equal(daemon.calls.filter((call) => call === "SendMessage").length, 1);
  });
});

describe("a route on the command line", () => {
  test("has /node/NAME replaced by the address of the node's listener", async () => {
    for (const [bind, address] of [
      ["127.0.0.1:7001", "/ip4/127.0.0.1/tcp/7001"],
      ["0.0.0.0:7002", "/ip4/127.0.0.1/tcp/7002"],
    ] as const) {
      const daemon = new FakeDaemon();
      await portway(`node create n1 -t ${bind}`, { daemon });
      await portway("tcp-inlet create web --to /node/n1/service/a/node/n1/service/b", { daemon });
      const inlet = daemon.nodes.get("n1")?.inlets.get("web");
      assert.equal(inlet?.spec["to"], `${address}/service/a${address}/service/b`);
    }
  });

  test("names a node that is stopped: it is taken as it will be, and that is said", async () => {
    const daemon = new FakeDaemon();
    await portway("node create n1 -t 127.0.0.1:7001", { daemon });
    await portway("node stop n1", { daemon });
    await portway("node create n2", { daemon });
    const { code, stderr } = await portway("tcp-inlet create web --at n2 --to /node/n1/service/a", {
      daemon,
    });
    assert.deepEqual(
      [code, stderr],
      [0, "! the node n1 is stopped: nothing reaches it until it is started\n"],
    );
    assert.equal(daemon.nodes.get("n2")?.inlets.get("web")?.spec["to"], "/ip4/127.0.0.1/tcp/7001/service/a");
  });

  test("names a node that does not exist: that is said", async () => {
    const { code, stderr } = await portway("message send x --to /node/nope/service/echo");
    assert.equal(code, 70);
    assert.match(stderr, /there is no node nope/);
  });

  test("may be the bare name of a node for a relay", async () => {
    const daemon = new FakeDaemon();
    await portway("node create n2 -t 7000", { daemon });
    await portway("relay create r --at n2 --to n2", { daemon });
    assert.equal(daemon.nodes.get("n2")?.relays.get("r")?.spec["at"], "/ip4/127.0.0.1/tcp/7000");
  });

  test("has a segment - replaced by a line of standard input", async () => {
    for (const [route, stdin, to] of [
      ["-/service/outlet", "/service/abc\n", "/service/abc/service/outlet"],
      ["/-/service/outlet", "service/abc", "/service/abc/service/outlet"],
      ["-", "/worker/abc/service/outlet\nmore\n", "/worker/abc/service/outlet"],
      ["/service/a/-", " /service//b/ \r\n", "/service/a/service/b"],
      ["/service/a-/service/-b", "", "/service/a-/service/-b"],
    ] as const) {
      const daemon = new FakeDaemon();
      await portway("node create n1", { daemon });
      const { code, stderr } = await portway(["tcp-inlet", "create", "web", "--to", route], {
        daemon,
        stdin,
      });
      assert.equal(code, 0, stderr);
      assert.equal(daemon.nodes.get("n1")?.inlets.get("web")?.spec["to"], to);
    }
  });

  test("has one - at most", async () => {
    for (const line of ["message send x --to -/service/-", "tcp-inlet create --to /-/-/service/outlet"]) {
      const { code, stderr } = await portway(line, { stdin: "/service/a\n" });
      assert.equal(code, 64);
      const said = '--to: "-" stands for a line of standard input: expected one at most in a route';
      assert.equal(stderr, `error: ${said}\n`);
    }
  });

  test("has a - and nothing comes: that is said", async () => {
    const { code, stderr } = await portway("message send x --to -/service/echo");
    assert.equal(code, 70);
    assert.match(stderr, /--to: "-" stands for a line of standard input, and none came/);
  });

  test("is what relay create printed", async () => {
    const daemon = new FakeDaemon();
    await portway("node create n2 -t 7000", { daemon });
    const { stdout } = await portway("relay create --at n2 --to n2", { daemon });
    assert.equal(stdout, "/service/forward_to_default");
    const line = ["message", "send", "hi", "--to", "/node/n2/-/service/uppercase"];
    assert.equal((await portway(line, { daemon, stdin: stdout })).stdout, "HI");
  });
});

describe("creating what is there or can't be", () => {
  test("fails and says what there is", async () => {
    const daemon = new FakeDaemon();
    await portway("node create n1 -t 7000", { daemon });
    for (const [line, said] of [
      ["relay create r --at n1 --to n1", /the node n1 has a relay r at .* already/],
      ["tcp-outlet create --from o --to 9000", /an outlet at \/service\/o already/],
      ["tcp-outlet create --from o --to 9001", /\/service\/o is taken/],
      ["tcp-listener create 7000", /another socket listens at 127\.0\.0\.1:7000\nhint: choose another port/],
      ["tcp-inlet create --from 7000 --to /service/o", /another socket listens at 127\.0\.0\.1:7000/],
      ["service start hop", /a hop runs already at \/service\/hop/],
      ["tcp-connection create --to 127.0.0.1:9", /refused the connection/],
    ] as const) {
      const first = await portway(line, { daemon });
      const { code, stdout, stderr } = first.code === 0 ? await portway(line, { daemon }) : first;
      assert.deepEqual({ code, stdout }, { code: 70, stdout: "" }, line);
      assert.match(stderr, said);
    }
  });

  test("a relay that can't come up by itself is taken away again", async () => {
    const daemon = new FakeDaemon();
    await portway("node create n1 -t 7000", { daemon });
    const { code, stderr } = await portway("relay create held --at n1", { daemon });
    assert.equal(code, 70);
    assert.match(stderr, /the relay held of the node n1 can't be created: the name is held by another node/);
    assert.equal(daemon.nodes.get("n1")?.relays.size, 0);
  });
});

describe("what is named may be copied from what was printed", () => {
  test("as a route, a bare word or the text form of an address", async () => {
    const daemon = new FakeDaemon();
    await portway("node create n1 -t 7000", { daemon });
    await portway("tcp-outlet create --from /service/o --to 9000", { daemon });
    const { stdout: connection } = await portway("tcp-connection create --to 7000", { daemon });
    const address = connection.slice("/worker/".length);
    const { stdout: listener } = await portway(["tcp-listener", "list", "--jq", ".[0].processor_address"], {
      daemon,
    });
    for (const line of [
      "tcp-outlet show /service/o --at /node/n1",
      "tcp-outlet show o --at n1",
      `tcp-connection show ${connection}`,
      `tcp-connection show 0#${address}`,
      `tcp-connection show ${address}`,
      "tcp-connection show 7000",
      "tcp-listener show :7000",
      `tcp-listener show ${JSON.parse(listener)}`,
      "relay list --to /node/n1",
    ]) {
      const { code, stderr } = await portway(line, { daemon });
      assert.equal(code, 0, `${line}: ${stderr}`);
    }
  });

  test("a socket address that two connections have names none of them", async () => {
    const daemon = new FakeDaemon();
    await portway("node create n1 -t 7000", { daemon });
    await portway("tcp-connection create --to 7000", { daemon });
    await portway("tcp-connection create --to 7000", { daemon });
    const { code, stderr } = await portway("tcp-connection delete 127.0.0.1:7000", { daemon });
    assert.equal(code, 64);
    assert.match(stderr, /there are 2 TCP connections: name one of [0-9a-f]{32} \(127\.0\.0\.1:7000\), /);
    assert.equal(daemon.nodes.get("n1")?.connections.size, 2);
  });
});
