import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { homeAt } from "../../src/home/home.js";
import { type HomePart, noteMade } from "../../src/home/made-parts.js";
import { portway } from "../support/fake-io.js";
import { FakeDaemon } from "../support/fake-services.js";

const logLine = '{"level":"info","time":"2026-11-29T03:00:00.000Z","event":"daemon.ready","pid":1}\n';

let directory = "";
let home = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "pw-reset-"));
  home = join(directory, "home");
});
afterEach(() => rmSync(directory, { recursive: true }));

/** What a daemon and its clients leave in a home. */
const ours = [
  "token",
  "token.0123456789ab.tmp",
  "run/api.sock",
  "run/daemon.lock",
  "run/daemon.lock.own-6b1c2f9e-0000-4000-8000-000000000000",
  "run/daemon.lock.after-6b1c2f9e-0000-4000-8000-000000000000",
  "run/start.lock",
  "logs/daemon.log",
  "logs/daemon.log.1",
  "logs/daemon.node.log",
  "logs/n1.log",
];

describe("reset", () => {
  test("deletes what Portway created, and the home", async () => {
    make(ours);
    note("home", "run", "logs", "token");
    const { code, stdout } = await reset();
    assert.equal(code, 0);
    assert.match(stdout, /^Deleted what Portway created in .*home/);
    assert.deepEqual(readdirSync(directory), []);
  });

  test("deletes a home of a daemon that took no notes, and knows it by its log", async () => {
    make(ours);
    await reset();
    assert.deepEqual(readdirSync(directory), []);
  });

  test("asks the daemon to end first", async () => {
    make(ours);
    const daemon = new FakeDaemon();
    await reset({ daemon });
    assert.ok(daemon.drained);
  });

  test("leaves what Portway did not create, and names it", async () => {
    const others = ["photo.jpg", "token.txt", "run/mine", "logs/n1.log.gz", "logs/sub/daemon.log"];
    make([...ours, ...others]);
    const nginx = join(home, "logs/nginx.log");
    writeFileSync(nginx, "127.0.0.1 GET /\n");
    const { code, stderr } = await reset();
    assert.equal(code, 0);
    for (const path of others) assert.ok(existsSync(join(home, path)), path);
    for (const path of ours) assert.ok(!existsSync(join(home, path)), path);
    for (const name of ["photo.jpg", "token.txt", "run/mine", "logs/n1.log.gz", "logs/sub"]) {
      assert.ok(stderr.includes(join(home, name)), name);
    }
    assert.ok(existsSync(nginx) && stderr.includes(nginx));
  });

  test("names the first of very many things that it leaves, and says how many more there are", async () => {
    const names = Array.from({ length: 100 }, (_, at) => `f${String(at).padStart(3, "0")}`);
    make(names);
    const { stderr } = await reset();
    const said = names.slice(0, 10).map((name) => join(home, name));
    assert.ok(stderr.endsWith(`left there: ${said.join(", ")} and 90 more\n`), stderr);
  });

  test("leaves the directories and the token that were there before", async () => {
    make(ours);
    note();
    const { stdout } = await portway("reset -y --output json", { down: true, env: { PORTWAY_HOME: home } });
    const left = ["token", "logs", "run"];
    assert.deepEqual(readdirSync(home).sort(), left.toSorted());
    assert.deepEqual(
      JSON.parse(stdout).kept,
      left.map((name) => join(home, name)),
    );
  });

  for (const entries of [
    ["token", "photo.jpg"],
    ["token"],
    ["logs/nginx.log"],
    ["token", "logs/app.log", "logs/access.log.1", "run/api.sock", "run/daemon.lock", "main.py"],
    [],
  ]) {
    test(`touches nothing in a directory that was never a home: ${entries.join(", ") || "empty"}`, async () => {
      mkdirSync(join(home, "run"), { recursive: true });
      make(entries, "s\n");
      const before = readdirSync(home, { recursive: true });
      const { code } = await reset();
      assert.equal(code, 0);
      assert.deepEqual(readdirSync(home, { recursive: true }), before);
    });
  }

  test("does not follow links out of the home", async () => {
    make(["token"]);
    note("home", "run", "logs", "token");
    const elsewhere = join(directory, "elsewhere");
    mkdirSync(elsewhere);
    writeFileSync(join(elsewhere, "daemon.log"), logLine);
    symlinkSync(elsewhere, join(home, "logs"));
    await reset();
    assert.ok(existsSync(join(elsewhere, "daemon.log")));
    assert.ok(existsSync(join(home, "logs")));
  });

  test("of nothing says so", async () => {
    const { code, stdout } = await reset({ down: true });
    assert.equal(code, 0);
    assert.match(stdout, /^There was nothing to delete/);
  });

  test("tells in JSON what it did", async () => {
    make(["token", "photo.jpg", "run/start.lock"]);
    note("home", "run", "token");
    const { stdout } = await portway("reset -y --output json", { down: true, env: { PORTWAY_HOME: home } });
    const { runDirectory, madePath, tokenPath } = homeAt(home);
    assert.deepEqual(JSON.parse(stdout), {
      deleted: [join(runDirectory, "start.lock"), tokenPath, madePath, runDirectory],
      home,
      kept: [join(home, "photo.jpg")],
      stopped_pid: null,
    });
  });

  test("asks on a terminal, and does nothing for a no", async () => {
    make(ours);
    const { code } = await portway("reset", { terminal: true, stdin: "n\n", env: { PORTWAY_HOME: home } });
    assert.equal(code, 130);
    for (const path of ours) assert.ok(existsSync(join(home, path)), path);
  });
});

describe("status", () => {
  test("starts no daemon, and says that none runs", async () => {
    const { code, stdout } = await portway("status", { down: true });
    assert.equal(code, 0);
    assert.equal(JSON.parse(stdout).running, false);
  });
});

function reset(options: { daemon?: FakeDaemon; down?: boolean } = {}) {
  return portway("reset -y", { ...options, env: { PORTWAY_HOME: home } });
}

function make(paths: readonly string[], text = logLine): void {
  for (const path of paths) {
    mkdirSync(join(home, path, ".."), { recursive: true });
    writeFileSync(join(home, path), text);
  }
}

function note(...parts: readonly HomePart[]): void {
  mkdirSync(homeAt(home).runDirectory, { recursive: true });
  noteMade(homeAt(home), parts);
}
