import { lstatSync, readdirSync, rmdirSync, unlinkSync } from "node:fs";
import { basename, join } from "node:path";
import type { Home } from "../home/home.js";

/** What was deleted of a home and what was left there because nothing of ours makes it. Paths. */
export interface Deleted {
  readonly deleted: readonly string[];
  readonly kept: readonly string[];
}

/** What a daemon and its clients create, by name. Files of the same name that are no plain files are left alone. */
const inHome = [/^token$/, /^token\.[0-9a-f]{12}\.tmp$/];
const inRun = [
  /^api\.sock$/,
  /^daemon\.lock(\.(own|after)-[\w-]+)?$/,
  /^start\.lock$/,
  /^portway-start-\d+-\d+\.log$/,
];
const inLogs = [/^[A-Za-z0-9_-]+\.log(\.\d+)?$/];

/** Deletes from a home what Portway created, and the directories that are empty then, the home itself included. */
export function deleteHomeFiles(home: Home): Deleted {
  const deleted: string[] = [];
  const kept: string[] = [];
  const directories = [
    { path: home.runDirectory, names: inRun },
    { path: home.logDirectory, names: inLogs },
    { path: home.path, names: inHome },
  ];
  for (const { path, names } of directories) {
    if (!isDirectory(path)) {
      if (path !== home.path && exists(path)) kept.push(path);
      continue;
    }
    const isOurs = path !== home.path || deleted.length > 0 || isHome(path);
    for (const entry of readdirSync(path)) {
      const child = join(path, entry);
      if (isOurs && names.some((name) => name.test(entry)) && isFileOrSocket(child)) {
        unlinkSync(child);
        deleted.push(child);
      } else if (!kept.some((known) => known.startsWith(child))) {
        kept.push(child);
      }
    }
    if (isOurs && readdirSync(path).length === 0) {
      rmdirSync(path);
      deleted.push(path);
    }
  }
  return { deleted, kept };
}

/** A directory in which only the token is left of what a daemon made. */
function isHome(path: string): boolean {
  return (
    readdirSync(path).every((entry) => inHome.some((name) => name.test(entry))) ||
    basename(path) === ".portway"
  );
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
