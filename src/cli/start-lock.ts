import { closeSync, openSync, readFileSync, statSync, unlinkSync, writeSync } from "node:fs";
import { isRunning } from "../home/process-identity.js";

/** A starter that holds the lock for longer than this is stuck, or its pid is another process by now. */
const staleMs = 30_000;

/**
 * Keeps many clients from each starting a daemon at the same moment. Only a saving: it is the daemon's own lock that
 * makes it the only one, so a lock of a dead client may be taken away without care for who else does so.
 *
 * Returns what gives the lock back; undefined if another client has it.
 */
export function takeStartLock(path: string): (() => void) | undefined {
  for (let attempt = 0; attempt < 2; attempt += 1) {
    try {
      const fd = openSync(path, "wx", 0o600);
      writeSync(fd, String(process.pid));
      closeSync(fd);
      return () => remove(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    if (!isStale(path)) return undefined;
    remove(path);
  }
  return undefined;
}

function isStale(path: string): boolean {
  try {
    const pid = Number(readFileSync(path, "utf8"));
    const ageMs = Date.now() - statSync(path).mtimeMs;
    // Between its creation and the writing of the pid it is empty for a moment.
    if (pid === 0) return ageMs > 1000;
    return ageMs > staleMs || !isRunning(pid);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT";
  }
}

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}
