import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import type { Writable } from "node:stream";
import { test } from "node:test";
import { isRunning, livenessOf, ownIdentity } from "../../src/home/process-identity.js";

const onLinux = { skip: process.platform !== "linux" };
const own = ownIdentity();

test("this process is alive, and another one with its pid is not taken for it", onLinux, () => {
  assert.equal(livenessOf(own), "alive");
  assert.equal(livenessOf({ ...own, startTicks: `${own.startTicks}0` }), "dead");
});

test("a process that has ended is dead", async () => {
  const child = spawn(process.execPath, ["-e", "0"]);
  await new Promise((resolve) => child.once("exit", resolve));
  const { startTicks: _unknown, ...rest } = own;
  assert.equal(livenessOf({ ...rest, pid: child.pid! }), "dead");
});

test("what is no pid of one process does not run", () => {
  assert.ok(isRunning(process.pid));
  for (const pid of [0, -1, -process.pid, 1.5, Number.NaN, 2 ** 60]) assert.ok(!isRunning(pid), String(pid));
});

test("a process that nobody has waited for is dead as well", onLinux, async (t) => {
  // The shell has a child that reads from us, and becomes a program that waits for no child.
  const script = "cat <&3 & echo $!; exec sleep 60 3<&-";
  const parent = spawn("/bin/sh", ["-c", script], { stdio: ["ignore", "pipe", "inherit", "pipe"] });
  t.after(() => parent.kill("SIGKILL"));
  const pid = await new Promise<number>((resolve) =>
    parent.stdout!.once("data", (text) => resolve(Number(text))),
  );
  const isSo = async (fact: () => boolean): Promise<void> => {
    while (!fact()) await new Promise((resolve) => setImmediate(resolve));
  };
  await isSo(() => readFileSync(`/proc/${parent.pid}/comm`, "latin1") === "sleep\n");
  (parent.stdio[3] as Writable).end();
  await isSo(() => readFileSync(`/proc/${pid}/stat`, "latin1").includes(") Z "));
  const { startTicks: _unknown, ...rest } = own;
  assert.equal(livenessOf({ ...rest, pid }), "dead");
});

test(
  "a process of an earlier start of this machine is dead, one of another machine or namespace unknown",
  onLinux,
  () => {
    const bootId = "00000000-0000-0000-0000-000000000000";
    assert.equal(livenessOf({ ...own, bootId }), "dead");
    assert.equal(livenessOf({ ...own, bootId, hostname: "elsewhere" }), "unknown");
    assert.equal(livenessOf({ ...own, pidNamespace: "pid:[1]" }), "unknown");
  },
);
