import type { PortwayClient } from "../client/client.js";

/** What the CLI knows of the world: the streams of its process, its environment, the way to the daemon. */
export interface Io {
  readonly stdout: Sink;
  readonly stderr: Sink;
  readonly stdin: Source;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The daemon's API; starts a daemon if none answers and that is allowed. Rejects with `daemon_unreachable`. */
  connect(options: ConnectOptions): Promise<Connection>;
  /** Runs the daemon in this process until it ends; its exit code. */
  serve(options: ServeCommandOptions): Promise<number>;
  /** Ends at SIGINT or SIGTERM, from the first time that it is asked for: until then these end the process. */
  interruption(): AbortSignal;
}

export interface Sink {
  readonly isTerminal: boolean;
  /** Characters of a line; undefined if it is no terminal or one that does not say. */
  readonly columns: number | undefined;
  write(text: string): void;
}

export interface Source {
  readonly isTerminal: boolean;
  /** The next line without its end; undefined at the end. */
  readLine(): Promise<string | undefined>;
  /** Reads and forgets what comes, until the end. Does not keep the process alive. */
  end(): Promise<void>;
}

export interface ConnectOptions {
  /** PORTWAY_HOME. */
  readonly home: string;
  /** False: only a daemon that runs already. */
  readonly mayStart: boolean;
}

/** Pids of daemons. */
export interface DaemonStart {
  /** The one that was started; absent if one ran already. */
  readonly startedPid?: number;
  /** The one before it, if that was killed or has crashed: what it hosted is gone. */
  readonly deadPid?: number;
}

export interface Connection extends Disposable, DaemonStart {
  readonly client: PortwayClient;
}

/** What `portway serve` was told, as texts; the daemon checks them and names the flag in its errors. */
export interface ServeCommandOptions {
  readonly home: string;
  readonly apiAddresses?: readonly string[];
  readonly tlsCertificate?: string;
  readonly tlsKey?: string;
  readonly tlsClientCa?: string;
  readonly logLevel?: string;
  readonly autostarted?: boolean;
  readonly idleTimeoutMs?: number;
}
