import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The program under test: what these tests were compiled with. */
export const mainPath = join(import.meta.dirname, "../../../src/main.js");

/** Whether the tests that look into /proc can run. */
export const hasProc = process.platform === "linux";

/** A process that has ended counts as gone although nobody has collected its exit status yet. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  if (!hasProc) return true;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return !stat.slice(stat.lastIndexOf(")") + 2).startsWith("Z");
  } catch {
    return false;
  }
}

/** Resident memory of a process. */
export function residentBytes(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  if (line === null) throw new Error(`process ${pid} has no resident memory`);
  return Number(line[1]) * 1024;
}

/** The daemons of a home, by their environment. */
export function daemonsOf(home: string): number[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((pid) => {
    try {
      const isDaemon = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").includes("serve");
      return (
        isDaemon && readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").includes(`PORTWAY_HOME=${home}`)
      );
    } catch {
      return false;
    }
  });
}
