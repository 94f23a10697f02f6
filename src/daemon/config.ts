import type { TlsFiles } from "../api/tls-files.js";
import { type LogLevel, logLevels } from "../base/pino-log.js";
import { longestTimerMs } from "../base/signals.js";
import { maxSocketPathBytes } from "../base/socket-path.js";
import { type Home, homeAt } from "../home/home.js";
import { type ApiAddress, parseApiAddress } from "./api-address.js";
import { ExitError, exitCodes } from "./exit-error.js";
import type { Source } from "./source.js";
import { checkTlsFiles } from "./tls-files.js";

/** What `portway serve` was told, as texts; all but the home stand above the environment variable of the same name. */
export interface ServeFlags {
  /** PORTWAY_HOME, absolute. */
  readonly home: string;
  /** `--api-address`, repeatable; PORTWAY_API_ADDRESS, with commas between. */
  readonly apiAddresses?: readonly string[];
  /** `--tls-cert`, PORTWAY_TLS_CERT: a PEM file. */
  readonly tlsCertificate?: string;
  /** `--tls-key`, PORTWAY_TLS_KEY: a PEM file. */
  readonly tlsKey?: string;
  /** `--tls-client-ca`, PORTWAY_TLS_CLIENT_CA: a PEM file. */
  readonly tlsClientCa?: string;
  /** `--log-level`, PORTWAY_LOG_LEVEL. */
  readonly logLevel?: string;
  /** A client started this daemon: it says nothing on its standard streams, and ends by itself when idle. */
  readonly autostarted?: boolean;
  /** PORTWAY_IDLE_EXIT_MS: how long a daemon that a client started may be idle. */
  readonly idleTimeoutMs?: number;
}

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Config {
  readonly home: Home;
  readonly apiAddresses: readonly ApiAddress[];
  /** Holds for all TCP addresses. */
  readonly tls?: TlsFiles;
  readonly logLevel: LogLevel;
  readonly autostarted: boolean;
  readonly idleTimeoutMs: number;
  /** PORTWAY_DRAIN_MS: how long open sessions may take after a signal. */
  readonly drainTimeoutMs: number;
  /** Where systemd wants to hear of us; absent if it does not, or if a client started the daemon. */
  readonly notify?: NotifyConfig;
}

export interface NotifyConfig {
  readonly socketPath: string;
  /** How often it wants a sign of life at least; absent if it has no watchdog. */
  readonly watchdogMs?: number;
  /** PATH: where programs are. */
  readonly searchPath: string;
}

/** With what may come after the drain (1.25 s, see daemon.ts), a signal ends the process within 10 s. */
const defaults = { logLevel: "info", idleTimeoutMs: 5_000, drainTimeoutMs: 8_500 } as const;

/**
 * The configuration of a daemon, checked once, here. Throws an ExitError that names the flag or the variable, says what
 * it was and what is expected: `usage` for a flag, `configuration` for a variable or what is in a file.
 */
export function readConfig(flags: ServeFlags, environment: Environment = process.env): Config {
  const home = homeAt(flags.home);
  checkSocketPath(home);
  const apiAddresses = readApiAddresses(flags, environment);
  const tls = readTls(flags, environment);
  const open = apiAddresses.find((address) => !address.isLoopback);
  if (open !== undefined && tls === undefined) {
    throw new ExitError(
      open.source.wrong,
      `${open.source.name}: ${open.text} can be reached from other machines, and without TLS the token and all that ` +
        "the API says would go over the network in plain text: give --tls-cert and --tls-key, or a loopback address",
    );
  }
  if (tls !== undefined && apiAddresses.length === 0) {
    throw new ExitError(
      tls.source.wrong,
      `${tls.source.name} is given, but no TCP address to use it on: expected --api-address`,
    );
  }
  const autostarted = flags.autostarted ?? false;
  const notify = autostarted ? undefined : readNotify(environment);
  return Object.freeze({
    home,
    apiAddresses,
    ...(tls !== undefined && { tls: tls.files }),
    logLevel: readLogLevel(flags, environment),
    autostarted,
    idleTimeoutMs: readIdleTimeoutMs(flags, environment),
    drainTimeoutMs: readDrainTimeoutMs(environment),
    ...(notify !== undefined && { notify }),
  });
}

interface Given {
  readonly text: string;
  readonly source: Source;
}

/** A variable that is set to nothing counts as not set. */
function given(
  flag: string,
  fromFlag: string | undefined,
  variable: string,
  environment: Environment,
): Given | undefined {
  if (fromFlag !== undefined) return { text: fromFlag, source: { name: flag, wrong: exitCodes.usage } };
  const text = environment[variable];
  if (text === undefined || text === "") return undefined;
  return { text, source: { name: variable, wrong: exitCodes.configuration } };
}

