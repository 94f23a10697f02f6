import { accessSync, chmodSync, constants, lstatSync, readdirSync, type Stats } from "node:fs";
import { messageOf } from "../base/errors.js";
import type { Home } from "../home/home.js";
import { type HomePart, madeParts, makeDirectory, noteMade } from "../home/made-parts.js";
import { whyNotOurs } from "../home/our-directory.js";
import { ExitError, exitCodes } from "./exit-error.js";

/**
 * Makes the home and its directories, all 0700, and checks those that are there: plain directories of this user's, into
 * which nobody else can write. What Portway made, now or before, and a home that is empty are closed to others, and so
 * is `run`, where the socket is. A directory that holds other things (a mounted volume) is left readable as it is, since
 * the token and the logs are closed themselves. Throws an ExitError.
 */
export function prepareHome(home: Home): void {
  const made: HomePart[] = [];
  if (prepareDirectory(home.path, "PORTWAY_HOME")) made.push("home");
  try {
    const isEmpty = readdirSync(home.path).length === 0;
    if (prepareDirectory(home.runDirectory, "the directory")) made.push("run");
    if (prepareDirectory(home.logDirectory, "the directory")) made.push("logs");
    close(home.runDirectory);
    const parts = new Set([...(madeParts(home) ?? []), ...made]);
    noteMade(home, [...parts]);
    if (isEmpty || parts.has("home")) close(home.path);
    if (parts.has("logs")) close(home.logDirectory);
    accessSync(home.path, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw error instanceof ExitError ? error : cannotCreate(home.path, error);
  }
}

function close(path: string): void {
  if ((lstatSync(path).mode & 0o777) !== 0o700) chmodSync(path, 0o700);
}

/** Whether it was made. */
function prepareDirectory(path: string, what: string): boolean {
  let isMade = false;
  let stat: Stats;
  try {
    isMade = lstatSync(path, { throwIfNoEntry: false }) === undefined && makeDirectory(path);
    stat = lstatSync(path);
  } catch (error) {
    throw cannotCreate(path, error);
  }
  const wrong = (text: string): ExitError =>
    new ExitError(exitCodes.configuration, `${what} ${path} ${text}`);
  const why = whyNotOurs(stat);
  if (why !== undefined) throw wrong(why);
  if ((stat.mode & 0o022) !== 0) {
    const mode = (stat.mode & 0o777).toString(8);
    throw wrong(
      `has mode ${mode}: others can write into it; expected 700, or a path in it that does not exist yet`,
    );
  }
  return isMade;
}

function cannotCreate(path: string, error: unknown): ExitError {
  const message = `PORTWAY_HOME: ${path} can't be made or written to: ${messageOf(error)}`;
  return new ExitError(exitCodes.cannotCreate, message, { cause: error });
}
