import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/**
 * Has processes, and what they start meanwhile, share one core until it is disposed. Which of them wakes up on which
 * core, the scheduler's choice, is then no part of a latency. Linux alone has what it takes.
 */
export class OneCore implements Disposable {
  /** The cores that each process had. */
  readonly #before = new Map<number, string>();

  constructor(pids: readonly number[]) {
    for (const pid of pids) this.#before.set(pid, coresOf(pid));
    const [core] = /\d+$/.exec(coresOf(process.pid))!;
    for (const pid of pids) pin(pid, core);
  }

  static get isPossible(): boolean {
    try {
      execFileSync("taskset", ["--version"], { stdio: "ignore" });
      return true;
    } catch {
      return false;
    }
  }

  [Symbol.dispose](): void {
    for (const [pid, cores] of this.#before) pin(pid, cores);
  }
}

/** Such as 0-3,8. */
export function coresOf(pid: number): string {
  return /^Cpus_allowed_list:\s+(.+)$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))![1]!;
}

function pin(pid: number, cores: string): void {
  execFileSync("taskset", ["--all-tasks", "--cpu-list", "--pid", cores, String(pid)], { stdio: "ignore" });
}
