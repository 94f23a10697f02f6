import {
  appendFileSync,
  closeSync,
  constants,
  lstatSync,
  mkdirSync,
  openSync,
  readSync,
  statSync,
} from "node:fs";
import { dirname } from "node:path";
import type { Home } from "./home.js";

const allParts = ["home", "run", "logs", "token"] as const;

/** What Portway makes in a home where it is missing. What was there before is somebody else's and outlives a reset. */
export type HomePart = (typeof allParts)[number];

const maxHeadBytes = 512;
/** How each line of a log of ours begins: base/pino-log.ts. */
const logLineStart = /^\{"level":"(debug|info|warn|error)","time":"\d{4}-\d\d-\d\dT[\d:.]+Z","event":"/;

/**
 * Makes a directory and those above it, 0700; false if it is there. Node's own recursion says ENOENT of a file system
 * that is read-only, and never ends in one where nothing can be made, such as /proc.
 */
export function makeDirectory(path: string): boolean {
  try {
    return makeOne(path);
  } catch (error) {
    const parent = dirname(path);
    const isThere = lstatSync(parent, { throwIfNoEntry: false }) !== undefined;
    if ((error as NodeJS.ErrnoException).code !== "ENOENT" || isThere) throw error;
    makeDirectory(parent);
    return makeOne(path);
  }
}

function makeOne(path: string): boolean {
  try {
    mkdirSync(path, { mode: 0o700 });
    return true;
  } catch (error) {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return false;
    throw error;
  }
}

/** Notes in the home that Portway made these parts; none says only that it is a home. Several may do so at once. */
export function noteMade(home: Home, parts: readonly HomePart[]): void {
  const noted = headOf(home.madePath)?.split("\n");
  const added = parts.filter((part) => !noted?.includes(part));
  if (noted !== undefined && added.length === 0) return;
  appendFileSync(home.madePath, added.map((part) => `${part}\n`).join(""), { mode: 0o600 });
}

/**
 * The parts of a home that Portway made; undefined for a directory that never was a home. A daemon that took no notes
 * is known by its log, and all of such a home counts as made.
 */
export function madeParts(home: Home): ReadonlySet<HomePart> | undefined {
  const noted = headOf(home.madePath);
  if (noted !== undefined) return new Set(allParts.filter((part) => noted.split("\n").includes(part)));
  return isLog(home.daemonLogPath) ? new Set(allParts) : undefined;
}

/** Whether a file is a log that Portway began, whatever its name is. */
export function isLog(path: string): boolean {
  return logLineStart.test(headOf(path) ?? "");
}

/** The beginning of a plain file in a plain directory; undefined for anything else. */
function headOf(path: string): string | undefined {
  if (!lstatSync(dirname(path), { throwIfNoEntry: false })?.isDirectory()) return undefined;
  if (!lstatSync(path, { throwIfNoEntry: false })?.isFile()) return undefined;
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const buffer = Buffer.alloc(maxHeadBytes);
    return buffer.toString("utf8", 0, readSync(fd, buffer, 0, maxHeadBytes, 0));
  } finally {
    closeSync(fd);
  }
}
