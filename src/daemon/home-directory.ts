import { accessSync, chmodSync, constants, lstatSync, mkdirSync, readdirSync, type Stats } from "node:fs";
import { messageOf } from "../base/errors.js";
import type { Home } from "../home/home.js";
import { ExitError, exitCodes } from "./exit-error.js";

/**
 * Makes the home and its directories, all 0700, and checks those that are there: plain directories of this user's, into
 * which nobody else can write. A home that is empty, or that was a home before, is closed to others; a directory that
 * holds other things (a mounted volume) is left readable as it is, since `run`, `logs` and the token are closed
 * themselves. Throws an ExitError.
 */
export function prepareHome(home: Home): void {
  prepareDirectory(home.path, "PORTWAY_HOME");
  if (isOurs(home)) chmodSync(home.path, 0o700);
  for (const path of [home.runDirectory, home.logDirectory]) {
    prepareDirectory(path, "the directory");
    chmodSync(path, 0o700);
  }
  try {
    accessSync(home.path, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw cannotCreate(home.path, error);
  }
}

function isOurs(home: Home): boolean {
  const entries = readdirSync(home.path);
  return entries.length === 0 || lstatSync(home.runDirectory, { throwIfNoEntry: false }) !== undefined;
}

function prepareDirectory(path: string, what: string): void {
  let stat: Stats;
  try {
    stat = lstatSync(path, { throwIfNoEntry: false }) ?? made(path);
  } catch (error) {
    throw cannotCreate(path, error);
  }
  const wrong = (text: string): ExitError =>
    new ExitError(exitCodes.configuration, `${what} ${path} ${text}`);
  if (stat.isSymbolicLink())
    throw wrong("is a symbolic link: expected a directory; give the path that it points to");
  if (!stat.isDirectory()) throw wrong("is not a directory");
  const user = process.getuid?.();
  if (user !== undefined && stat.uid !== user)
    throw wrong(`belongs to user ${stat.uid}, not to user ${user}`);
  if ((stat.mode & 0o022) !== 0) {
    const mode = (stat.mode & 0o777).toString(8);
    throw wrong(
      `has mode ${mode}: others can write into it; expected 700, or a path in it that does not exist yet`,
    );
  }
}

function made(path: string): Stats {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  return lstatSync(path);
}

function cannotCreate(path: string, error: unknown): ExitError {
  const message = `PORTWAY_HOME: ${path} can't be made or written to: ${messageOf(error)}`;
  return new ExitError(exitCodes.cannotCreate, message, { cause: error });
}
