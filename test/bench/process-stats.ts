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
  return sum(pids, (pid) => Number(readProc(pid, "statm").split(" ")[1] ?? 0) * pageKiB);
}

/** The most that each process ever had resident, added up, KiB. */
export function peakResidentKiB(pids: readonly number[]): number {
  return sum(pids, (pid) => Number(/VmHWM:\s+(\d+)/.exec(readProc(pid, "status"))?.[1] ?? 0));
}

function sum(pids: readonly number[], of: (pid: number) => number): number {
  return pids.reduce((total, pid) => total + of(pid), 0);
}

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "latin1");
  } catch {
    return "";
  }
}
