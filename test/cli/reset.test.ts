import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { homeAt } from "../../src/home/home.js";
import { portway } from "../support/fake-io.js";
import { FakeDaemon } from "../support/fake-services.js";

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
  "logs/n1.log",
];

describe("reset", () => {
  test("deletes what Portway created, and the home", async () => {
    make(ours);
    const { code, stdout } = await reset();
    assert.equal(code, 0);
    assert.match(stdout, /^Deleted what Portway created in .*home/);
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
    const { code, stderr } = await reset();
    assert.equal(code, 0);
    for (const path of others) assert.ok(existsSync(join(home, path)), path);
    for (const path of ours) assert.ok(!existsSync(join(home, path)), path);
    for (const name of ["photo.jpg", "token.txt", "run/mine", "logs/n1.log.gz", "logs/sub"]) {
      assert.ok(stderr.includes(join(home, name)), name);
    }
  });

  test("touches nothing in a directory that was never a home", async () => {
    make(["token", "photo.jpg"]);
    await reset();
    assert.deepEqual(readdirSync(home).sort(), ["photo.jpg", "token"]);
  });

  test("does not follow links out of the home", async () => {
    make(["token"]);
    const elsewhere = join(directory, "elsewhere");
    mkdirSync(elsewhere);
    writeFileSync(join(elsewhere, "daemon.log"), "");
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
    const { stdout } = await portway("reset -y --output json", { down: true, env: { PORTWAY_HOME: home } });
    const run = homeAt(home).runDirectory;
    assert.deepEqual(JSON.parse(stdout), {
      deleted: [join(run, "start.lock"), run, join(home, "token")],
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

function make(paths: readonly string[]): void {
  for (const path of paths) {
    mkdirSync(join(home, path, ".."), { recursive: true });
    writeFileSync(join(home, path), "");
  }
}
