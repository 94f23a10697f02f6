import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { ensureDaemon, type StartOptions } from "../../src/cli/daemon-start.js";
import { accepts } from "../../src/cli/socket-probe.js";
import { takeStartLock } from "../../src/cli/start-lock.js";
import { homeAt } from "../../src/home/home.js";
import { formatLockRecord, type LockRecord } from "../../src/home/lock-record.js";
import { madeParts } from "../../src/home/made-parts.js";
import { ownIdentity } from "../../src/home/process-identity.js";

const ownRecord: LockRecord = { ...ownIdentity(), id: randomUUID(), takenMs: Date.now() };
const program = [process.execPath, join(import.meta.dirname, "pretend-daemon.js")];

let directory = "";
let home = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "pw-start-"));
  home = join(directory, "home");
});
afterEach(() => {
  for (const { pid } of started()) kill(pid);
  rmSync(directory, { recursive: true, force: true });
});

describe("a daemon is started", () => {
  test("when none answers, and not when one does", async () => {
    const { startedPid } = await ensure();
    assert.equal(startedPid, started()[0]?.pid);
    assert.deepEqual(await ensure(), {});
    assert.equal(started().length, 1);
  });

  test("once, however many clients come at the same time", async () => {
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => ensure()));
    assert.equal(outcomes.filter(({ startedPid }) => startedPid !== undefined).length, 1);
    assert.equal(started().length, 1);
  });

  test("in a home that only this user can open", async () => {
    await ensure();
    for (const path of [home, homeAt(home).runDirectory]) assert.equal(statSync(path).mode & 0o777, 0o700);
  });

  test("in /, with the words for it and a scrubbed environment", async () => {
    await ensure({
      env: { SECRET: "x", NODE_OPTIONS: "--no-warnings", LC_ALL: "C", TZ: "UTC", LANGUAGE: "de" },
    });
    const [{ words, env, cwd }] = started() as [Started];
    assert.deepEqual(words, ["serve", "--autostarted"]);
    assert.equal(cwd, "/");
    const known = /^(PATH|HOME|TZ|LANG|LC_\w+|PORTWAY_\w+)$/;
    // A system may add variables of its own, as macOS does.
    assert.deepEqual(
      env.filter((name) => !known.test(name) && !name.startsWith("__")),
      [],
    );
    assert.ok(env.includes("LC_ALL") && env.includes("TZ") && env.includes("PORTWAY_HOME"));
  });

  test("which leaves a note of what was made", async () => {
    await ensure();
    assert.deepEqual([...madeParts(homeAt(home))!], ["home", "run"]);
  });

  test("and nothing but its own files is left in the home", async () => {
    await ensure();
    const left = ["api.sock", "daemon.lock", "made-by-portway"];
    assert.deepEqual(readdirSync(homeAt(home).runDirectory).sort(), left);
  });

  test("after a client that was killed while it started one", async () => {
    mkdirSync(homeAt(home).runDirectory, { recursive: true });
    writeFileSync(join(homeAt(home).runDirectory, "start.lock"), String(2 ** 31 - 1));
    assert.notEqual((await ensure()).startedPid, undefined);
  });

  test("again, after a reset that took the home of the first away", async () => {
    const { startedPid } = await ensure({ env: { PORTWAY_PRETEND: "reset" } });
    assert.equal(startedPid, started()[0]?.pid);
  });

  test("after one that left its lock behind, whose pid is told", async () => {
    mkdirSync(homeAt(home).runDirectory, { recursive: true });
    writeFileSync(homeAt(home).lockPath, formatLockRecord({ ...ownRecord, pid: 2 ** 30 }));
    const { startedPid, deadPid } = await ensure({ env: { PORTWAY_PRETEND: "successor" } });
    assert.equal(startedPid, started()[0]?.pid);
    assert.equal(deadPid, 2 ** 30);
  });

  test("after one that still ends, which is not taken for dead", async () => {
    mkdirSync(homeAt(home).runDirectory, { recursive: true });
    writeFileSync(homeAt(home).lockPath, formatLockRecord(ownRecord));
    const { startedPid, deadPid } = await ensure({ env: { PORTWAY_PRETEND: "successor" } });
    assert.notEqual(startedPid, undefined);
    assert.equal(deadPid, undefined);
  });

  test("in a directory with other things in it, which stays as it is", async () => {
    mkdirSync(home, { mode: 0o755 });
    writeFileSync(join(home, "photo.jpg"), "");
    mkdirSync(join(home, "run"));
    rmSync(join(home, "run"), { recursive: true });
    // The pretended daemon makes no directory: it can't listen, and that is told.
    await assert.rejects(ensure({ ownStartMs: 2_000 }), { code: "daemon_unreachable" });
    assert.equal(statSync(home).mode & 0o777, 0o755);
    assert.ok(!readdirSync(home).includes("run"));
  });

  test("in an empty directory behind a symbolic link, which stays as it is", async () => {
    const target = join(directory, "target");
    mkdirSync(target, { mode: 0o755 });
    symlinkSync(target, home);
    await assert.rejects(ensure({ ownStartMs: 2_000 }), { code: "daemon_unreachable" });
    assert.equal(statSync(target).mode & 0o777, 0o755);
    assert.ok(!readdirSync(target).includes("run"));
  });
});

