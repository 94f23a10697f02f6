import { readdirSync, readFileSync } from "node:fs";

const closeOnExec = 0o2000000;

/**
 * The descriptors, above the three of every process, that this process got from the one that started it and that its
 * children would get too: Node.js keeps from them what is open up to 15, and goes on only to the first gap. None where
 * the system does not tell.
 */
export function inheritedDescriptors(): number[] {
  return readdirOf("/proc/self/fd").filter((descriptor) => descriptor > 2 && isInherited(descriptor));
}

function readdirOf(path: string): number[] {
  try {
    return readdirSync(path).map(Number);
  } catch {
    return [];
  }
}

function isInherited(descriptor: number): boolean {
  try {
    const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, "latin1"))?.[1];
    return flags !== undefined && (Number.parseInt(flags, 8) & closeOnExec) === 0;
  } catch {
    // It was closed meanwhile: it was the one that the directory was read by.
    return false;
  }
}
