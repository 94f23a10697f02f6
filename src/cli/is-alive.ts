import { readFileSync } from "node:fs";

/** Whether a process runs. One that has ended and that its parent has not asked about yet does not. */
export function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
  return !hasEnded(pid);
}

function hasEnded(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The state comes behind the name of the program, which is in parentheses and may hold anything.
    return /^ [ZX] /.test(stat.slice(stat.lastIndexOf(")") + 1));
  } catch {
    // No /proc: its pid is all that is known.
    return false;
  }
}
