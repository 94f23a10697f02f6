/** What the API needs of the process that serves it. */
export interface System {
  info(): SystemInfo;
  /** Ends when the process begins to drain, whoever asked for it. */
  readonly drainSignal: AbortSignal;
  /** Begins to drain and to end the process; open sessions may take `timeoutMs`. Resolves when draining has begun. */
  drain(timeoutMs: number): Promise<void>;
}

export interface SystemInfo {
  readonly version: string;
  readonly pid: number;
  readonly startTimeMs: number;
  readonly home: string;
  readonly socketPath: string;
  /** `ip:port` of each TCP address of the API. */
  readonly apiAddresses: readonly string[];
  /** Started by a client; ends by itself when idle. */
  readonly autostarted: boolean;
  readonly draining: boolean;
  readonly warnings: readonly string[];
}
