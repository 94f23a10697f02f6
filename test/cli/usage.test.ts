import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { nounNames } from "../../src/cli/program.js";
import { portway } from "../support/fake-io.js";
import { FakeDaemon } from "../support/fake-services.js";
import { projectRoot } from "../support/project-root.js";

describe("a command line that can't be", () => {
  for (const [line, said] of [
    ["nod create n1", /unknown command 'nod'\ntip: Did you mean node\?\n\nUsage: portway/],
    ["node bogus", /unknown command 'bogus'/],
    ["relay create --bogus", /unknown option '--bogus'\n\nUsage: portway relay create \[FLAGS\] \[NAME\]/],
    ["relay create --tu n3", /tip: Did you mean --to\?/],
    ["node create a b", /too many arguments/],
    ["message send", /missing required argument 'MESSAGE'/],
    ["message send x --to", /'-t, --to <ROUTE>' argument missing/],
    ["message send x", /--to is missing: the route/],
    ["tcp-outlet create", /--to is missing/],
    ["tcp-inlet create", /--to is missing/],
    ["tcp-connection create", /--to is missing/],
    ["relay create", /--at is missing/],
    ["completion", /--shell is missing: one of bash, zsh, fish/],
    ["completion --shell tcsh", /"tcsh" is no shell/],
    ["tcp-outlet create --to notaport", /--to: "notaport" is not a socket address/],
    ["tcp-outlet create --to 9000 --from a/b/c", /--from: "a\/b\/c" can't be the address/],
    ["tcp-inlet create --to /service/outlet --from x:99999", /--from: "x:99999"/],
    ["tcp-inlet create --to outlet", /write \/service\/outlet/],
    [
      "tcp-inlet create --to /service/outlet --connection-wait soon",
      /--connection-wait: "soon" is not a duration/,
    ],
    ["tcp-inlet create web --alias other --to /service/outlet", /the name is given twice/],
    ["message send x --to garbage", /--to: "garbage" is not a route/],
    ["message send x --to /tcp/abc", /--to: .*"abc"/],
    ["message send x --to /service/echo --timeout 0", /--timeout/],
    ["message send x --to /service/echo --timeout 99h", /too long/],
    ["status --timeout 0", /--timeout: expected more than 0/],
    ["tcp-inlet create --to /service/outlet --timeout 0s", /--timeout: expected more than 0/],
    ["message send xyz --hex --to /service/echo", /hexadecimal/],
    [
      "message send x --to /service/a --to /service/b",
      /'--to' was given more than once|given more than once/,
    ],
    ["node create n1 --exit-on-eof", /--exit-on-eof needs --foreground/],
    ["node create n1 --variable A=1", /--variable needs a configuration/],
    ["node create n1 --http-server-port 70000", /--http-server-port: "70000"/],
    ["node create n1 --tcp-listener-address=", /--tcp-listener-address: ""/],
    ["node create n1 --tcp-listener-address nowhere", /--tcp-listener-address: "nowhere"/],
    ["node delete n1 --all", /leave out the name n1/],
    ["service start echo", /"echo" can't be started: expected hop/],
    ["reset", /confirm it with -y/],
    ["--output", /argument missing/],
  ] as const) {
    test(`"${line}" is refused with exit code 64`, async () => {
      const daemon = new FakeDaemon();
      const { code, stdout, stderr } = await portway(line, { daemon });
      assert.match(stderr, said);
      assert.equal(code, 64);
      assert.equal(stdout, "");
      assert.deepEqual(daemon.calls, []);
    });
  }

  for (const name of [
    "-",
    "-- -x",
    "-- --all",
    "n!",
    "n.1",
    "./config.yaml",
    "/no/such/file.yaml",
    "x".repeat(64),
  ]) {
    test(`"${name}" is no name of a node`, async () => {
      const { code, stderr } = await portway(`node create ${name}`);
      assert.equal(code, 70);
      assert.ok(stderr.includes(`"${name.replace("-- ", "")}"`), stderr);
    });
  }

  for (const home of ["", "me"]) {
    test(`HOME is "${home}" where it is needed`, async () => {
      const { code, stderr } = await portway("node list", { env: { PORTWAY_HOME: "", HOME: home } });
      assert.equal(code, 64);
      assert.equal(stderr, `error: HOME is "${home}": expected an absolute path, or PORTWAY_HOME\n`);
      assert.equal(
        (await portway("completion --shell bash", { env: { PORTWAY_HOME: "", HOME: home } })).code,
        0,
      );
    });
  }

  test("PORTWAY_HOME is relative to a directory that is gone", async (t) => {
    const before = process.cwd();
    const gone = mkdtempSync(join(tmpdir(), "pw-gone-"));
    t.after(() => process.chdir(before));
    process.chdir(gone);
    rmdirSync(gone);
    const { code, stderr } = await portway("node list", { env: { PORTWAY_HOME: "home" } });
    assert.equal(code, 64);
    assert.match(stderr, /^error: PORTWAY_HOME is "home", and the current directory is gone/);
  });

  test("nothing at all is answered with the help, as an error", async () => {
    const { code, stdout, stderr } = await portway([]);
    assert.equal(code, 64);
    assert.equal(stdout, "");
    assert.match(stderr, /^Usage: portway/);
  });
});

describe("help", () => {
  test("names every command", async () => {
    const { code, stdout } = await portway("--help");
    assert.equal(code, 0);
    for (const noun of nounNames) assert.match(stdout, new RegExp(`^  ${noun} `, "m"));
  });

  for (const noun of nounNames) {
    test(`of ${noun} is the same however it is asked for`, async () => {
      const { code, stdout } = await portway(`${noun} --help`);
      assert.equal(code, 0);
      assert.match(stdout, new RegExp(`^Usage: portway ${noun}`));
      assert.equal((await portway(`help ${noun}`)).stdout, stdout);
    });
  }

  test("of a command below another is found by all its words", async () => {
    const { stdout } = await portway("node create --help");
    for (const line of ["help node create", "node help create"]) {
      assert.deepEqual(await portway(line), { code: 0, stdout, stderr: "" });
    }
  });

  test("of a command that there is not names it", async () => {
    for (const line of ["help bogus", "help node bogus", "node help bogus"]) {
      const { code, stdout, stderr } = await portway(line);
      assert.deepEqual({ code, stdout }, { code: 64, stdout: "" });
      assert.match(stderr, /^error: unknown command 'bogus'\n\nUsage: portway/, line);
    }
  });

  test("names every variable of the environment that is read", async () => {
    const shown = (await portway("--help")).stdout + (await portway("serve --help")).stdout;
    const sources = ["cli", "daemon"].flatMap((folder) => {
      const path = join(projectRoot, "src", folder);
      const files = readdirSync(path, { recursive: true, encoding: "utf8" });
      return files
        .filter((file) => file.endsWith(".ts"))
        .map((file) => readFileSync(join(path, file), "utf8"));
    });
    const read = sources.flatMap((text) => [...text.matchAll(/"(PORTWAY_\w+)"/g)].map(([, name]) => name!));
    assert.ok(read.includes("PORTWAY_DRAIN_MS"));
    for (const name of read) assert.match(shown, new RegExp(`\\b${name}\\b`), name);
  });

  test("of hop says that it opens the node to whoever reaches it", async () => {
    const { stdout } = await portway("service start --help");
    assert.match(stdout, /opens all workers of\s+the node.*to everyone who can reach the node/s);
  });

  test("of node start says what of the node comes back", async () => {
    const { stdout } = await portway("node start --help");
    assert.match(stdout, /listener and its HTTP server come back\..* connections, services .* do not/s);
  });

  test("of node logs follows the name of the file, which another one gets when it is full", async () => {
    const { stdout } = await portway("node logs --help");
    assert.match(stdout, /tail -F /);
  });

  test("needs no daemon", async () => {
    const daemon = new FakeDaemon();
    await portway("node create --help", { daemon });
    assert.deepEqual(daemon.calls, []);
  });

  test("--test-argument-parser checks the command line and does nothing", async () => {
    const daemon = new FakeDaemon();
    const { code, stdout } = await portway("node create n1 --test-argument-parser", { daemon });
    assert.deepEqual({ code, stdout, calls: daemon.calls }, { code: 0, stdout: "", calls: [] });
  });
});
