import { randomUUID } from "node:crypto";
import { isAbsolute, join, resolve } from "node:path";
import type { CallOptions } from "@connectrpc/connect";
import { PortwayError } from "../base/errors.js";
import { version } from "../base/version.js";
import type { PortwayClient } from "../client/client.js";
import { homeAt, userHome } from "../home/home.js";
import { timeoutArgument } from "./argument.js";
import { withFirstCallRepeated } from "./first-call.js";
import type { Connection, Io } from "./io.js";
import { Notices } from "./notices.js";
import { Output } from "./output.js";
import { Prompt } from "./prompt.js";
import { redrawsOn, styleOf } from "./style.js";
import { traced } from "./trace.js";

/** The flags that every command takes. */
export interface GlobalOptions {
  readonly output?: "plain" | "json";
  readonly jq?: string;
  readonly compactOutput?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: number;
  /** False for `--no-color`. */
  readonly color?: boolean;
  /** False for `--no-input`. */
  readonly input?: boolean;
  /** False for `--no-start`. */
  readonly start?: boolean;
}

const callTimeoutMs = 30_000;
const maxCallTimeoutMs = 24 * 3_600_000;

/** One run of one command: what it prints to, whom it asks, and the daemon it talks to. */
export class Cli implements AsyncDisposable {
  readonly io: Io;
  readonly output: Output;
  readonly notices: Notices;
  readonly prompt: Prompt;
  readonly #mayStart: boolean;
  #connecting: Promise<Connection> | undefined;
  readonly #more: Connection[] = [];
  #greeting: Promise<void> | undefined;

  constructor(io: Io, options: GlobalOptions) {
    this.io = io;
    const quiet = options.quiet ?? isSet(io.env["QUIET"]);
    const colours = options.color ?? true;
    const style = styleOf(io.stderr, io.env, colours);
    this.output = new Output(io.stdout, styleOf(io.stdout, io.env, colours), {
      format: options.output ?? "plain",
      compact: options.compactOutput ?? false,
      ...(options.jq === undefined ? {} : { jq: options.jq }),
    });
    this.notices = new Notices(io.stderr, style, {
      quiet,
      verbosity: options.verbose ?? 0,
      redraws: redrawsOn(io.stderr, io.env),
    });
    this.prompt = new Prompt(io, style, !quiet && options.input !== false && !isSet(io.env["NO_INPUT"]));
    this.#mayStart = options.start ?? true;
  }

  /** PORTWAY_HOME. */
  get home(): string {
    return homeIn(this.io.env);
  }

  /** The daemon's API; connects, and starts a daemon if need be, at the first call. */
  async client(): Promise<PortwayClient> {
    this.#connecting ??= this.#connect(this.#mayStart);
    return (await this.#connecting).client;
  }

  /** The API of a daemon that runs already; undefined if none does. */
  async clientOfRunning(): Promise<PortwayClient | undefined> {
    try {
      this.#connecting ??= this.#connect(false);
      return (await this.#connecting).client;
    } catch (error) {
      if ((error as { code?: unknown }).code !== "daemon_unreachable") throw error;
      this.#connecting = undefined;
      return undefined;
    }
  }

  /** Options of a call: its deadline, with `extraMs` for what the daemon itself waits for, and what cancels it. */
  call(extraMs = 0, signal?: AbortSignal): CallOptions {
    const given = this.io.env["PORTWAY_DEFAULT_TIMEOUT"];
    const timeoutMs =
      given === undefined || given === ""
        ? callTimeoutMs
        : timeoutArgument("PORTWAY_DEFAULT_TIMEOUT", given, maxCallTimeoutMs);
    return { timeoutMs: timeoutMs + extraMs, ...(signal === undefined ? {} : { signal }) };
  }

  /** For the `requestId` of a mutation: a repetition by the client is recognised by the daemon. */
  requestId(): string {
    return randomUUID();
  }

  /** Says that a daemon was there that did not end by itself. */
  warnOfDead(pid: number): void {
    this.notices.warn(
      `the daemon of before, process ${pid}, was killed or has crashed, and its nodes are gone; its log is ${homeAt(this.home).daemonLogPath}`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#greeting;
    const connection = await this.#connecting?.catch(() => undefined);
    for (const each of [connection, ...this.#more]) each?.[Symbol.dispose]();
  }

  async #connect(mayStart: boolean): Promise<Connection> {
    const connection = await this.#open(mayStart);
    const reopen = async (): Promise<PortwayClient> => {
      this.notices.trace(1, "the daemon was about to end: starting the next one");
      const next = await this.#open(true);
      this.#more.push(next);
      return next.client;
    };
    const { client } = connection;
    const lasting = mayStart ? withFirstCallRepeated(client, reopen) : client;
    const told = traced(lasting, this.notices);
    this.#greeting = this.#greet(told);
    return { client: told, [Symbol.dispose]: () => connection[Symbol.dispose]() };
  }

  async #open(mayStart: boolean): Promise<Connection> {
    const connection = await this.notices.during(
      "Waiting for the daemon",
      this.io.connect({ home: this.home, mayStart }),
    );
    if (connection.startedPid !== undefined) {
      this.notices.trace(1, `started a daemon, process ${connection.startedPid}`);
    }
    if (connection.deadPid !== undefined) this.warnOfDead(connection.deadPid);
    return connection;
  }

  /** Beside the command's own calls: a daemon of another version may understand something else by them. */
  async #greet(client: PortwayClient): Promise<void> {
    try {
      const info = await client.system.getServerInfo({}, { timeoutMs: 2000 });
      this.notices.trace(1, `daemon ${info.version}, process ${info.pid}, home ${info.home}`);
      if (info.version !== version) {
        this.notices.warn(
          `the daemon is version ${info.version} and this command ${version}: restart it, or expect differences`,
        );
      }
    } catch (error) {
      this.notices.trace(1, `GetServerInfo failed: ${String(error)}`);
    }
  }
}

/** PORTWAY_HOME, absolute; `~/.portway` where it is not set. */
function homeIn(env: Io["env"]): string {
  const given = env["PORTWAY_HOME"];
  if (given === undefined || given === "") return join(userHomeIn(env), ".portway");
  try {
    return resolve(given);
  } catch (error) {
    // What is relative needs the current directory, which may be deleted.
    const message = `PORTWAY_HOME is "${given}", and the current directory is gone: expected an absolute path`;
    throw new PortwayError("bad_argument", message, { given }, { cause: error });
  }
}

function userHomeIn(env: Io["env"]): string {
  const path = env["HOME"] ?? userHome();
  if (isAbsolute(path)) return path;
  throw new PortwayError("bad_argument", `HOME is "${path}": expected an absolute path, or PORTWAY_HOME`);
}

/** An environment variable that stands for a flag: any value but the words for no. */
function isSet(value: string | undefined): boolean {
  return value !== undefined && !["", "0", "false", "no", "off"].includes(value.toLowerCase());
}