describe("no daemon", () => {
  test("is started where that is not allowed", async () => {
    await assert.rejects(ensure({ mayStart: false }), {
      code: "daemon_unreachable",
      message: `no daemon answers at ${homeAt(home).socketPath}`,
    });
    assert.throws(() => readdirSync(home), { code: "ENOENT" });
  });

  test("that ends at once is waited for; what it said is told", async () => {
    await assert.rejects(ensure({ env: { PORTWAY_PRETEND: "crash" } }), {
      code: "daemon_unreachable",
      message: "the daemon could not be started (exit code 73):\n  the disk is on fire",
    });
  });

  test("that does not answer is waited for longer than it was given", async () => {
    await assert.rejects(ensure({ env: { PORTWAY_PRETEND: "silent" }, ownStartMs: 1_000 }), {
      code: "daemon_unreachable",
      message: new RegExp(
        `^the daemon was started and does not answer at ${homeAt(home).socketPath}:\n {2}thinking$`,
      ),
    });
  });

  test("that has the home and lost its socket is named", async () => {
    const { lockPath, runDirectory, socketPath } = homeAt(home);
    mkdirSync(runDirectory, { recursive: true });
    writeFileSync(lockPath, formatLockRecord(ownRecord));
    await assert.rejects(ensure({ env: { PORTWAY_PRETEND: "silent" }, ownStartMs: 500 }), {
      code: "daemon_unreachable",
      message: `process ${process.pid} is the daemon of ${home} and can't be reached at ${socketPath}; \`portway reset\` ends it`,
    });
  });

  test("that another client starts is waited for longer than it was given", async () => {
    const { runDirectory } = homeAt(home);
    mkdirSync(runDirectory, { recursive: true });
    const release = takeStartLock(join(runDirectory, "start.lock"));
    assert.ok(release !== undefined);
    await assert.rejects(ensure({ othersStartMs: 300 }), {
      code: "daemon_unreachable",
      message: /^no daemon answers/,
    });
    release();
    assert.equal(started().length, 0);
  });

  test("can be in a home whose path is too long for a socket", async () => {
    home = join(directory, "x".repeat(100));
    await assert.rejects(ensure(), {
      code: "bad_argument",
      message: /PORTWAY_HOME is too long: .* at most 103/,
    });
  });

  test("can be in a home that is a file", async () => {
    writeFileSync(home, "");
    await assert.rejects(ensure(), { code: "daemon_unreachable", message: /PORTWAY_HOME: .*can't be made/ });
  });
});

test("a home that can't be written to is told", async () => {
  mkdirSync(homeAt(home).runDirectory, { recursive: true });
  chmodSync(directory, 0o755);
  chmodSync(homeAt(home).runDirectory, 0o555);
  // Modes do not apply to root.
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) process.seteuid?.("nobody");
  try {
    await assert.rejects(ensure(), {
      code: "daemon_unreachable",
      message: /^PORTWAY_HOME: .*home can't be made or written to: EACCES.*start\.lock/,
    });
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
});

describe("the lock of the start", () => {
  test("is had by one client at a time", () => {
    const path = join(directory, "start.lock");
    const release = takeStartLock(path);
    assert.ok(release !== undefined);
    assert.equal(takeStartLock(path), undefined);
    release();
    const again = takeStartLock(path);
    assert.ok(again !== undefined);
    again();
    again();
  });

  test("of a client that holds it for too long can be taken", () => {
    const path = join(directory, "start.lock");
    assert.ok(takeStartLock(path) !== undefined);
    const longAgo = new Date(Date.now() - 60_000);
    utimesSync(path, longAgo, longAgo);
    assert.ok(takeStartLock(path) !== undefined);
  });

  test("that has no pid yet is not taken away from the client that writes it", () => {
    const path = join(directory, "start.lock");
    writeFileSync(path, "");
    assert.equal(takeStartLock(path), undefined);
  });
});

test("nothing accepts connections where there is no socket, or a file", async () => {
  assert.equal(await accepts(join(directory, "none")), false);
  writeFileSync(join(directory, "file"), "");
  assert.equal(await accepts(join(directory, "file")), false);
});

function ensure(options: Partial<StartOptions> = {}) {
  return ensureDaemon({
    home,
    mayStart: true,
    program,
    ...options,
    env: { PATH: process.env["PATH"], ...options.env },
  });
}

interface Started {
  readonly pid: number;
  readonly words: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
}

/** The pretended daemons that were started in the home. */
function started(): Started[] {
  let names: string[];
  try {
    names = readdirSync(home).filter((name) => name.startsWith("started-"));
  } catch {
    return [];
  }
  return names.map((name) => ({
    ...(JSON.parse(readFileSync(join(home, name), "utf8")) as Omit<Started, "pid">),
    pid: Number(name.slice("started-".length)),
  }));
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}
