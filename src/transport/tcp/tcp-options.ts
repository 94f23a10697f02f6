import { maxFrameBytes } from "../../wire/limits.js";

export interface TcpOptions {
  /** How long a dial may take, name look-up and the peer's version byte included. */
  readonly dialTimeoutMs?: number;
  /** How long an accepted peer may be silent before its version byte. */
  readonly handshakeTimeoutMs?: number;
  /** How long a peer may take nothing while somebody waits for it. */
  readonly stallTimeoutMs?: number;
  /** Accepted connections at one time, those in the handshake included; per transport. */
  readonly maxAcceptedConnections?: number;
  /** The largest frame taken and sent. */
  readonly maxFrameBytes?: number;
  /** Bytes queued or on their way to the kernel at which a connection takes no more; one message may exceed it. */
  readonly sendQueueBytes?: number;
  /**
   * Bytes that all connections together may hold for frames that are larger than a read buffer, from their first bytes
   * until whoever got them has let go. A connection that needs more is closed, unless others have taken no more for 10 s
   * in the middle of such a frame: those are closed for it.
   */
  readonly receiveBudgetBytes?: number;
  /** True uses documented interfaces of Node alone (base/socket). */
  readonly plainSockets?: boolean;
}

const defaults = {
  dialTimeoutMs: 5_000,
  handshakeTimeoutMs: 5_000,
  stallTimeoutMs: 10_000,
  maxAcceptedConnections: 1_000,
  maxFrameBytes,
  sendQueueBytes: 512 * 1024,
  receiveBudgetBytes: 256 * 1024 * 1024,
  plainSockets: false,
} as const satisfies Required<TcpOptions>;

export function resolveTcpOptions(given: TcpOptions = {}): Required<TcpOptions> {
  return Object.freeze({ ...defaults, ...given });
}
