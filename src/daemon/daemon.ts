import { existsSync, rmSync } from "node:fs";
import { type ApiServer, createApiServer } from "../api/server.js";
import { openTokens } from "../api/token.js";
import { systemClock } from "../base/clock.js";
import type { Log } from "../base/log.js";
import { Scope } from "../base/scope.js";
import { noteMade } from "../home/made-parts.js";
import type { Engine } from "../node/engine.js";
import type { EngineOptions } from "../node/host.js";
import type { Config } from "./config.js";
import { DaemonLogs } from "./daemon-logs.js";
import { Ending } from "./ending.js";
import { type ExitCode, exitCodes } from "./exit-error.js";
import { prepareHome } from "./home-directory.js";
import { type HomeLock, takeHomeLock } from "./home-lock.js";
import { IdleExit } from "./idle-exit.js";
import { handleProcessEvents } from "./process-events.js";
import { createServiceManager, noServiceManager, type ServiceManager } from "./service-manager.js";
import { isSocketServed } from "./socket-probe.js";
import { StdoutLines } from "./stdout-lines.js";
import { createDaemonSystem } from "./system.js";

export interface DaemonOptions {
  readonly config: Config;
  readonly version: string;
  readonly createEngine: (options: EngineOptions) => Engine;
}

/** How long a daemon that ends may keep the home from the next one. */
const lockWaitMs = 15_000;
/** What is under way in the API when the sessions have ended: out of the time of the drain, and a little beyond it. */
const apiGraceMs = 1_000;
const leastApiGraceMs = 200;
/** All that comes when the time of the drain is over: the API's last calls, closing, what sockets still send. */
const afterDrainMs = 1_250;
/** Closing what is drained takes milliseconds; this is for what should never happen. */
const closeTimeoutMs = 5_000;
const flushTimeoutMs = 1_000;
/** How often a daemon looks whether its home is still its own. */
const homeLookMs = 2_000;
/** For an autostarted daemon whose client was killed before its first call. */
const firstCallMs = 60_000;

/**
 * Runs a daemon in this process until it is told to end; its exit code. Throws an ExitError, or what the engine or the
 * API threw, if it does not come up; then nothing of it is left.
 */
export async function runDaemon({ config, version, createEngine }: DaemonOptions): Promise<ExitCode> {
  const startedMs = performance.now();
  process.umask(0o077);
  if (config.autostarted) process.chdir("/");
  prepareHome(config.home);

  const stdout = config.autostarted ? undefined : new StdoutLines();
  const logs = new DaemonLogs({
    directory: config.home.logDirectory,
    level: config.logLevel,
    ...(stdout !== undefined && { also: stdout }),
  });
  const log = logs.log();
  using ending = new Ending();
  const held: Held = {};
  const { drainTimeoutMs, autostarted } = config;
  const atExit = (): void => leave(held);
  handleProcessEvents({ ending, logs, log, drainTimeoutMs, atExit, hasStderr: !autostarted });

  const scope = new Scope();
  try {
    const daemon = await start({ config, version, createEngine }, { scope, ending, logs, held });
    logs.announcement("daemon.ready", {
      pid: process.pid,
      version,
      home: config.home.path,
      socketPath: config.home.socketPath,
      apiAddresses: daemon.apiAddresses,
      autostarted,
      durationMs: Math.round(performance.now() - startedMs),
    });
    await daemon.manager.ready(`serving ${config.home.socketPath}`);
    const cause = await ending.begun;
    logs.announcement("daemon.ending", { ...cause });
    void ending.overdue.then(() => cutOffAfter(afterDrainMs, log));
    await Promise.all([daemon.manager.stopping(), drained(daemon.engine, cause.drainTimeoutMs, ending)]);
    if (cause.why === "home_lost") {
      // To close the API in order would remove the socket at its path, which may be another daemon's by now.
      logs.announcement("daemon.ended", { pid: process.pid });
      await stdout?.flush(flushTimeoutMs);
      process.exit(exitCodes.unavailable);
    }
    await daemon.api.close({ graceMs: Math.min(apiGraceMs, Math.max(leastApiGraceMs, ending.leftMs)) });
  } catch (error) {
    if (ending.signal.aborted && error === ending.signal.reason) return exitCodes.stopped;
    log.error("daemon.failed", { error });
    throw error;
  } finally {
    await closed(scope, log);
    logs.announcement("daemon.ended", { pid: process.pid });
    await stdout?.flush(flushTimeoutMs);
    logs[Symbol.dispose]();
  }
  return exitCodes.stopped;
}

/** What must be given back even if the process ends without an order. */
interface Held {
  lock?: HomeLock;
  /** The Unix socket, once it is bound: what was at its path before is not ours to remove. */
  socketPath?: string;
}

interface Setting {
  readonly scope: Scope;
  readonly ending: Ending;
  readonly logs: DaemonLogs;
  readonly held: Held;
}

