import { readFileSync } from "node:fs";

/** The kernel's clock ticks per second: 100 on every Linux that is in use. */
const ticksPerSecond = 100;
const pageKiB = 4;

/** CPU seconds, user and system, that the processes have used. A process that is gone counts nothing. */
export function cpuSeconds(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids) {
    const stat = readProc(pid, "stat");
    // the name of the program is in parentheses and may hold anything
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    ticks += Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
  }
  return ticks / ticksPerSecond;
}

/** Resident memory of the processes, KiB. */
export function residentKiB(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + Number(readProc(pid, "statm").split(" ")[1] ?? 0) * pageKiB, 0);
}

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "latin1");
  } catch {
    return "";
  }
}
