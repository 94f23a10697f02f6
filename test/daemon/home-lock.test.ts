import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { deferred } from "../../src/base/signals.js";
import { ExitError } from "../../src/daemon/exit-error.js";
import { takeHomeLock } from "../../src/daemon/home-lock.js";
import { formatLockRecord, type LockRecord } from "../../src/home/lock-record.js";
import { ownIdentity } from "../../src/home/process-identity.js";
import { temporaryDirectory } from "./daemon-fixture.js";

const program = fileURLToPath(new URL("./lock-program.js", import.meta.url));
const raceProgram = fileURLToPath(new URL("./lock-race-program.js", import.meta.url));
const nobodyServes = { isServed: async () => false, waitMs: 0 };

interface Started {
  readonly process: ChildProcess;
  /** The line of standard output with this number. */
  line(number: number): Promise<string>;
}

interface Contender {
  readonly process: ChildProcess;
  /** "held", or why not. */
  readonly said: Promise<string>;
}

function start(t: TestContext, path: string, ...args: string[]): Started {
  const child = spawn(process.execPath, [path, ...args], { stdio: ["pipe", "pipe", "inherit"] });
  const closed = new Promise((resolve) => child.once("close", resolve));
  t.after(async () => {
    child.kill("SIGKILL");
    await closed;
  });
  const lines = [deferred<string>(), deferred<string>()];
  let count = 0;
  createInterface({ input: child.stdout }).on("line", (line) => {
    lines[count]?.resolve(line);
    count += 1;
  });
  return { process: child, line: (number) => lines[number]!.promise };
}

function contend(t: TestContext, lockPath: string, waitMs = 0): Contender {
  const started = start(t, program, lockPath, String(waitMs));
  return { process: started.process, said: started.line(0) };
}

function newLockPath(t: TestContext): string {
  const lockPath = join(temporaryDirectory(t), "run", "daemon.lock");
  mkdirSync(dirname(lockPath));
  return lockPath;
}

const deadRecord: LockRecord = {
  ...ownIdentity(),
  id: "11111111-1111-1111-1111-111111111111",
  takenMs: 1,
  startTicks: "1", // not the process that has our pid now
};

test("a lock holds its taker's pid, is for its user alone, and is gone when it is released", async (t) => {
  const lockPath = newLockPath(t);
  const lock = await takeHomeLock({ lockPath, ...nobodyServes });
  assert.equal(JSON.parse(readFileSync(lockPath, "utf8")).pid, process.pid);
  assert.equal(statSync(lockPath).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(dirname(lockPath)), ["daemon.lock"]);
  lock.release();
  assert.deepEqual(readdirSync(dirname(lockPath)), []);
  lock.release();
});

test("a lock that is held is refused with 69 and the pid, at once if its holder serves", async (t) => {
  const lockPath = newLockPath(t);
  const lock = await takeHomeLock({ lockPath, ...nobodyServes });
  const options = { lockPath, waitMs: 3_600_000, isServed: async () => true };
  await assert.rejects(takeHomeLock(options), (error) => {
    assert.ok(error instanceof ExitError);
    assert.equal(error.exitCode, 69);
    assert.match(error.message, new RegExp(`process ${process.pid}, since .*; it serves this home`));
    return true;
  });
  lock.release();
});

test("a holder that does not serve is waited for", async (t) => {
  const lockPath = newLockPath(t);
  const first = await takeHomeLock({ lockPath, ...nobodyServes });
  const waits: number[] = [];
  const second = await takeHomeLock({
    lockPath,
    isServed: async () => false,
    waitMs: 10_000,
    onWait: (pid) => {
      waits.push(pid);
      first.release();
    },
  });
  assert.deepEqual(waits, [process.pid]);
  second.release();
});

test("a signal ends the wait for a lock", async (t) => {
  const lockPath = newLockPath(t);
  const lock = await takeHomeLock({ lockPath, ...nobodyServes });
  const controller = new AbortController();
  const onWait = (): void => controller.abort(new Error("enough"));
  const waiting = takeHomeLock({
    lockPath,
    isServed: async () => false,
    waitMs: 60_000,
    onWait,
    signal: controller.signal,
  });
  await assert.rejects(waiting, /enough/);
  lock.release();
});

test("the lock of a dead holder is taken over, whatever is in it", async (t) => {
  for (const text of [
    formatLockRecord(deadRecord),
    "",
    "4711\n",
    "{}",
    '{"id":"x","pid":1}',
    "\0".repeat(9000),
  ]) {
    const lockPath = newLockPath(t);
    writeFileSync(lockPath, text);
    const lock = await takeHomeLock({ lockPath, ...nobodyServes });
    assert.equal(JSON.parse(readFileSync(lockPath, "utf8")).pid, process.pid);
    assert.deepEqual(readdirSync(dirname(lockPath)), ["daemon.lock"]);
    lock.release();
  }
});

test("a FIFO in the place of a lock is held by nobody, and nothing waits for a writer", async (t) => {
  const lockPath = newLockPath(t);
  execFileSync("mkfifo", [lockPath]);
  const lock = await takeHomeLock({ lockPath, ...nobodyServes });
  assert.equal(JSON.parse(readFileSync(lockPath, "utf8")).pid, process.pid);
  lock.release();
});

