import { PortwayError } from "../base/errors.js";
import { formatSocketAddress, type SocketAddress } from "../model/socket-address.js";

/** How a dial is rejected, in every transport; `peer` as the caller named it. */
export function connectFailed(peer: SocketAddress, why: string, cause?: Error): PortwayError {
  const where = formatSocketAddress(peer);
  const said = `can't connect to ${where}: ${why}`;
  return new PortwayError("connect_failed", said, { peer: where }, { cause });
}