function checkSocketPath({ socketPath }: Home): void {
  const bytes = Buffer.byteLength(socketPath);
  if (bytes <= maxSocketPathBytes) return;
  throw new ExitError(
    exitCodes.configuration,
    `PORTWAY_HOME: the path of the API socket would have ${bytes} bytes, and a Unix socket's has at most ` +
      `${maxSocketPathBytes}: choose a home with a path that is ${bytes - maxSocketPathBytes} shorter (${socketPath})`,
  );
}

function readApiAddresses(flags: ServeFlags, environment: Environment): (ApiAddress & { source: Source })[] {
  const fromFlags = (flags.apiAddresses ?? []).map((text) => given("--api-address", text, "", {})!);
  const listed = given("", undefined, "PORTWAY_API_ADDRESS", environment);
  const fromVariable =
    listed?.text.split(",").map((text) => ({ text: text.trim(), source: listed.source })) ?? [];
  const chosen = fromFlags.length > 0 ? fromFlags : fromVariable;
  return chosen.map(({ text, source }) => {
    const address = parseApiAddress(text);
    if (address !== undefined) return { ...address, source };
    throw new ExitError(
      source.wrong,
      `${source.name}: "${text}" is not an address: expected ip:port, [ipv6]:port or localhost:port, port 0 to 65535`,
    );
  });
}

function readTls(
  flags: ServeFlags,
  environment: Environment,
): { files: TlsFiles; source: Source } | undefined {
  const certificate = given("--tls-cert", flags.tlsCertificate, "PORTWAY_TLS_CERT", environment);
  const key = given("--tls-key", flags.tlsKey, "PORTWAY_TLS_KEY", environment);
  const clientCa = given("--tls-client-ca", flags.tlsClientCa, "PORTWAY_TLS_CLIENT_CA", environment);
  const first = certificate ?? key ?? clientCa;
  if (first === undefined) return undefined;
  const missing = certificate === undefined ? "--tls-cert" : key === undefined ? "--tls-key" : undefined;
  if (certificate === undefined || key === undefined) {
    throw new ExitError(
      first.source.wrong,
      `${first.source.name} is given without ${missing}: TLS needs both`,
    );
  }
  return {
    files: checkTlsFiles({ certificate, key, ...(clientCa !== undefined && { clientCa }) }),
    source: first.source,
  };
}

function readLogLevel(flags: ServeFlags, environment: Environment): LogLevel {
  const set = given("--log-level", flags.logLevel, "PORTWAY_LOG_LEVEL", environment);
  if (set === undefined) return defaults.logLevel;
  const level = logLevels.find((one) => one === set.text);
  if (level !== undefined) return level;
  const { name, wrong } = set.source;
  throw new ExitError(wrong, `${name}: "${set.text}" is not a log level: expected ${logLevels.join(", ")}`);
}

function readIdleTimeoutMs(flags: ServeFlags, environment: Environment): number {
  const fromFlag = flags.idleTimeoutMs === undefined ? undefined : String(flags.idleTimeoutMs);
  const set = given("--idle-timeout", fromFlag, "PORTWAY_IDLE_EXIT_MS", environment);
  return set === undefined ? defaults.idleTimeoutMs : readMs(set);
}

function readDrainTimeoutMs(environment: Environment): number {
  const set = given("", undefined, "PORTWAY_DRAIN_MS", environment);
  return set === undefined ? defaults.drainTimeoutMs : readMs(set);
}

function readNotify(environment: Environment): NotifyConfig | undefined {
  const socketPath = environment["NOTIFY_SOCKET"];
  if (socketPath === undefined || socketPath === "") return undefined;
  const searchPath = environment["PATH"] || "/usr/local/bin:/usr/bin:/bin";
  const watchdogUsec = environment["WATCHDOG_USEC"];
  const isForUs = [undefined, "", String(process.pid)].includes(environment["WATCHDOG_PID"]);
  if (watchdogUsec === undefined || watchdogUsec === "" || !isForUs) return { socketPath, searchPath };
  const source = { name: "WATCHDOG_USEC", wrong: exitCodes.configuration } as const;
  const watchdogMs = Math.max(1, Math.floor(readWhole({ text: watchdogUsec, source }, 1e12) / 1000));
  return { socketPath, searchPath, watchdogMs };
}

function readMs(set: Given): number {
  return readWhole(set, longestTimerMs);
}

function readWhole({ text, source }: Given, max: number): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= 1 && value <= max) return value;
  throw new ExitError(source.wrong, `${source.name}: "${text}" is not a whole number from 1 to ${max}`);
}
