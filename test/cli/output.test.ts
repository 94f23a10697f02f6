import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { portway } from "../support/fake-io.js";
import { FakeDaemon } from "../support/fake-services.js";

const introducer = "\u001b";

describe("what is printed", () => {
  test("a pipe gets the bare value without a newline", async () => {
    const { stdout } = await portway("node create n1");
    assert.equal(stdout, "n1");
  });

  test("a pipe gets JSON from a command that has no bare value", async () => {
    const { stdout } = await portway("node list");
    assert.equal(stdout, "[]");
  });

  test("a terminal gets a text for people, in colour, with a newline", async () => {
    const { stdout } = await portway("node create n1", { terminal: true });
    assert.match(stdout, /Created the node .*n1/);
    assert.ok(stdout.endsWith("\n"));
    assert.ok(stdout.includes(introducer));
  });

  for (const env of [{ NO_COLOR: "1" }, { NO_COLOR: "false" }, { TERM: "dumb" }]) {
    test(`a terminal gets no colours with ${JSON.stringify(env)}`, async () => {
      const { stdout, stderr } = await portway("node create n1", { terminal: true, env });
      assert.ok(!`${stdout}${stderr}`.includes(introducer));
    });
  }

  test("an empty NO_COLOR counts as not set", async () => {
    const { stdout } = await portway("node create n1", { terminal: true, env: { NO_COLOR: "" } });
    assert.ok(stdout.includes(introducer));
  });

  test("--no-color turns the colours of errors off as well", async () => {
    const { stderr } = await portway("node show nope --no-color", { terminal: true });
    assert.match(stderr, /^error: there is no node nope\n/);
  });

  test("--output json prints JSON on a terminal, without colours", async () => {
    const { stdout } = await portway("node create n1 --output json", { terminal: true });
    assert.equal(JSON.parse(stdout).name, "n1");
    assert.ok(stdout.startsWith("{\n  "));
  });

  test("--compact-output prints JSON on one line", async () => {
    const { stdout } = await portway("--compact-output node default", { daemon: await withNodes("n1") });
    assert.equal(stdout, '{"name":"n1"}');
  });

  test("--jq prints what the query makes of the JSON", async () => {
    const daemon = await withNodes("n1", "n2");
    const { stdout } = await portway(["node", "list", "--jq", ".[].node_name"], { daemon });
    assert.equal(stdout, '"n1"\n"n2"');
  });

  test("--jq with --compact-output prints each result on one line", async () => {
    const daemon = await withNodes("n1");
    const { stdout } = await portway(["node", "show", "n1", "--compact-output", "--jq", "{name, status}"], {
      daemon,
    });
    assert.equal(stdout, '{"name":"n1","status":"running"}');
  });

  test("a query that is wrong is a usage error that says where", async () => {
    const { code, stdout, stderr } = await portway(["node", "list", "--jq", ".["]);
    assert.equal(code, 64);
    assert.equal(stdout, "");
    assert.match(stderr, /^error: --jq: .*syntax error/);
  });

  test("a query that is wrong is known before anything is done", async () => {
    const daemon = await withNodes("n1");
    const { code } = await portway(["tcp-outlet", "create", "--to", "9000", "--jq", ".["], { daemon });
    assert.equal(code, 64);
    assert.deepEqual(daemon.calls, []);
  });

  test("a format that does not exist is refused", async () => {
    const { code, stderr } = await portway("node list --output xml");
    assert.equal(code, 64);
    assert.match(stderr, /xml.*plain, json/s);
  });

  test("lists are read page after page", async () => {
    const daemon = await withNodes("a", "b", "c", "d", "e");
    const { stdout } = await portway(["node", "list", "--jq", "length"], { daemon });
    assert.equal(stdout, "5");
    assert.equal(daemon.calls.filter((call) => call === "ListNodes").length, 3);
  });

  test("--quiet leaves out warnings, and not errors", async () => {
    const daemon = await withNodes("n1");
    const hop = await portway("service start hop --at n1 --quiet", { daemon });
    assert.equal(hop.stderr, "");
    const again = await portway("service start hop --at n1 -q", { daemon });
    assert.match(again.stderr, /runs already/);
  });

  test("-v tells the calls, -vv what was asked, and payloads never", async () => {
    const daemon = await withNodes("n1");
    const line = "message send secret --to /node/n1/service/echo";
    const once = await portway(`${line} -v`, { daemon });
    assert.match(once.stderr, /SendMessage succeeded after/);
    assert.doesNotMatch(once.stderr, /service\/echo/);
    const twice = await portway(`${line} -vv`, { daemon });
    assert.match(twice.stderr, /"payload":"6 bytes"/);
    assert.doesNotMatch(twice.stderr, /secret/);
  });

  test("another version of the daemon is told on standard error, and the command goes on", async () => {
    const daemon = await withNodes("n1");
    daemon.version = "99.0.0";
    const { code, stdout, stderr } = await portway("node default", { daemon });
    assert.equal(code, 0);
    assert.equal(stdout, "n1");
    assert.match(stderr, /the daemon is version 99\.0\.0/);
  });
});

async function withNodes(...names: string[]): Promise<FakeDaemon> {
  const daemon = new FakeDaemon();
  for (const name of names) await portway(`node create ${name}`, { daemon });
  daemon.calls.length = 0;
  return daemon;
}
