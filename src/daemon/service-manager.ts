import { execFile } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import type { Log } from "../base/log.js";
import type { NotifyConfig } from "./config.js";
import { ExitError, exitCodes } from "./exit-error.js";

/** Who started the daemon and wants to know how it is: systemd, for a unit with `Type=notify`. */
export interface ServiceManager extends Disposable {
  ready(status: string): Promise<void>;
  stopping(): Promise<void>;
}

/** Nobody wants to know. */
export const noServiceManager: ServiceManager = {
  ready: async () => {},
  stopping: async () => {},
  [Symbol.dispose]: () => {},
};

const program = "systemd-notify";
const programTimeoutMs = 5_000;

/**
 * Speaks sd_notify by running `systemd-notify`, which comes with systemd: the protocol needs Unix datagram sockets, and
 * Node.js has none. As the messages come from a child, the unit needs `NotifyAccess=all`.
 *
 * Throws an ExitError if there is no such program: systemd would wait for a word that never comes, and end the daemon.
 */
export function createServiceManager(config: NotifyConfig, log: Log): ServiceManager {
  const command = findProgram(config.searchPath);
  if (command === undefined) {
    throw new ExitError(
      exitCodes.configuration,
      `NOTIFY_SOCKET is set, so a service manager waits to hear from this daemon, but ${program} is not in PATH and ` +
        "Node.js itself can't send such a message: install it, or use Type=exec in the unit, or unset NOTIFY_SOCKET",
    );
  }
  const tell = (...message: string[]): Promise<void> =>
    new Promise((resolve) => {
      const env = { NOTIFY_SOCKET: config.socketPath, PATH: config.searchPath };
      execFile(command, message, { env, cwd: "/", timeout: programTimeoutMs }, (error) => {
        if (error !== null) log.warn("service_manager.unreachable", { message, error });
        resolve();
      });
    });
  let beat: NodeJS.Timeout | undefined;
  return {
    async ready(status) {
      await tell("READY=1", `STATUS=${status}`, `MAINPID=${process.pid}`);
      if (config.watchdogMs === undefined) return;
      beat = setInterval(() => void tell("WATCHDOG=1"), Math.max(1, config.watchdogMs / 2));
      beat.unref();
    },
    stopping: () => tell("STOPPING=1"),
    [Symbol.dispose]: () => clearInterval(beat),
  };
}

function findProgram(path: string): string | undefined {
  return path
    .split(delimiter)
    .filter((directory) => directory.startsWith("/"))
    .map((directory) => join(directory, program))
    .find((candidate) => {
      try {
        accessSync(candidate, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}
