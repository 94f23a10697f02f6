import { randomUUID } from "node:crypto";
import { linkSync, lstatSync, readdirSync, renameSync, unlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { messageOf } from "../base/errors.js";
import { formatLockRecord, isNobody, type LockRecord, readLockRecord } from "../home/lock-record.js";
import { livenessOf, ownIdentity } from "../home/process-identity.js";
import { ExitError, exitCodes } from "./exit-error.js";

/** A home belongs to one daemon at a time. */
export interface HomeLock {
  /**
   * The home is not ours any more: somebody removed it, or has taken it by force. A lock that alone is missing proves
   * nothing: programs that clean up do that.
   */
  readonly isLost: boolean;
  /** Gives the home back. Synchronous, so that a process can do it as the last thing; idempotent. */
  release(): void;
}

export interface TakeLockOptions {
  readonly lockPath: string;
  /** Whether a daemon answers in this home. */
  readonly isServed: () => Promise<boolean>;
  /** How long a holder that does not serve (it starts or stops) is waited for. */
  readonly waitMs: number;
  /** Called once, when the wait begins. */
  readonly onWait?: (holderPid: number) => void;
  readonly signal?: AbortSignal;
}

const pollMs = 25;
/** A holder that we can't see is given this long from the taking of the lock to the first answer. */
const unseenStartMs = 10_000;

/**
 * Takes the lock of a home. Throws an ExitError if another daemon has it: at once if that one serves, else when the
 * wait is over. A lock whose holder is dead is taken over. Rejects with the reason of `signal` if that ends first.
 */
export async function takeHomeLock(options: TakeLockOptions): Promise<HomeLock> {
  const { lockPath, isServed, waitMs, onWait, signal } = options;
  const attempt = new Attempt(lockPath);
  const endMs = performance.now() + waitMs;
  let told = false;
  try {
    for (;;) {
      signal?.throwIfAborted();
      const holder = attempt.take();
      if (holder === undefined) return attempt.lock();
      if (await isServed()) throw busy(lockPath, holder, "it serves this home");
      // A lock that is taken in the future is an old one as well: the clock was set back since.
      const agoMs = Math.abs(Date.now() - holder.takenMs);
      if (livenessOf(holder) === "unknown" && agoMs > unseenStartMs) {
        attempt.giveUp(holder);
        continue;
      }
      if (performance.now() >= endMs) throw busy(lockPath, holder, `it has not ended within ${waitMs} ms`);
      if (!told) onWait?.(holder.pid);
      told = true;
      await wait(pollMs);
    }
  } finally {
    attempt.end();
  }
}

function busy(lockPath: string, { pid, takenMs }: LockRecord, what: string): ExitError {
  const since = new Date(takenMs).toISOString();
  const message = `another daemon runs in ${dirname(dirname(lockPath))}: process ${pid}, since ${since}; ${what}`;
  return new ExitError(exitCodes.unavailable, message);
}

/**
 * Taking the lock with nothing but link and rename, which are atomic:
 *
 * - `link` of a complete record of ours to the lock succeeds for one process, if there is no lock.
 * - Who finds a lock of a dead holder must not remove it: it may have been replaced since. Instead, one process alone
 *   can succeed each holder, namely the one that can link its record to `<lock>.after-<id of the holder>`. It looks at
 *   the lock once more, and if that still has the dead holder's id (nobody else may change it now), renames its record
 *   over it. If the successor dies in between, it is succeeded in the same way.
 * - The right to succeed is removed after the lock was replaced. Who gets it later sees that in its second look.
 */
class Attempt {
  readonly #lockPath: string;
  readonly #ownPath: string;
  readonly #record: LockRecord;
  /** Holders that count as dead although we can't see it. */
  readonly #givenUp = new Set<string>();
  #isWritten = false;

  constructor(lockPath: string) {
    const id = randomUUID();
    this.#lockPath = lockPath;
    this.#ownPath = `${lockPath}.own-${id}`;
    this.#record = { id, takenMs: Date.now(), ...ownIdentity() };
  }

  giveUp(holder: LockRecord): void {
    this.#givenUp.add(holder.id);
  }

  /** Undefined if the lock is ours now; else who stands in the way. */
  take(): LockRecord | undefined {
    this.#writeOwn();
    for (;;) {
      if (linked(this.#ownPath, this.#lockPath)) return undefined;
      const holder = readLockRecord(this.#lockPath);
      if (holder === undefined) continue;
      if (!this.#isDead(holder)) return holder;
      const outcome = this.#succeed(holder);
      if (outcome === "succeeded") return undefined;
      if (outcome !== "changed") return outcome;
    }
  }

  lock(): HomeLock {
    this.#sweep();
    const { id } = this.#record;
    const lockPath = this.#lockPath;
    const directory = identityOf(dirname(lockPath));
    let isHeld = true;
    return {
      get isLost() {
        try {
          const holder = readLockRecord(lockPath);
          return holder === undefined ? identityOf(dirname(lockPath)) !== directory : holder.id !== id;
        } catch {
          // Not to be seen now.
          return false;
        }
      },
      release() {
        if (!isHeld) return;
        isHeld = false;
        if (readLockRecord(lockPath)?.id === id) unlinkSync(lockPath);
      },
    };
  }

  end(): void {
    if (this.#isWritten) removed(this.#ownPath);
    this.#isWritten = false;
  }

  #writeOwn(): void {
    if (this.#isWritten) return;
    try {
      writeFileSync(this.#ownPath, formatLockRecord(this.#record), { flag: "wx", mode: 0o600 });
      this.#isWritten = true;
    } catch (error) {
      const message = `the lock ${this.#lockPath} can't be taken: ${messageOf(error)}`;
      throw new ExitError(exitCodes.cannotCreate, message, { cause: error });
    }
  }

  #succeed(holder: LockRecord): "succeeded" | "changed" | LockRecord {
    let predecessor = holder;
    let right = this.#rightAfter(predecessor);
    while (!linked(this.#ownPath, right)) {
      const successor = readLockRecord(right);
      if (successor === undefined) return "changed";
      if (!this.#isDead(successor)) return successor;
      predecessor = successor;
      right = this.#rightAfter(predecessor);
    }
    if (readLockRecord(this.#lockPath)?.id !== holder.id) {
      removed(right);
      return "changed";
    }
    renameSync(this.#ownPath, this.#lockPath);
    this.#isWritten = false;
    return "succeeded";
  }

  #rightAfter({ id }: LockRecord): string {
    return `${this.#lockPath}.after-${id}`;
  }

  #isDead(record: LockRecord): boolean {
    return isNobody(record) || this.#givenUp.has(record.id) || livenessOf(record) === "dead";
  }

  /** What the dead left behind. Only the holder of the lock does this. */
  #sweep(): void {
    const directory = dirname(this.#lockPath);
    const name = basename(this.#lockPath);
    for (const entry of readdirSync(directory)) {
      const path = join(directory, entry);
      if (entry.startsWith(`${name}.after-`)) removed(path);
      if (!entry.startsWith(`${name}.own-`)) continue;
      const owner = readLockRecord(path);
      if (owner !== undefined && owner.id !== this.#record.id && livenessOf(owner) === "dead") removed(path);
    }
  }
}

/** What tells a directory from another one at its path; undefined if there is none. */
function identityOf(path: string): string | undefined {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  return stat && `${stat.dev}:${stat.ino}`;
}

function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    const message = `the lock ${to} can't be taken: ${messageOf(error)} (its file system must support hard links)`;
    throw new ExitError(exitCodes.cannotCreate, message, { cause: error });
  }
}

function removed(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}
