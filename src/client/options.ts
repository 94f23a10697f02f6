/** A daemon on this machine, by its Unix socket. */
export interface UnixTarget {
  readonly socketPath: string;
}

/** A daemon by TCP. Every call needs the token or a client certificate. */
export interface HttpTarget {
  /** `http://127.0.0.1:7700` or `https://…`. */
  readonly baseUrl: string;
  readonly token?: string;
  /** The file with the token. It is read for each call, so that a rotated token is found. */
  readonly tokenPath?: string;
  readonly tls?: TlsTarget;
}

/** PEM texts, not paths. */
export interface TlsTarget {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** The name that the server's certificate must have, where that is not the host of the URL. */
  readonly serverName?: string;
}

export type ClientTarget = UnixTarget | HttpTarget;

/** Throws a TypeError for what is no base URL. */
export function checkBaseUrl(text: unknown): asserts text is string {
  if (typeof text !== "string" || !/^https?:$/.test(new URL(text).protocol)) {
    throw new TypeError(`"${text}" is no base URL: expected http or https`);
  }
}

export interface ClientOptions {
  /**
   * How long a call may take, all its attempts together, where the call gives no `timeoutMs` of its own; 0 is without
   * end.
   */
  readonly timeoutMs?: number;
  /** Sent with every call. */
  readonly headers?: Readonly<Record<string, string>>;
  /** How often a call is tried at most; 1 never tries again. */
  readonly maxAttempts?: number;
  /**
   * Called before another attempt if the last one reached nobody: may start a daemon. What it throws, the call rejects
   * with.
   */
  readonly revive?: () => Promise<unknown>;
  /** The largest answer that is read. */
  readonly maxResponseBytes?: number;
  /** For tests: how a wait between two attempts is waited, and what time it is. */
  readonly pace?: Pace;
}

/** Waits between attempts. They keep the process alive: somebody awaits the call. */
export interface Pace {
  nowMs(): number;
  /** Uniform in [0, 1). */
  random(): number;
  /** Rejects with the reason of `signal` if that ends first. */
  wait(delayMs: number, signal: AbortSignal): Promise<void>;
}

export const systemPace: Pace = {
  nowMs: () => performance.now(),
  random: Math.random,
  wait: (delayMs, signal) =>
    new Promise((resolve, reject) => {
      const onAbort = (): void => {
        clearTimeout(timer);
        reject(signal.reason);
      };
      const timer = setTimeout(() => {
        signal.removeEventListener("abort", onAbort);
        resolve();
      }, delayMs);
      if (signal.aborted) return onAbort();
      signal.addEventListener("abort", onAbort, { once: true });
    }),
};

const defaults = {
  timeoutMs: 30_000,
  headers: {},
  maxAttempts: 4,
  revive: async () => {},
  maxResponseBytes: 32 * 1024 * 1024,
  pace: systemPace,
} as const satisfies Required<ClientOptions>;

export function resolveClientOptions(given: ClientOptions = {}): Required<ClientOptions> {
  return Object.freeze({ ...defaults, ...given });
}
