import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Home, homeAt } from "../../src/home/home.js";
import { formatLockRecord, type LockRecord } from "../../src/home/lock-record.js";
import { temporaryDirectory } from "../daemon/daemon-fixture.js";
import { portway } from "../support/fake-io.js";

const lockProgram = join(import.meta.dirname, "../daemon/lock-program.js");
const onLinux = { skip: process.platform !== "linux" };

test("a daemon that has the home and does not answer is ended by a signal", async (t) => {
  const { home, holder, exit } = await held(t);
  assert.equal((await reset(home)).stopped_pid, holder.pid);
  assert.deepEqual(await exit, [null, "SIGTERM"]);
});

const others: Readonly<Record<string, Partial<LockRecord>>> = {
  "that has the pid of a dead one": { startTicks: "1" },
  "that has the pid of one in another container": { pidNamespace: "pid:[1]" },
};

for (const [which, changed] of Object.entries(others)) {
  test(`no signal goes to a process ${which}`, onLinux, async (t) => {
    const { home, holder, exit } = await held(t);
    const record = JSON.parse(readFileSync(home.lockPath, "utf8")) as LockRecord;
    writeFileSync(home.lockPath, formatLockRecord({ ...record, ...changed }));
    assert.equal((await reset(home)).stopped_pid, null);
    holder.stdin!.end();
    assert.deepEqual(await exit, [0, null]);
  });
}

interface Held {
  readonly home: Home;
  readonly holder: ChildProcess;
  /** Exit code and signal. */
  readonly exit: Promise<unknown[]>;
}

/** A home that a process has, which ends when its standard input does. */
async function held(t: TestContext): Promise<Held> {
  const home = homeAt(join(temporaryDirectory(t), "home"));
  mkdirSync(home.runDirectory, { recursive: true });
  // By its words it could be a daemon.
  const words = [lockProgram, home.lockPath, "0", "serve"];
  const holder = spawn(process.execPath, words, { stdio: ["pipe", "pipe", "inherit"] });
  t.after(() => holder.kill("SIGKILL"));
  const exit = once(holder, "exit");
  assert.deepEqual(await once(holder.stdout!.setEncoding("utf8"), "data"), ["held\n"]);
  return { home, holder, exit };
}

async function reset(home: Home): Promise<{ readonly stopped_pid: number | null }> {
  const { code, stdout } = await portway("reset -y --output json", {
    down: true,
    env: { PORTWAY_HOME: home.path },
  });
  assert.equal(code, 0);
  return JSON.parse(stdout);
}
