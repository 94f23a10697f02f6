import { type ErrorCode, PortwayError } from "../base/errors.js";
import { formatSocketAddress, type SocketAddress } from "../model/socket-address.js";

/** How a dial is rejected, in every transport; `peer` as the caller named it. */
export function connectFailed(peer: SocketAddress, why: string, cause?: Error): PortwayError {
  return dialError("connect_failed", peer, why, cause);
}

/** The same where nobody answered in time: to try that again at once is to wait as long once more. */
export function connectTimedOut(peer: SocketAddress, why: string, cause?: Error): PortwayError {
  return dialError("timed_out", peer, why, cause);
}

function dialError(code: ErrorCode, peer: SocketAddress, why: string, cause?: Error): PortwayError {
  const where = formatSocketAddress(peer);
  return new PortwayError(code, `can't connect to ${where}: ${why}`, { peer: where }, { cause });
}
