import { randomBytes, timingSafeEqual } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { messageOf, PortwayError } from "../base/errors.js";

/** The API token of a daemon. It is in a file of its owner's alone, and never in an argument list or a URL. */
export interface Tokens {
  /** The file that holds it. */
  readonly path: string;
  /** Whether `presented` is the token. Takes the same time wherever they differ. */
  matches(presented: string): boolean;
  /** Makes a new token and puts it into the file; the old one no longer matches. */
  rotate(): Promise<void>;
}

const tokenBytes = 32;
const tokenPattern = /^[0-9a-f]{64}$/;

/**
 * Takes the token of the file at `path`, or makes one if there is no file. Throws `insecure` if the file is a symbolic
 * link, belongs to another user or can be read or written by others, and `malformed` if it holds no token.
 */
export async function openTokens(path: string): Promise<Tokens> {
  let token: Buffer = Buffer.from((await readToken(path)) ?? (await writeToken(path, makeToken())));
  /** Who reads the file while it is replaced may come with the new one before the write is known to be done. */
  let next: Buffer | undefined;
  let rotating: Promise<void> = Promise.resolve();
  return {
    path,
    matches(presented) {
      const bytes = Buffer.from(presented);
      return isEqual(bytes, token) || (next !== undefined && isEqual(bytes, next));
    },
    rotate() {
      // One after the other, so that the last token that was written is the one that matches.
      const rotated = rotating.then(async () => {
        const made = makeToken();
        next = Buffer.from(made);
        try {
          await writeToken(path, made);
          token = next;
        } finally {
          next = undefined;
        }
      });
      rotating = rotated.catch(() => {});
      return rotated;
    },
  };
}

/**
 * The token in the file at `path`; undefined if there is no such file. Throws `insecure` and `malformed` as `openTokens`.
 */
export async function readToken(path: string): Promise<string | undefined> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return undefined;
    if (code === "ELOOP") throw insecure(path, "is a symbolic link");
    throw error;
  }
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw insecure(path, "is not a plain file");
    if (process.getuid !== undefined && stat.uid !== process.getuid()) {
      throw insecure(path, `belongs to user ${stat.uid}, not to user ${process.getuid()}`);
    }
    if ((stat.mode & 0o077) !== 0) {
      throw insecure(path, `has mode ${(stat.mode & 0o777).toString(8)}: others can get at it; expected 600`);
    }
    const { bytesRead, buffer } = await file.read(Buffer.alloc(tokenBytes * 2 + 2), 0, tokenBytes * 2 + 2, 0);
    const token = buffer.toString("latin1", 0, bytesRead).trim();
    if (tokenPattern.test(token)) return token;
    throw new PortwayError(
      "malformed",
      `the token file ${path} does not hold a token: expected 64 hex digits; delete it to get a new one`,
      { path },
    );
  } finally {
    await file.close();
  }
}

function makeToken(): string {
  return randomBytes(tokenBytes).toString("hex");
}

/** Takes the same time wherever they differ. That tokens are of one length is no secret. */
function isEqual(presented: Buffer, token: Buffer): boolean {
  return presented.length === token.length && timingSafeEqual(presented, token);
}

/**
 * Puts `token` in place of the file at `path` in one step, so that a reader finds the old or the new one, and gives it.
 * Throws `internal` if that can't be done: then the old one stays.
 */
async function writeToken(path: string, token: string): Promise<string> {
  const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    const file = await open(temporary, "wx", 0o600);
    try {
      await file.writeFile(`${token}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    const message = `the token file ${path} can't be written: ${messageOf(error)}`;
    throw new PortwayError("internal", message, { path }, { cause: error });
  }
  await syncDirectory(dirname(path));
  return token;
}

/** Makes the rename last; a file system that has no such thing for directories is left alone. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r").catch(() => undefined);
  await directory?.sync().catch(() => {});
  await directory?.close();
}

function insecure(path: string, what: string): PortwayError {
  return new PortwayError("insecure", `the token file ${path} ${what}`, { path });
}