test("a successor that died before it had the lock is succeeded as well, and its traces go", async (t) => {
  const lockPath = newLockPath(t);
  const ids = ["2", "3", "4"].map((digit) => deadRecord.id.replaceAll("1", digit));
  writeFileSync(lockPath, formatLockRecord(deadRecord));
  let predecessor = deadRecord.id;
  for (const id of ids) {
    writeFileSync(`${lockPath}.after-${predecessor}`, formatLockRecord({ ...deadRecord, id }));
    writeFileSync(`${lockPath}.own-${id}`, formatLockRecord({ ...deadRecord, id }));
    predecessor = id;
  }
  const lock = await takeHomeLock({ lockPath, ...nobodyServes });
  assert.deepEqual(readdirSync(dirname(lockPath)), ["daemon.lock"]);
  lock.release();
});

test("a holder in another pid namespace counts as dead when it does not serve and had time to start", async (t) => {
  const lockPath = newLockPath(t);
  const elsewhere = { ...ownIdentity(), pid: 1, pidNamespace: "pid:[1]" };
  const old = { ...elsewhere, id: deadRecord.id, takenMs: Date.now() - 60_000 };
  writeFileSync(lockPath, formatLockRecord(old));
  await assert.rejects(
    takeHomeLock({ lockPath, waitMs: 0, isServed: async () => true }),
    /it serves this home/,
  );
  writeFileSync(lockPath, formatLockRecord({ ...old, takenMs: Date.now() }));
  await assert.rejects(takeHomeLock({ lockPath, ...nobodyServes }), /process 1, since/);
  writeFileSync(lockPath, formatLockRecord(old));
  (await takeHomeLock({ lockPath, ...nobodyServes })).release();
  // The clock was set back since.
  writeFileSync(lockPath, formatLockRecord({ ...old, takenMs: Date.now() + 3_600_000 }));
  (await takeHomeLock({ lockPath, ...nobodyServes })).release();
});

test("a lock that was taken from its holder by force is lost, and is not removed by it", async (t) => {
  const lockPath = newLockPath(t);
  const lock = await takeHomeLock({ lockPath, ...nobodyServes });
  assert.equal(lock.isLost, false);
  writeFileSync(lockPath, formatLockRecord(deadRecord));
  assert.equal(lock.isLost, true);
  lock.release();
  assert.equal(existsSync(lockPath), true);
});

test("a lock is lost with its directory, and not when it alone is missing", async (t) => {
  const lockPath = newLockPath(t);
  const lock = await takeHomeLock({ lockPath, ...nobodyServes });
  rmSync(lockPath);
  assert.equal(lock.isLost, false);
  rmSync(dirname(lockPath), { recursive: true });
  assert.equal(lock.isLost, true);
});

test("a directory that does not exist is an error that names the lock", async (t) => {
  const lockPath = join(temporaryDirectory(t), "none", "daemon.lock");
  await assert.rejects(takeHomeLock({ lockPath, ...nobodyServes }), (error) => {
    return error instanceof ExitError && error.exitCode === 73 && error.message.includes(lockPath);
  });
});

for (const [what, prepare] of [
  ["a free home", () => {}],
  ["the home of a dead daemon", (lockPath: string) => writeFileSync(lockPath, formatLockRecord(deadRecord))],
] as const) {
  test(`of 20 processes that race for ${what} one wins, and the others name it`, async (t) => {
    const lockPath = newLockPath(t);
    prepare(lockPath);
    const contenders = Array.from({ length: 20 }, () => contend(t, lockPath));
    const said = await Promise.all(contenders.map((contender) => contender.said));
    const winners = contenders.filter((_contender, at) => said[at] === "held");
    assert.equal(winners.length, 1, said.join("\n"));
    const pid = winners[0]!.process.pid;
    const others = said.filter((text) => text !== "held");
    assert.deepEqual(
      others.filter((text) => !text.includes(`process ${pid}, since`)),
      [],
    );
    assert.equal(JSON.parse(readFileSync(lockPath, "utf8")).pid, pid);
  });
}

test("of processes that race for many homes of dead daemons no two get the same one, and each home has one", async (t) => {
  const directory = temporaryDirectory(t);
  const homes = Array.from({ length: 500 }, (_nothing, at) => String(at));
  for (const home of homes) {
    mkdirSync(join(directory, home));
    writeFileSync(join(directory, home, "daemon.lock"), formatLockRecord(deadRecord));
  }
  const racers = Array.from({ length: 4 }, () => start(t, raceProgram, directory));
  for (const racer of racers) await racer.line(0);
  for (const racer of racers) racer.process.stdin!.write("go\n");
  const held = await Promise.all(racers.map(async (racer) => JSON.parse(await racer.line(1)) as string[]));
  assert.deepEqual(
    held.flat().sort((a, b) => Number(a) - Number(b)),
    homes,
  );
});

test("of 8 processes that wait for a home each gets it once, when the one before is killed", async (t) => {
  const lockPath = newLockPath(t);
  const waiting = new Set(Array.from({ length: 8 }, () => contend(t, lockPath, 60_000)));
  while (waiting.size > 0) {
    const holder = await Promise.race([...waiting].map((one) => one.said.then((said) => ({ one, said }))));
    assert.equal(holder.said, "held");
    assert.equal(JSON.parse(readFileSync(lockPath, "utf8")).pid, holder.one.process.pid);
    waiting.delete(holder.one);
    holder.one.process.kill("SIGKILL");
  }
});
