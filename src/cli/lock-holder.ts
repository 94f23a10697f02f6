import { readFileSync } from "node:fs";
import type { Home } from "../home/home.js";
import { isAlive } from "./is-alive.js";

/** The pid of the daemon that has the lock of a home; undefined if none has it, or the one that had is dead. */
export function lockHolder(home: Home): number | undefined {
  const pid = pidInLock(home);
  return pid !== undefined && isAlive(pid) ? pid : undefined;
}

/** The pid of a daemon that left the lock of a home behind, because it was killed or has crashed. */
export function deadLockHolder(home: Home): number | undefined {
  const pid = pidInLock(home);
  if (pid === undefined || isAlive(pid)) return undefined;
  // One that ends in an orderly way takes its lock away, perhaps since we read it.
  return pidInLock(home) === pid ? pid : undefined;
}

function pidInLock(home: Home): number | undefined {
  try {
    const { pid } = JSON.parse(readFileSync(home.lockPath, "utf8")) as { pid?: unknown };
    return typeof pid === "number" ? pid : undefined;
  } catch {
    return undefined;
  }
}
