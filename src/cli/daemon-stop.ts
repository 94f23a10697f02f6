import { execFileSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { PortwayError } from "../base/errors.js";
import type { PortwayClient } from "../client/client.js";
import type { Home } from "../home/home.js";
import { livenessOf, type ProcessIdentity } from "../home/process-identity.js";
import { protoDuration } from "./duration.js";
import { lockHolder } from "./lock-holder.js";

const drainMs = 2_000;
const stopMs = 12_000;
/** A daemon that does not answer is unlikely to end in an orderly way. */
const termMs = 5_000;
const killMs = 5_000;
const pollMs = 25;

/**
 * Ends the daemon of a home: asks it, then with SIGTERM, then with SIGKILL. Its pid; undefined if there was none. Only
 * the process that the home's lock names is sent a signal: pids are used again.
 */
export async function stopDaemon(
  home: Home,
  client: PortwayClient | undefined,
  requestId: string,
): Promise<number | undefined> {
  // Before it is asked: it takes its lock away when it ends.
  const holder = lockHolder(home);
  const asked = client === undefined ? undefined : await drained(client, requestId);
  if (holder === undefined || !isSurely(holder)) return asked;
  const { pid } = holder;
  if (asked !== undefined && (await hasEnded(holder, stopMs))) return pid;
  signal(pid, "SIGTERM");
  if (await hasEnded(holder, asked === undefined ? termMs : stopMs)) return pid;
  signal(pid, "SIGKILL");
  if (await hasEnded(holder, killMs)) return pid;
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

/**
 * Whether a living process is the daemon that had its pid. Where the system does not tell when it was started, the tool
 * that every Unix has tells what it runs.
 */
function isSurely({ pid, startTicks }: ProcessIdentity): boolean {
  if (startTicks !== undefined) return true;
  try {
    const command = execFileSync("ps", ["-o", "command=", "-p", String(pid)], { encoding: "utf8" });
    return command.split(/\s+/).includes("serve");
  } catch {
    return false;
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

async function hasEnded(daemon: ProcessIdentity, timeoutMs: number): Promise<boolean> {
  const endMs = performance.now() + timeoutMs;
  while (livenessOf(daemon) === "alive") {
    if (performance.now() > endMs) return false;
    await sleep(pollMs);
  }
  return true;
}
