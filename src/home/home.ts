import { homedir } from "node:os";
import { join } from "node:path";

/** Where the things of a daemon are inside PORTWAY_HOME. Daemon and clients must agree on this, so it stands once. */
export interface Home {
  readonly path: string;
  /** Directory of the socket, 0700. */
  readonly runDirectory: string;
  /** Unix socket of the API, 0600. */
  readonly socketPath: string;
  /** The API token of TCP calls: 64 hex digits, 0600. */
  readonly tokenPath: string;
  /** Says which process is the daemon: a lock-record.ts. */
  readonly lockPath: string;
  /** Says what of the home Portway made: made-parts.ts. */
  readonly madePath: string;
  /** One log file per node, and that of the daemon. */
  readonly logDirectory: string;
  readonly daemonLogPath: string;
}

/** The daemon's own file among the logs. */
export const daemonLogFile = "daemon.log";

export function homeAt(path: string): Home {
  return {
    path,
    runDirectory: join(path, "run"),
    socketPath: join(path, "run", "api.sock"),
    tokenPath: join(path, "token"),
    lockPath: join(path, "run", "daemon.lock"),
    madePath: join(path, "run", "made-by-portway"),
    logDirectory: join(path, "logs"),
    daemonLogPath: join(path, "logs", daemonLogFile),
  };
}

/** The home that the system has for this user; empty if it knows none, as of a user that only a container was told. */
export function userHome(lookUp: () => string = homedir): string {
  try {
    return lookUp();
  } catch {
    return "";
  }
}
