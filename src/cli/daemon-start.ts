import { type ChildProcess, spawn } from "node:child_process";
import {
  chmodSync,
  closeSync,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  unlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { messageOf, PortwayError } from "../base/errors.js";
import { maxSocketPathBytes } from "../base/socket-path.js";
import { type Home, homeAt } from "../home/home.js";
import { type HomePart, makeDirectory, noteMade } from "../home/made-parts.js";
import { whyNotOurs } from "../home/our-directory.js";
import { inheritedDescriptors } from "./inherited-descriptors.js";
import type { DaemonStart } from "./io.js";
import { deadLockHolder, lockHolder } from "./lock-holder.js";
import { accepts } from "./socket-probe.js";
import { takeStartLock } from "./start-lock.js";

const mainPath = fileURLToPath(new URL("../main.js", import.meta.url));
const defaults = { ownStartMs: 10_000, othersStartMs: 15_000 } as const;
/** One that ends without a failure, or whose directories go, is followed by another. */
const maxStarts = 3;
const firstPollMs = 15;
const maxPollMs = 120;
const maxShownBytes = 4_096;
const maxShownLines = 8;
/** Exit codes of a daemon that another one was faster than, and of one that served others, was idle and ended. */
const homeTaken = 69;
const ended = 0;

export interface StartOptions {
  readonly home: string;
  readonly mayStart: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What is run as the daemon; `serve --autostarted` is added. */
  readonly program?: readonly string[];
  /** How long a daemon that we started may take until it answers. */
  readonly ownStartMs?: number;
  /** How long a daemon that another client starts may take. */
  readonly othersStartMs?: number;
}

/**
 * Returns when a daemon accepts connections at the home's socket; starts one if none does and that is allowed. Throws
 * `daemon_unreachable` with what the daemon said last, and `bad_argument` for a home that no daemon can have.
 */
export async function ensureDaemon(options: StartOptions): Promise<DaemonStart> {
  const home = homeAt(options.home);
  const bytes = Buffer.byteLength(home.socketPath);
  if (bytes > maxSocketPathBytes) {
    const said = `PORTWAY_HOME is too long: ${home.socketPath} has ${bytes} bytes, and a Unix socket's path at most ${maxSocketPathBytes}`;
    throw new PortwayError("bad_argument", said, { home: home.path });
  }
  if (await accepts(home.socketPath)) return {};
  if (!options.mayStart) throw unreachable(`no daemon answers at ${home.socketPath}`);
  for (let starts = 1; ; starts += 1) {
    try {
      return await new Start(home, options, prepare(home)).run();
    } catch (error) {
      const { code, syscall } = error as NodeJS.ErrnoException;
      // A reset may take a directory away that we start in.
      if (code === "ENOENT" && syscall !== undefined && starts < maxStarts) continue;
      if (syscall === undefined) throw error;
      const message = `PORTWAY_HOME: ${home.path} can't be made or written to: ${messageOf(error)}`;
      throw new PortwayError("daemon_unreachable", message, { home: home.path }, { cause: error });
    }
  }
}

/** One client's way to a daemon, started by it or by another client. */
class Start {
  readonly #home: Home;
  readonly #options: StartOptions;
  readonly #isShared: boolean;
  #release: (() => void) | undefined;
  #child: Child | undefined;
  #starts = 0;
  #deadPid: number | undefined;
  #said = "";

  constructor(home: Home, options: StartOptions, isShared: boolean) {
    this.#home = home;
    this.#options = options;
    this.#isShared = isShared;
  }

  async run(): Promise<DaemonStart> {
    const { ownStartMs, othersStartMs } = { ...defaults, ...this.#options };
    let endMs = performance.now() + othersStartMs;
    try {
      for (let pollMs = firstPollMs; ; pollMs = Math.min(pollMs * 1.5, maxPollMs)) {
        if (await accepts(this.#home.socketPath)) return this.#answered();
        if (this.#child === undefined && this.#mayStartNow()) {
          // Between the look at the socket and the lock another client may have finished its start.
          if (await accepts(this.#home.socketPath)) return {};
          this.#starts += 1;
          this.#deadPid ??= deadLockHolder(this.#home);
          this.#child = startChild(this.#home, this.#options, openWords(this.#home, this.#isShared));
          endMs = performance.now() + ownStartMs;
        }
        this.#checkChild();
        if (performance.now() > endMs) throw this.#late();
        await sleep(pollMs * (0.75 + Math.random() / 2));
      }
    } finally {
      this.#release?.();
      this.#child?.forget();
    }
  }

  #answered(): DaemonStart {
    const startedPid = this.#child?.process.pid;
    const deadPid = this.#deadPid;
    if (startedPid === undefined || this.#child?.exitCode !== undefined) return {};
    return { startedPid, ...(deadPid !== undefined && { deadPid }) };
  }

  #mayStartNow(): boolean {
    if (this.#starts >= (this.#isShared ? maxStarts : 1)) return false;
    if (!this.#isShared) return true;
    this.#release ??= takeStartLock(startLockPath(this.#home));
    return this.#release !== undefined;
  }

  #checkChild(): void {
    const child = this.#child;
    if (child?.exitCode === undefined) return;
    this.#said = child.said();
    child.forget();
    this.#child = undefined;
    this.#release?.();
    this.#release = undefined;
    // The next look at the socket, or the next start, will tell.
    if (child.exitCode === homeTaken || child.exitCode === ended) return;
    throw unreachable(`the daemon could not be started (exit code ${child.exitCode})${this.#lastWords()}`);
  }

  #late(): PortwayError {
    const holder = lockHolder(this.#home)?.pid;
    if (holder !== undefined && holder !== this.#child?.process.pid) {
      // Somebody tidied up: its socket is gone.
      return unreachable(
        `process ${holder} is the daemon of ${this.#home.path} and can't be reached at ${this.#home.socketPath}; \`portway reset\` ends it`,
      );
    }
    const who =
      this.#child === undefined ? "no daemon answers" : "the daemon was started and does not answer";
    if (this.#child !== undefined) this.#said = this.#child.said();
    return unreachable(`${who} at ${this.#home.socketPath}${this.#lastWords()}`);
  }

  /** What the daemon said before it had its log, from the beginning, or else the end of its log. */
  #lastWords(): string {
    const said = linesOf(this.#said).slice(0, maxShownLines);
    const shown = said.length > 0 ? said : linesOf(tail(this.#home.daemonLogPath)).slice(-maxShownLines);
    return shown.length === 0 ? "" : `:\n${shown.map((line) => `  ${line}`).join("\n")}`;
  }
}

function linesOf(text: string): string[] {
  return text.split("\n").filter((line) => line.trim() !== "");
}

interface Child {
  readonly process: ChildProcess;
  /** Undefined while it runs; the signal's name if that ended it. */
  readonly exitCode: number | string | undefined;
  /** What it wrote to its standard streams, the last 4 KB. */
  said(): string;
  /** Lets it run on without us. */
  forget(): void;
}

/**
 * A file that has no name any more: it takes what the daemon says before it has its log, and leaves nothing behind. It
 * is not to touch a home that may not be ours, unless there is no other place: a container often has no other.
 */
function openWords(home: Home, isShared: boolean): number {
  const name = `portway-start-${process.pid}-${Date.now()}.log`;
  if (isShared) return openUnnamed(join(home.runDirectory, name));
  try {
    return openUnnamed(join(tmpdir(), name));
  } catch {
    return openUnnamed(join(home.path, name));
  }
}

function openUnnamed(path: string): number {
  const fd = openSync(path, "wx+", 0o600);
  unlinkSync(path);
  return fd;
}

function startChild(
  home: Home,
  { env, program = [process.execPath, mainPath] }: StartOptions,
  words: number,
): Child {
  const stdio: ("ignore" | number)[] = ["ignore", words, words];
  // A lock or a pipe of the caller's would be held for as long as the daemon runs: it gets the words in their place.
  for (const descriptor of inheritedDescriptors()) stdio[descriptor] = words;
  const [command, ...args] = program;
  const child = spawn(command!, [...args, "serve", "--autostarted"], {
    cwd: "/",
    detached: true,
    stdio: Array.from(stdio, (each) => each ?? "ignore"),
    env: scrubbed(env, home.path),
  });
  let exitCode: number | string | undefined;
  child.once("error", (error) => {
    exitCode = error.message;
  });
  child.once("exit", (code, signal) => {
    exitCode ??= code ?? signal ?? "unknown";
  });
  let isOpen = true;
  return {
    process: child,
    get exitCode() {
      return exitCode;
    },
    said: () => (isOpen ? tailOf(words) : ""),
    forget() {
      child.unref();
      if (isOpen) closeSync(words);
      isOpen = false;
    },
  };
}

/** What a daemon needs of the environment: it outlives the shell that it was started from. */
function scrubbed(env: StartOptions["env"], home: string): Record<string, string> {
  const kept = Object.entries(env).filter(
    ([name, value]) => value !== undefined && /^(PATH|HOME|TZ|LANG|LC_\w+|PORTWAY_\w+)$/.test(name),
  ) as [string, string][];
  return { ...Object.fromEntries(kept), PORTWAY_HOME: home };
}

/**
 * Makes the directories that a start needs. False for a home that holds other things and was never a daemon's (a
 * mounted volume), and for one that is not ours: what to do with it is left to the daemon, and clients have no lock
 * between them there.
 */
function prepare(home: Home): boolean {
  const made: HomePart[] = makeDirectory(home.path) ? ["home"] : [];
  if (whyNotOurs(lstatSync(home.path)) !== undefined) return false;
  const entries = readdirSync(home.path);
  if (entries.length > 0 && !entries.includes(basename(home.runDirectory))) return false;
  if (entries.length === 0) chmodSync(home.path, 0o700);
  if (makeDirectory(home.runDirectory)) made.push("run");
  if (made.length > 0) noteMade(home, made);
  return true;
}

function startLockPath(home: Home): string {
  return join(home.runDirectory, "start.lock");
}

function tail(path: string): string {
  try {
    const fd = openSync(path, "r");
    try {
      return tailOf(fd);
    } finally {
      closeSync(fd);
    }
  } catch {
    return "";
  }
}

function tailOf(fd: number): string {
  const { size } = fstatSync(fd);
  const buffer = Buffer.alloc(Math.min(size, maxShownBytes));
  const read = readSync(fd, buffer, 0, buffer.length, Math.max(size - maxShownBytes, 0));
  return buffer.toString("utf8", 0, read);
}

function unreachable(message: string): PortwayError {
  return new PortwayError("daemon_unreachable", message);
}
