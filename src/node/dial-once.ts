import { PortwayError } from "../base/errors.js";
import { deadline } from "../base/signals.js";
import { formatSocketAddress, type SocketAddress } from "../model/socket-address.js";
import type { Router } from "../routing/router.js";
import type { Transport } from "../transport/transport.js";
import { ConnectionWorker } from "./connection-worker.js";

/** A connection for one message. Rejects with `connect_failed` or the signal's reason; whoever gets it disposes it. */
export async function dialOnce(
  router: Router,
  transport: Transport,
  peer: SocketAddress,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<ConnectionWorker> {
  const { isReliable } = transport;
  const worker = new ConnectionWorker({ router, by: "route_connection", isReliable, lost: () => {} });
  using wait = deadline(timeoutMs, `the connection to ${formatSocketAddress(peer)}`, signal);
  try {
    await transport.dial(peer, (connection) => worker.attach(connection), { signal: wait.signal });
    return worker;
  } catch (error) {
    worker[Symbol.dispose]();
    if (error instanceof PortwayError && error.code === "timed_out") {
      throw new PortwayError("connect_failed", error.message, { peer: formatSocketAddress(peer) });
    }
    throw error;
  }
}
