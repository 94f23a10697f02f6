import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import type { PortwayClient } from "../../src/client/client.js";
import { createPortwayClient } from "../../src/client/node-client.js";
import type { ServeFlags } from "../../src/daemon/config.js";
import { type Home, homeAt } from "../../src/home/home.js";

const program = fileURLToPath(new URL("./daemon-program.js", import.meta.url));

export type JsonLine = Readonly<Record<string, unknown>> & { readonly event: string };

export interface DaemonOptions {
  readonly flags?: Omit<ServeFlags, "home">;
  readonly behaviour?: "stuck" | "stubborn" | "crash" | "reject";
  readonly environment?: Readonly<Record<string, string>>;
}

/** A daemon in a process of its own. */
export class TestDaemon {
  readonly process: ChildProcess;
  readonly home: Home;
  /** Of standard output, as they came. */
  readonly lines: JsonLine[] = [];
  stderr = "";
  /** Its exit code, or the signal that ended it. */
  readonly exited: Promise<number | string>;
  readonly #waiting = new Set<() => void>();
  #hasEnded = false;

  constructor(home: string, { flags = {}, behaviour = undefined, environment = {} }: DaemonOptions) {
    this.home = homeAt(home);
    const argv = [
      program,
      JSON.stringify({ home, ...flags }),
      ...(behaviour === undefined ? [] : [behaviour]),
    ];
    const env = { PATH: process.env["PATH"] ?? "", ...environment };
    this.process = spawn(process.execPath, argv, { env, stdio: ["ignore", "pipe", "pipe"] });
    createInterface({ input: this.process.stdout! }).on("line", (line) => {
      this.lines.push(JSON.parse(line) as JsonLine);
      this.#look();
    });
    this.process.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
    this.exited = new Promise((resolve) => {
      this.process.once("close", (code, signal) => {
        this.#hasEnded = true;
        this.#look();
        resolve(code ?? signal ?? "");
      });
    });
  }

  get pid(): number {
    return this.process.pid!;
  }

  /** The first line of an event on standard output. Rejects if the process ends without it. */
  async line(event: string): Promise<JsonLine> {
    for (;;) {
      const found = this.lines.find((line) => line.event === event);
      if (found !== undefined) return found;
      if (this.#hasEnded) throw new Error(`the daemon ended without ${event}: ${this.stderr}`);
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  get ready(): Promise<JsonLine> {
    return this.line("daemon.ready");
  }

  client(): PortwayClient {
    return createPortwayClient({ socketPath: this.home.socketPath }, { timeoutMs: 10_000 });
  }

  kill(signal: NodeJS.Signals): void {
    this.process.kill(signal);
  }

  #look(): void {
    for (const look of this.#waiting) look();
    this.#waiting.clear();
  }
}

/** A directory that ends with the test. */
export function temporaryDirectory(test: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "portway-"));
  test.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Starts a daemon that ends with the test, in `home` or in one of its own. */
export function startDaemon(test: TestContext, options: DaemonOptions = {}, home?: string): TestDaemon {
  const daemon = new TestDaemon(home ?? join(temporaryDirectory(test), "home"), options);
  test.after(async () => {
    daemon.kill("SIGKILL");
    await daemon.exited;
  });
  return daemon;
}
