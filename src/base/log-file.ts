import { closeSync, constants, fstatSync, mkdirSync, openSync, renameSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { messageOf } from "./errors.js";

export interface LogFileOptions {
  /** When the file would grow beyond this, it becomes `<path>.1`, `.1` becomes `.2`, and so on. */
  readonly maxBytes?: number;
  /** How many older files are kept, at least 1. */
  readonly kept?: number;
}

const defaults = { maxBytes: 10 * 1024 * 1024, kept: 4 } as const satisfies Required<LogFileOptions>;

/** The most that a log occupies is `maxBytes * (kept + 1)`. */
export function resolveLogFileOptions(given: LogFileOptions = {}): Required<LogFileOptions> {
  return Object.freeze({ ...defaults, ...given });
}

/**
 * Appends lines to a file that it makes with mode 0600, and rotates it by size. Lines are written at once, in the
 * calling turn: a log has little to say (it is no access log), and what a process says before it dies is what people
 * look for. A line that can't be written (a full disk) is counted, never thrown; the count is written as soon as writing
 * works again. A file that somebody removed is made again, with its directory.
 */
export class LogFile {
  readonly #path: string;
  readonly #options: Required<LogFileOptions>;
  #fd: number | undefined;
  #size = 0;
  #lost = 0;
  #lastError = "";

  constructor(path: string, options: Required<LogFileOptions>) {
    this.#path = path;
    this.#options = options;
  }

  write(line: string): void {
    try {
      if (this.#lost > 0) this.#tellLost();
      this.#append(line);
    } catch (error) {
      this.#lost += 1;
      this.#lastError = messageOf(error);
      this.close();
    }
  }

  /** The next line opens the file again: for whoever moved it away. */
  close(): void {
    if (this.#fd === undefined) return;
    const fd = this.#fd;
    this.#fd = undefined;
    try {
      closeSync(fd);
    } catch {
      // the descriptor is gone either way
    }
  }

  #append(line: string): void {
    const bytes = Buffer.from(line);
    const { maxBytes } = this.#options;
    // What goes into a removed file takes up the disk, and nobody can read it.
    if (this.#fd !== undefined && fstatSync(this.#fd).nlink === 0) this.close();
    let fd = this.#fd ?? this.#open();
    if (this.#size > 0 && this.#size + bytes.byteLength > maxBytes) {
      this.#rotate();
      fd = this.#open();
    }
    for (let at = 0; at < bytes.byteLength; ) {
      const written = writeSync(fd, bytes, at);
      at += written;
      this.#size += written;
    }
  }

  #tellLost(): void {
    const time = new Date().toISOString();
    const told = { level: "warn", time, event: "log.lost", lines: this.#lost, error: this.#lastError };
    this.#append(`${JSON.stringify(told)}\n`);
    this.#lost = 0;
  }

  #open(): number {
    const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;
    let fd: number;
    try {
      fd = openSync(this.#path, flags, 0o600);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      // Only the directory itself: without the one above, all of this was removed for good.
      mkdirSync(dirname(this.#path), { mode: 0o700 });
      fd = openSync(this.#path, flags, 0o600);
    }
    this.#fd = fd;
    this.#size = fstatSync(fd).size;
    return fd;
  }

  #rotate(): void {
    this.close();
    for (let number = this.#options.kept; number >= 1; number -= 1) {
      const from = number === 1 ? this.#path : `${this.#path}.${number - 1}`;
      try {
        renameSync(from, `${this.#path}.${number}`);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      }
    }
  }
}
