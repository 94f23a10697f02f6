import type { Home } from "../home/home.js";
import { isNobody, type LockRecord, readLockRecord } from "../home/lock-record.js";
import { livenessOf, type ProcessIdentity } from "../home/process-identity.js";

/** The daemon that has the lock of a home; undefined if none has it, or the one that had is not seen to be alive. */
export function lockHolder(home: Home): ProcessIdentity | undefined {
  const record = recordIn(home);
  return record !== undefined && livenessOf(record) === "alive" ? record : undefined;
}

/** The pid of a daemon that left the lock of a home behind, because it was killed or has crashed. */
export function deadLockHolder(home: Home): number | undefined {
  const record = recordIn(home);
  if (record === undefined || livenessOf(record) !== "dead") return undefined;
  // One that ends in an orderly way takes its lock away, perhaps since we read it.
  return recordIn(home)?.id === record.id ? record.pid : undefined;
}

function recordIn(home: Home): LockRecord | undefined {
  try {
    const record = readLockRecord(home.lockPath);
    return record === undefined || isNobody(record) ? undefined : record;
  } catch {
    return undefined;
  }
}
