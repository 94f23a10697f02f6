import { lstatSync, readdirSync, rmdirSync, unlinkSync } from "node:fs";
import { join, sep } from "node:path";
import { messageOf, PortwayError } from "../base/errors.js";
import type { Home } from "../home/home.js";
import { type HomePart, isLog, madeParts } from "../home/made-parts.js";

/** What was deleted of a home, and what was left there: Portway did not make it, or the home can't be removed. Paths. */
export interface Deleted {
  readonly deleted: readonly string[];
  readonly kept: readonly string[];
}

/** A directory of a home, and which of its files are ours. What has such a name and is no plain file is left alone. */
interface Place {
  readonly part: HomePart;
  readonly path: string;
  isOurs(name: string, path: string): boolean;
}

const logFile = /^[A-Za-z0-9_-]+(\.node)?\.log(\.\d+)?$/;
const runFile = /^(api\.sock|daemon\.lock(\.(own|after)-[\w-]+)?|start\.lock|portway-start-\d+-\d+\.log)$/;
const newTokenFile = /^token\.[0-9a-f]{12}\.tmp$/;

/**
 * Deletes from a home what Portway made there, and of the directories that it made those that are empty then, the home
 * itself included. A directory that never was a home is left as it is, and so is a home that can't be removed (a mount,
 * a directory of another user's). The note of what was made goes after all other files, so that what failed can be done
 * again.
 *
 * Throws `bad_argument` for a home that is no directory, `internal` for what can't be read or deleted.
 */
export function deleteHomeFiles(home: Home): Deleted {
  try {
    return deleteMade(home);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    const message = `not all of ${home.path} can be deleted: ${messageOf(error)}`;
    throw new PortwayError("internal", message, { home: home.path }, { cause: error });
  }
}

function deleteMade(home: Home): Deleted {
  const deleted: string[] = [];
  const kept: string[] = [];
  if (exists(home.path) && !isDirectory(home.path)) {
    throw new PortwayError("bad_argument", `PORTWAY_HOME: ${home.path} is not a directory`);
  }
  const made = madeParts(home);
  if (made === undefined) return { deleted, kept: entriesOf(home.path).map((name) => join(home.path, name)) };

  const remove = (how: (path: string) => void, path: string): void => {
    try {
      how(path);
      deleted.push(path);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // By now it is gone, or a daemon that was started meanwhile uses it.
      if (code !== "ENOENT" && code !== "ENOTEMPTY" && path !== home.path) throw error;
    }
  };
  const places: readonly Place[] = [
    { part: "logs", path: home.logDirectory, isOurs: (name, path) => logFile.test(name) && isLog(path) },
    { part: "run", path: home.runDirectory, isOurs: (name) => runFile.test(name) },
    {
      part: "home",
      path: home.path,
      isOurs: (name) => (name === "token" && made.has("token")) || newTokenFile.test(name),
    },
  ];
  const seenLater = [home.madePath, ...places.map(({ path }) => path)];
  for (const { path, isOurs } of places) {
    for (const name of entriesOf(path)) {
      const child = join(path, name);
      if (isFileOrSocket(child) && isOurs(name, child)) remove(unlinkSync, child);
      else if (!seenLater.includes(child)) kept.push(child);
    }
  }
  remove(unlinkSync, home.madePath);
  for (const { part, path } of places) {
    if (made.has(part) && isDirectory(path) && entriesOf(path).length === 0) remove(rmdirSync, path);
    if (exists(path) && !kept.some((known) => known.startsWith(join(path, sep)))) kept.push(path);
  }
  return { deleted, kept };
}

function entriesOf(path: string): string[] {
  return isDirectory(path) ? readdirSync(path) : [];
}

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function isDirectory(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function isFileOrSocket(path: string): boolean {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  return stat !== undefined && (stat.isFile() || stat.isSocket());
}