interface Daemon {
  readonly engine: Engine;
  readonly api: ApiServer;
  readonly manager: ServiceManager;
  readonly apiAddresses: readonly string[];
}

/** Sets everything up, the Unix socket last: who finds it finds a daemon that is ready. `scope` undoes it. */
async function start(options: DaemonOptions, { scope, ending, logs, held }: Setting): Promise<Daemon> {
  const { config, version } = options;
  const { home } = config;
  const log = logs.log();
  held.lock = await takeHomeLock({
    lockPath: home.lockPath,
    isServed: () => isSocketServed(home.socketPath),
    waitMs: lockWaitMs,
    onWait: (holderPid) => logs.announcement("daemon.waiting", { holderPid }),
    signal: ending.signal,
  });
  scope.defer(() => leave(held));
  scope.defer(watchHome(held.lock, options, { ending, log }));
  const manager = config.notify === undefined ? noServiceManager : createServiceManager(config.notify, log);
  scope.own(manager);
  const hasToken = existsSync(home.tokenPath);
  const tokens = await openTokens(home.tokenPath);
  if (!hasToken) noteMade(home, ["token"]);
  const engine = options.createEngine({
    log: (node) => logs.log(node),
    logPath: (node) => logs.logPath(node),
  });
  scope.defer(() => engine.close());
  const idle = config.autostarted ? idleExit(config, engine, ending) : undefined;
  if (idle !== undefined) scope.own(idle);

  const apiAddresses: string[] = [];
  const system = createDaemonSystem({
    config,
    version,
    ending,
    startTimeMs: Date.now(),
    apiAddresses: () => apiAddresses,
    warnings: config.apiAddresses
      .filter(({ isLoopback }) => !isLoopback)
      .map(({ text }) => `the API can be reached from the network, at ${text}, with TLS`),
  });
  const api = createApiServer({ engine, log, system, tokens, ...(idle !== undefined && { activity: idle }) });
  scope.own(api);
  for (const { host, port } of config.apiAddresses) {
    apiAddresses.push(
      await api.listenTcp({ host, port, ...(config.tls !== undefined && { tls: config.tls }) }),
    );
  }
  await api.listenUnix(home.socketPath);
  held.socketPath = home.socketPath;
  ending.signal.throwIfAborted();
  return { engine, api, manager, apiAddresses };
}

/**
 * A daemon whose home was removed can't be reached by commands any more, and keeps the ports that the next one wants:
 * it ends. Gives what ends the watch.
 */
function watchHome(
  lock: HomeLock,
  { config }: DaemonOptions,
  { ending, log }: { readonly ending: Ending; readonly log: Log },
): () => void {
  const { home, drainTimeoutMs } = config;
  const watch = setInterval(() => {
    if (!lock.isLost) return;
    clearInterval(watch);
    log.error("daemon.home_lost", { home: home.path });
    ending.begin({ why: "home_lost", by: home.path, drainTimeoutMs });
  }, homeLookMs).unref();
  return () => clearInterval(watch);
}

function idleExit(config: Config, engine: Engine, ending: Ending): IdleExit {
  return new IdleExit({
    idleMs: config.idleTimeoutMs,
    firstCallMs: Math.max(firstCallMs, config.idleTimeoutMs),
    hasNodes: async () => (await engine.nodes.list()).length > 0,
    onIdle: () => ending.begin({ why: "idle", by: "the daemon", drainTimeoutMs: 0 }),
    clock: systemClock,
  });
}

/** The API stays open meanwhile, so that a client can see what is still going on. */
function drained(engine: Engine, timeoutMs: number, ending: Ending): Promise<void> {
  return Promise.race([engine.drain(timeoutMs), ending.overdue]);
}

/** Who waits for the process counts on its end, whatever may hold it. */
function cutOffAfter(timeoutMs: number, log: Log): void {
  setTimeout(() => {
    log.warn("daemon.cut_off", { timeoutMs, resources: process.getActiveResourcesInfo() });
    process.exit(exitCodes.stopped);
  }, timeoutMs).unref();
}

async function closed(scope: Scope, log: Log): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(() => {
      log.error("daemon.stuck", { timeoutMs: closeTimeoutMs, resources: process.getActiveResourcesInfo() });
      resolve();
    }, closeTimeoutMs);
  });
  try {
    await Promise.race([scope[Symbol.asyncDispose](), late]);
  } catch (error) {
    log.error("daemon.unclean", { error });
  } finally {
    clearTimeout(timer);
  }
}

/** Gives the home back. The socket goes first: while the lock is ours, nobody else's can be there. */
function leave(held: Held): void {
  const { lock, socketPath } = held;
  delete held.lock;
  if (lock === undefined || lock.isLost) return;
  try {
    if (socketPath !== undefined) rmSync(socketPath, { force: true });
    lock.release();
  } catch {
    // the home is gone, or is no longer ours to touch
  }
}
