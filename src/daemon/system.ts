import type { System, SystemInfo } from "../api/system.js";
import type { Config } from "./config.js";
import type { Ending } from "./ending.js";

export interface DaemonSystemOptions {
  readonly config: Config;
  readonly version: string;
  readonly ending: Ending;
  /** Milliseconds since 1970. */
  readonly startTimeMs: number;
  /** `ip:port` of each TCP address that is bound. */
  readonly apiAddresses: () => readonly string[];
  readonly warnings: readonly string[];
}

/** What the API tells of this process, and how it is asked to end. */
export function createDaemonSystem(options: DaemonSystemOptions): System {
  const { config, version, ending, startTimeMs, apiAddresses, warnings } = options;
  return {
    info: (): SystemInfo => ({
      version,
      pid: process.pid,
      startTimeMs,
      home: config.home.path,
      socketPath: config.home.socketPath,
      apiAddresses: apiAddresses(),
      autostarted: config.autostarted,
      draining: ending.hasBegun,
      warnings,
    }),
    drainSignal: ending.signal,
    async drain(timeoutMs) {
      ending.begin({ why: "drain", by: "the API", drainTimeoutMs: timeoutMs });
    },
  };
}
