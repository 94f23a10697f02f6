import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import type { ProcessIdentity } from "./process-identity.js";

/** What a lock file says about its holder. */
export interface LockRecord extends ProcessIdentity {
  /** Of this one taking of the lock: never used again. */
  readonly id: string;
  /** When it was taken, milliseconds since 1970. */
  readonly takenMs: number;
}

const maxRecordBytes = 4096;
/** What can't be the pid of a process: the holder of a lock that can't be read is nobody. */
const nobody = 0;

export function formatLockRecord(record: LockRecord): string {
  return `${JSON.stringify(record)}\n`;
}

/**
 * The record in the file at `path`; undefined if there is none. A file without a readable record (a disk that was full,
 * a hand that was here, even with a FIFO) is held by nobody, and its id is that of the file.
 */
export function readLockRecord(path: string): LockRecord | undefined {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    const stat = fstatSync(fd);
    const { ino, mtimeMs } = stat;
    const buffer = Buffer.alloc(maxRecordBytes);
    const size = stat.isFIFO() ? 0 : readSync(fd, buffer, 0, maxRecordBytes, 0);
    const unreadable = { id: `unreadable-${ino}-${mtimeMs}`, pid: nobody, takenMs: mtimeMs, hostname: "" };
    return parseLockRecord(buffer.toString("utf8", 0, size)) ?? unreadable;
  } finally {
    closeSync(fd);
  }
}

export function isNobody(record: LockRecord): boolean {
  return record.pid === nobody;
}

function parseLockRecord(text: string): LockRecord | undefined {
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof read !== "object" || read === null) return undefined;
  const { id, pid, takenMs, hostname, startTicks, bootId, pidNamespace } = read as Record<string, unknown>;
  if (typeof id !== "string" || !/^[0-9a-f-]{36}$/.test(id)) return undefined;
  if (!Number.isSafeInteger(pid) || (pid as number) <= 0 || !Number.isFinite(takenMs)) return undefined;
  return {
    id,
    pid: pid as number,
    takenMs: takenMs as number,
    hostname: typeof hostname === "string" ? hostname : "",
    ...(typeof startTicks === "string" && { startTicks }),
    ...(typeof bootId === "string" && { bootId }),
    ...(typeof pidNamespace === "string" && { pidNamespace }),
  };
}
