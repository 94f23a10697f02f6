import { type ChildProcess, execFile, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { deferred } from "../../src/base/signals.js";

const startDeadlineMs = 15_000;
const stopDeadlineMs = 10_000;

/** A file of this folder, compiled. */
export function benchFile(name: string): string {
  return join(import.meta.dirname, name);
}

/** A line of JSON on stdout. */
type Line = Readonly<Record<string, unknown>>;

/**
 * A Node program of ours that runs until it is stopped. All that is compared runs as one, in the session of the bench:
 * Linux shares its cores out among sessions first (sched_autogroup in sched(7)), and to wake a process of another
 * session costs more.
 */
export class Program implements AsyncDisposable {
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;
  readonly #up: Promise<Line>;

  /** It is up when it has said a line with the member `upWith`. */
  constructor(
    file: string,
    args: readonly string[],
    {
      upWith = "port",
      env = process.env,
    }: { readonly upWith?: string; readonly env?: NodeJS.ProcessEnv } = {},
  ) {
    this.#child = spawn(process.execPath, [file, ...args], { stdio: ["ignore", "pipe", "inherit"], env });
    this.pid = this.#child.pid ?? 0;
    this.#exited = new Promise((resolve) => this.#child.once("exit", () => resolve()));
    this.#up = upLine(this.#child, upWith, file);
    this.#up.catch(() => {}); // whoever asks for it hears of it
  }

  up(): Promise<Line> {
    return this.#up;
  }

  async port(): Promise<number> {
    return (await this.#up)["port"] as number;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), stopDeadlineMs);
    await this.#exited;
    clearTimeout(timer);
  }
}

async function upLine(child: ChildProcess, upWith: string, file: string): Promise<Line> {
  const { promise: failed, reject } = deferred<never>();
  const fail = (what: string): void => reject(new Error(`${file} ${what}`));
  const timer = setTimeout(() => fail("was not up in 15 s"), startDeadlineMs);
  child.once("exit", (code, signal) => fail(`ended with ${code ?? signal} before it was up`));
  child.once("error", (error) => fail(error.message));
  try {
    return await Promise.race([lineWith(child.stdout!, upWith).then((line) => line ?? failed), failed]);
  } finally {
    clearTimeout(timer);
    child.stdout!.resume();
  }
}

/** The first line that has the member; undefined if they end without. */
async function lineWith(lines: Readable, member: string): Promise<Line | undefined> {
  for await (const text of createInterface(lines)) {
    const line = JSON.parse(text) as Line;
    if (member in line) return line;
  }
  return undefined;
}

/** Runs a Node program to its end; gives what it printed. Rejects with what it said on stderr if it failed. */
export function run(
  file: string,
  args: readonly (string | number)[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly timeoutMs: number },
): Promise<string> {
  return new Promise((resolve, reject) => {
    const settings = {
      env: options.env ?? process.env,
      timeout: options.timeoutMs,
      maxBuffer: 16 * 1024 * 1024,
    };
    execFile(process.execPath, [file, ...args.map(String)], settings, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else
        reject(
          new Error(`${args.join(" ")}: ${error.killed ? "took too long" : stderr.trim() || error.message}`),
        );
    });
  });
}
