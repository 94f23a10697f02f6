import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

/**
 * Which process, so that another one with the same pid is not taken for it. What the system does not tell (there is no
 * /proc outside Linux) is absent, and then the pid alone decides.
 */
export interface ProcessIdentity {
  readonly pid: number;
  /** When the process was started, in ticks since the machine was. */
  readonly startTicks?: string;
  /** Differs between two starts of the machine. */
  readonly bootId?: string;
  /** In another namespace (a container) the same pid is another process. */
  readonly pidNamespace?: string;
  readonly hostname: string;
}

/** "unknown": it runs, or ran, where its pid says nothing to us. */
export type Liveness = "alive" | "dead" | "unknown";

export function ownIdentity(): ProcessIdentity {
  const startTicks = statOf(process.pid)?.startTicks;
  const bootId = bootIdHere();
  const pidNamespace = pidNamespaceHere();
  return {
    pid: process.pid,
    ...(startTicks !== undefined && { startTicks }),
    ...(bootId !== undefined && { bootId }),
    ...(pidNamespace !== undefined && { pidNamespace }),
    hostname: hostname(),
  };
}

export function livenessOf(identity: ProcessIdentity): Liveness {
  const bootId = bootIdHere();
  if (identity.bootId !== undefined && bootId !== undefined && identity.bootId !== bootId) {
    // The same machine was started again; or it is another machine, with a file system in common.
    return identity.hostname === hostname() ? "dead" : "unknown";
  }
  if (identity.pidNamespace !== pidNamespaceHere()) return "unknown";
  const { pid, startTicks } = identity;
  if (!isRunning(pid)) return "dead";
  const ticks = statOf(pid)?.startTicks;
  return startTicks === undefined || ticks === undefined || startTicks === ticks ? "alive" : "dead";
}

/** Whether a process has this pid. One that has ended and that its parent has not asked about yet does not run. */
export function isRunning(pid: number): boolean {
  // To 0 and below a signal would go to more than one.
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  const state = statOf(pid)?.state;
  return state !== "Z" && state !== "X";
}

interface ProcessStat {
  readonly state: string;
  readonly startTicks: string;
}

/** Fields 3 and 22 of /proc/<pid>/stat; the second field may hold spaces and parentheses. */
function statOf(pid: number): ProcessStat | undefined {
  const text = textOf(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const [state, startTicks] = [fields[0], fields[19]];
  return state === undefined || startTicks === undefined ? undefined : { state, startTicks };
}

function bootIdHere(): string | undefined {
  return textOf("/proc/sys/kernel/random/boot_id")?.trim();
}

function pidNamespaceHere(): string | undefined {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return undefined;
  }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return undefined;
  }
}
