import { type Clock, systemClock } from "../../base/clock.js";
import { maxFrameBytes } from "../../wire/limits.js";

export interface UdpOptions {
  /** How long the look-up of a dialed name may take. */
  readonly dialTimeoutMs?: number;
  /** A dialed peer that said nothing for so long is taken as it is: nodes that do not know notices say nothing. */
  readonly dialSilenceMs?: number;
  /** How long the operating system may take nothing while somebody waits to send. */
  readonly stallTimeoutMs?: number;
  /** Peers of all listeners at one time. */
  readonly maxAcceptedConnections?: number;
  /** The largest message taken and sent. */
  readonly maxFrameBytes?: number;
  /** Bytes queued at which a connection takes no more; one message may exceed it. */
  readonly sendQueueBytes?: number;
  /** Bytes that may wait for a user who takes nothing; what comes beyond them is lost, and counted. */
  readonly receiveQueueBytes?: number;
  /**
   * Bytes of all messages together that are being put together or are held by whoever got them. One of a single datagram
   * is not put together, and not counted.
   */
  readonly receiveBudgetBytes?: number;
  /** An accepted peer that was silent for so long is forgotten. */
  readonly peerIdleMs?: number;
  /** A dialed peer that was silent for so long is asked whether it lives. */
  readonly keepaliveMs?: number;
  /** A dialed peer that has answered before, and is silent for so long, is gone. */
  readonly silenceLimitMs?: number;
  /** A begun message of which nothing more comes for so long is given up. */
  readonly assemblyTimeoutMs?: number;
  /** After so long a silence a peer may begin with any number. */
  readonly resyncAfterMs?: number;
  /** How fast a connection sends, and how many datagrams leave at once. */
  readonly datagramsPerMs?: number;
  readonly burstDatagrams?: number;
  readonly clock?: Clock;
}

const defaults = {
  dialTimeoutMs: 5_000,
  dialSilenceMs: 400,
  stallTimeoutMs: 10_000,
  maxAcceptedConnections: 1_000,
  maxFrameBytes,
  sendQueueBytes: 512 * 1024,
  receiveQueueBytes: 1024 * 1024,
  receiveBudgetBytes: 64 * 1024 * 1024,
  peerIdleMs: 120_000,
  keepaliveMs: 10_000,
  silenceLimitMs: 30_000,
  assemblyTimeoutMs: 5_000,
  resyncAfterMs: 30_000,
  // 16 MB/s. As many as one turn of a receiver's event loop reads from a socket: so a receiver on this machine, or in
  // this process, is not overrun by one sender.
  datagramsPerMs: 32,
  burstDatagrams: 32,
  clock: systemClock,
} as const satisfies Required<UdpOptions>;

export function resolveUdpOptions(given: UdpOptions = {}): Required<UdpOptions> {
  return Object.freeze({ ...defaults, ...given });
}
