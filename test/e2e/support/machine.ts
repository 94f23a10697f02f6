import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PortwayClient } from "../../../src/client/client.js";
import { createPortwayClient } from "../../../src/client/node-client.js";
import { type Home, homeAt } from "../../../src/home/home.js";
import { isAlive, mainPath } from "./processes.js";
import { patienceMs, until, within } from "./until.js";

export interface CliAnswer {
  readonly stdout: string;
  readonly stderr: string;
  /** The exit code, or the signal that ended it. */
  readonly code: number | string;
}

export interface CliOptions {
  readonly stdin?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly limitMs?: number;
}

export interface JsonLine {
  readonly event: string;
  readonly [fact: string]: unknown;
}

/**
 * A machine for every purpose: a home of its own, with a daemon and the CLI. Disposing it ends the daemon as a person
 * would, and throws if a process, the socket or the home is left.
 */
export class Machine implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "portway-e2e-"));
  readonly home: Home = homeAt(join(this.folder, "home"));
  readonly environment: Readonly<Record<string, string>>;
  /** Of the daemon that runs in the foreground, as they came. */
  readonly lines: JsonLine[] = [];
  #served: ChildProcess | undefined;
  #client: PortwayClient | undefined;
  /** Every process that was seen as a daemon here. */
  readonly #pids = new Set<number>();

  constructor(environment: Readonly<Record<string, string>> = {}) {
    this.environment = {
      PATH: process.env["PATH"] ?? "",
      HOME: this.folder,
      TMPDIR: tmpdir(),
      PORTWAY_HOME: this.home.path,
      NO_COLOR: "1",
      ...environment,
    };
  }

  /** One whose daemon runs in the foreground and is ready. */
  static async serving(flags: readonly string[] = []): Promise<Machine> {
    const machine = new Machine();
    await machine.serve(flags);
    return machine;
  }

  /** Starts the daemon in the foreground; its line `daemon.ready`. */
  async serve(flags: readonly string[] = []): Promise<JsonLine> {
    const child = this.spawn(["serve", ...flags], { stdio: ["ignore", "pipe", "pipe"] });
    this.#served = child;
    this.#pids.add(child.pid!);
    let rest = "";
    let stderr = "";
    child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    const ready = new Promise<JsonLine>((resolve, reject) => {
      child.stdout!.setEncoding("utf8").on("data", (text: string) => {
        const lines = (rest + text).split("\n");
        rest = lines.pop()!;
        for (const line of lines.filter((each) => each !== "")) {
          this.lines.push(JSON.parse(line) as JsonLine);
          if (this.lines.at(-1)!.event === "daemon.ready") resolve(this.lines.at(-1)!);
        }
      });
      child.once("close", (code, signal) => reject(new Error(`serve ended, ${code ?? signal}: ${stderr}`)));
    });
    ready.catch(() => {});
    return await within("the daemon is ready", ready);
  }

  /** The command as a process of the caller's. */
  spawn(args: readonly string[], options: SpawnOptions): ChildProcess {
    return spawn(process.execPath, [mainPath, ...args], { env: this.environment, ...options });
  }

  /** Runs a command, with words that are separated by one space, or given one by one. */
  async cli(command: string | readonly string[], options: CliOptions = {}): Promise<CliAnswer> {
    const args = typeof command === "string" ? command.split(" ") : command;
    const child = this.spawn(args, {
      env: { ...this.environment, ...options.environment },
      stdio: ["pipe", "pipe", "pipe"],
    });
    child.stdin!.on("error", () => {});
    child.stdin!.end(options.stdin ?? "");
    let stdout = "";
    let stderr = "";
    child.stdout!.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    const code = new Promise<number | string>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (exitCode, signal) => resolve(exitCode ?? signal!));
    });
    try {
      return { code: await within(`portway ${args.join(" ")} ends`, code, options.limitMs), stdout, stderr };
    } finally {
      child.kill("SIGKILL");
    }
  }

  /** Runs a command that must succeed; what it printed. */
  async run(command: string | readonly string[], options?: CliOptions): Promise<string> {
    const { code, stdout, stderr } = await this.cli(command, options);
    if (code === 0) return stdout.trimEnd();
    throw new Error(`portway ${[command].flat().join(" ")} ended with ${code}: ${stderr}`);
  }

  /** The API of the daemon. A daemon that was started again is found by it too. */
  get client(): PortwayClient {
    this.#client ??= createPortwayClient(
      { socketPath: this.home.socketPath },
      { timeoutMs: patienceMs, maxAttempts: 1 },
    );
    return this.#client;
  }

  /** The process id of the daemon that answers now. */
  async pid(): Promise<number> {
    const { pid } = await this.client.system.getServerInfo({});
    this.#pids.add(pid);
    return pid;
  }

  /** Sends a signal to the daemon, or to the process that the caller knows to be it. */
  async signal(name: NodeJS.Signals, pid?: number): Promise<void> {
    process.kill(pid ?? (await this.pid()), name);
  }

  /** As a machine that loses power. */
  async kill9(): Promise<void> {
    const pid = await this.pid();
    process.kill(pid, "SIGKILL");
    await until(`process ${pid} is gone`, () => !isAlive(pid));
  }

  /** The exit code of the daemon in the foreground, or the signal that ended it, once it has ended. */
  async ended(limitMs = patienceMs): Promise<number | string> {
    const child = this.#served!;
    const { value } = await until(
      "the daemon has ended",
      () => child.exitCode ?? child.signalCode ?? undefined,
      limitMs,
    );
    return value;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      const left: string[] = [];
      for (const pid of this.#pids) if (isAlive(pid)) process.kill(pid, "SIGCONT");
      await this.#client?.system
        .getServerInfo({}, { timeoutMs: 2_000 })
        .then(({ pid }) => this.#pids.add(pid))
        .catch(() => {});
      this.#client?.[Symbol.dispose]();
      const { code, stderr } = await this.cli("reset -y");
      if (code !== 0) left.push(`reset ended with ${code}: ${stderr}`);
      for (const pid of this.#pids) if (isAlive(pid)) left.push(`the daemon, process ${pid}`);
      if (existsSync(this.home.socketPath)) left.push("the socket");
      if (existsSync(this.home.path)) left.push("the home");
      if (left.length > 0) throw new Error(`left behind: ${left.join("; ")}`);
    } finally {
      for (const pid of this.#pids) if (isAlive(pid)) process.kill(pid, "SIGKILL");
      rmSync(this.folder, { recursive: true, force: true });
    }
  }
}
