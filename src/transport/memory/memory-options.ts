import { type Clock, systemClock } from "../../base/clock.js";
import { maxFrameBytes } from "../../wire/limits.js";

export interface MemoryOptions {
  /** How long each message and each dial is under way. */
  readonly delayMs?: number;
  /** Times the delays. */
  readonly clock?: Clock;
  /** How long a peer may take nothing while somebody waits for it. */
  readonly stallTimeoutMs?: number;
  /** Accepted connections at one time, per transport. */
  readonly maxAcceptedConnections?: number;
  /** The largest frame sent. */
  readonly maxFrameBytes?: number;
  /** Bytes under way at which a connection takes no more; one message may exceed it. */
  readonly sendQueueBytes?: number;
}

const defaults = {
  delayMs: 0,
  clock: systemClock,
  stallTimeoutMs: 10_000,
  maxAcceptedConnections: 1_000,
  maxFrameBytes,
  sendQueueBytes: 512 * 1024,
} as const satisfies Required<MemoryOptions>;

export function resolveMemoryOptions(given: MemoryOptions = {}): Required<MemoryOptions> {
  return Object.freeze({ ...defaults, ...given });
}
