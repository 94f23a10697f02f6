import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Home, homeAt } from "../../src/home/home.js";
import { Program, run } from "./program.js";

export const cliFile = join(import.meta.dirname, "../../src/main.js");
const cliTimeoutMs = 60_000;

/** `portway serve` in a home of its own. */
export class Daemon implements AsyncDisposable {
  readonly home: Home;
  readonly #program: Program;

  private constructor(home: Home, program: Program) {
    this.home = home;
    this.#program = program;
  }

  static async serve(...flags: string[]): Promise<Daemon> {
    const home = homeAt(mkdtempSync(join(tmpdir(), "pwb-"))); // short: a Unix socket lies in it
    const env = environment(home);
    const daemon = new Daemon(
      home,
      new Program(cliFile, ["serve", ...flags], { upWith: "apiAddresses", env }),
    );
    try {
      await daemon.#program.up();
      return daemon;
    } catch (error) {
      await daemon[Symbol.asyncDispose]();
      throw error;
    }
  }

  get pid(): number {
    return this.#program.pid;
  }

  /** The first port of the API on TCP. */
  async apiPort(): Promise<number> {
    const { apiAddresses } = await this.#program.up();
    return Number(/:(\d+)$/.exec((apiAddresses as string[])[0] ?? "")?.[1]);
  }

  /** What a command of the CLI prints. */
  cli(...args: string[]): Promise<string> {
    return run(cliFile, args, { env: environment(this.home), timeoutMs: cliTimeoutMs });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program[Symbol.asyncDispose]();
    rmSync(this.home.path, { recursive: true, force: true });
  }
}

function environment({ path }: Home): NodeJS.ProcessEnv {
  const { PATH } = process.env;
  return { PATH, HOME: path, PORTWAY_HOME: path, NO_COLOR: "1", NO_INPUT: "1" };
}
