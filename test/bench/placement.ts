import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** Where the processes of a path run: all on one core, or each on another one than its neighbours. */
export type Placement = "one core" | "alternating";

/**
 * Has processes, and what they start meanwhile, stay on cores until it is disposed. Which of them wakes up on which
 * core, the scheduler's choice, is then no part of a latency. Linux alone has what it takes.
 */
export class Placed implements Disposable {
  /** The cores that each process had. */
  readonly #before = new Map<number, string>();

  /** Each path has its processes in order; one that is on several must have the same place on all. */
  constructor(paths: readonly (readonly number[])[], placement: Placement) {
    // The first one does most of the work for interrupts.
    const [first, second] = coresOf(process.pid).reverse();
    for (const path of paths) {
      for (const [at, pid] of path.entries()) {
        if (this.#before.has(pid)) continue;
        this.#before.set(pid, coreListOf(pid));
        pin(pid, String(placement === "one core" || at % 2 === 0 ? first : second));
      }
    }
  }

  static isPossible(placement: Placement): boolean {
    try {
      execFileSync("taskset", ["--version"], { stdio: "ignore" });
      return coresOf(process.pid).length >= (placement === "one core" ? 1 : 2);
    } catch {
      return false;
    }
  }

  [Symbol.dispose](): void {
    for (const [pid, cores] of this.#before) pin(pid, cores);
  }
}

export function coresOf(pid: number): number[] {
  return coreListOf(pid)
    .split(",")
    .flatMap((range) => {
      const [from = 0, to = from] = range.split("-").map(Number);
      return Array.from({ length: to - from + 1 }, (_, at) => from + at);
    });
}

/** Such as 0-3,8. */
function coreListOf(pid: number): string {
  return /^Cpus_allowed_list:\s+(.+)$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))![1]!;
}

function pin(pid: number, cores: string): void {
  execFileSync("taskset", ["--all-tasks", "--cpu-list", "--pid", cores, String(pid)], { stdio: "ignore" });
}
