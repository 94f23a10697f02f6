import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { PortwayError } from "../base/errors.js";
import type { PortwayClient } from "../client/client.js";
import type { Home } from "../home/home.js";
import { protoDuration } from "./duration.js";
import { isAlive } from "./is-alive.js";
import { lockHolder } from "./lock-holder.js";

const drainMs = 2_000;
const stopMs = 12_000;
/** A daemon that does not answer is unlikely to end in an orderly way. */
const termMs = 5_000;
const killMs = 5_000;
const pollMs = 25;

/** Ends the daemon of a home: asks it, then with SIGTERM, then with SIGKILL. Its pid; undefined if there was none. */
export async function stopDaemon(
  home: Home,
  client: PortwayClient | undefined,
  requestId: string,
): Promise<number | undefined> {
  const asked = client === undefined ? undefined : await drained(client, requestId);
  const pid = asked ?? lockHolder(home);
  if (pid === undefined || !isDaemon(pid)) return pid;
  if (asked !== undefined && (await hasEnded(pid, stopMs))) return pid;
  signal(pid, "SIGTERM");
  if (await hasEnded(pid, asked === undefined ? termMs : stopMs)) return pid;
  signal(pid, "SIGKILL");
  if (await hasEnded(pid, killMs)) return pid;
  throw new PortwayError("internal", `the daemon, process ${pid}, does not end`, { pid });
}

/** The pid of a daemon that was asked to end; undefined if it does not answer. */
async function drained(client: PortwayClient, requestId: string): Promise<number | undefined> {
  try {
    const { pid } = await client.system.getServerInfo({}, { timeoutMs: drainMs });
    await client.system.drain({ timeout: protoDuration(drainMs), requestId }, { timeoutMs: drainMs });
    return pid;
  } catch {
    return undefined;
  }
}

/** Pids are used again: only a process that was started as a daemon of ours is sent a signal. */
function isDaemon(pid: number): boolean {
  if (!isAlive(pid)) return false;
  try {
    return isServe(readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0"));
  } catch {
    // No /proc: ask the tool that every Unix has.
  }
  try {
    return isServe(
      execFileSync("ps", ["-o", "command=", "-p", String(pid)], { encoding: "utf8" }).split(/\s+/),
    );
  } catch {
    return false;
  }
}

function isServe(words: readonly string[]): boolean {
  return words.includes("serve");
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

async function hasEnded(pid: number, timeoutMs: number): Promise<boolean> {
  const endMs = performance.now() + timeoutMs;
  while (isAlive(pid) && !isZombie(pid)) {
    if (performance.now() > endMs) return false;
    await sleep(pollMs);
  }
  return true;
}

/** A daemon whose parent does not collect its exit status (a container without an init) has ended all the same. */
function isZombie(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2).startsWith("Z");
  } catch {
    return false;
  }
}
