import { PortwayError } from "../../src/base/errors.js";
import type { Connection, ConnectOptions, Io, ServeCommandOptions, Sink, Source } from "../../src/cli/io.js";
import { run } from "../../src/cli/run.js";
import { createFakeClient, FakeDaemon } from "./fake-services.js";

export interface FakeIoOptions {
  readonly daemon?: FakeDaemon;
  /** True makes all three streams terminals. */
  readonly terminal?: boolean;
  readonly stdin?: string | Source;
  readonly env?: Readonly<Record<string, string>>;
  /** No daemon runs. */
  readonly down?: boolean;
}

/** What one command did. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export class FakeIo implements Io {
  readonly daemon: FakeDaemon;
  readonly stdout: FakeSink;
  readonly stderr: FakeSink;
  readonly stdin: Source;
  readonly env: Readonly<Record<string, string>>;
  readonly interrupt = new AbortController();
  readonly served: ServeCommandOptions[] = [];
  readonly connects: ConnectOptions[] = [];
  readonly #down: boolean;

  constructor(options: FakeIoOptions = {}) {
    this.daemon = options.daemon ?? new FakeDaemon();
    const isTerminal = options.terminal ?? false;
    this.stdout = new FakeSink(isTerminal);
    this.stderr = new FakeSink(isTerminal);
    const { stdin = "" } = options;
    this.stdin = typeof stdin === "string" ? new FakeSource(isTerminal, stdin) : stdin;
    this.env = { PORTWAY_HOME: "/nonexistent/portway", ...options.env };
    this.#down = options.down ?? false;
  }

  async connect(options: ConnectOptions): Promise<Connection> {
    this.connects.push(options);
    if (this.#down && !options.mayStart) throw new PortwayError("daemon_unreachable", "no daemon answers");
    const client = createFakeClient(this.daemon);
    return { client, [Symbol.dispose]: () => client[Symbol.dispose]() };
  }

  async serve(options: ServeCommandOptions): Promise<number> {
    this.served.push(options);
    return 0;
  }

  interruption(): AbortSignal {
    return this.interrupt.signal;
  }
}

class FakeSink implements Sink {
  readonly isTerminal: boolean;
  readonly columns: number | undefined;
  text = "";

  constructor(isTerminal: boolean) {
    this.isTerminal = isTerminal;
    this.columns = isTerminal ? 100 : undefined;
  }

  write(text: string): void {
    this.text += text;
  }
}

class FakeSource implements Source {
  readonly isTerminal: boolean;
  readonly #lines: string[];

  constructor(isTerminal: boolean, text: string) {
    this.isTerminal = isTerminal;
    this.#lines = text === "" ? [] : text.replace(/\n$/, "").split("\n");
  }

  async readLine(): Promise<string | undefined> {
    return this.#lines.shift();
  }

  async end(): Promise<void> {
    this.#lines.length = 0;
  }
}

/** Runs one command line. A text is cut at spaces; give a list for arguments with spaces. */
export async function portway(
  line: string | readonly string[],
  options: FakeIoOptions = {},
): Promise<Outcome> {
  const io = new FakeIo(options);
  const code = await run(typeof line === "string" ? line.split(" ") : line, io);
  return { code, stdout: io.stdout.text, stderr: io.stderr.text };
}
