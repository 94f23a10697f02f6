import { type ChildProcess, execFile, spawn } from "node:child_process";
import { join } from "node:path";

const startDeadlineMs = 15_000;
const stopDeadlineMs = 10_000;

/** A file of this folder, compiled. */
export function benchFile(name: string): string {
  return join(import.meta.dirname, name);
}

/** A Node program of ours that runs until it is stopped and says `{"port":N}` on its first line. */
export class Program implements AsyncDisposable {
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;
  readonly #firstLine: Promise<string>;

  constructor(file: string, args: readonly string[]) {
    this.#child = spawn(process.execPath, [file, ...args], { stdio: ["ignore", "pipe", "inherit"] });
    this.pid = this.#child.pid ?? 0;
    this.#exited = new Promise((resolve) => this.#child.once("exit", () => resolve()));
    this.#firstLine = firstLine(this.#child, file);
    this.#firstLine.catch(() => {}); // whoever asks for it hears of it
  }

  async port(): Promise<number> {
    return (JSON.parse(await this.#firstLine) as { port: number }).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), stopDeadlineMs);
    await this.#exited;
    clearTimeout(timer);
  }
}

function firstLine(child: ChildProcess, file: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const fail = (what: string): void => {
      clearTimeout(timer);
      reject(new Error(`${file} ${what}`));
    };
    const timer = setTimeout(() => fail("said nothing in 15 s"), startDeadlineMs);
    child.once("exit", (code) => fail(`ended with ${code} before it was up`));
    child.once("error", (error) => fail(error.message));
    child.stdout?.on("data", (bytes: Buffer) => {
      text += bytes.toString("utf8");
      if (!text.includes("\n")) return;
      clearTimeout(timer);
      resolve(text.slice(0, text.indexOf("\n")));
    });
  });
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
