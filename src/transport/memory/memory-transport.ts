import { PortwayError } from "../../base/errors.js";
import { abortable, deferred } from "../../base/signals.js";
import type { SocketAddress } from "../../model/socket-address.js";
import { connectFailed } from "../connect-failed.js";
import type {
  Attach,
  CloseReason,
  Connection,
  DialWaitOptions,
  Listener,
  ListenerCounts,
  Transport,
} from "../transport.js";
import { MemoryConnection, type MemoryConnectionOptions } from "./memory-connection.js";
import { MemoryNetwork } from "./memory-network.js";
import { type MemoryOptions, resolveMemoryOptions } from "./memory-options.js";

/** A network of its own: transports made with different ones can't reach each other. */
export function createMemoryNetwork(): MemoryNetwork<MemoryListener> {
  return new MemoryNetwork();
}

/**
 * Connections inside one process, for tests. Messages take the form of the wire on the way, so the two ends share
 * nothing.
 */
export class MemoryTransport implements Transport {
  /** No address on the wire has it. */
  readonly type = 255;
  readonly isReliable = true;
  readonly #network: MemoryNetwork<MemoryListener>;
  readonly #limits: Required<MemoryOptions>;
  readonly #connections = new Set<MemoryConnection>();
  readonly #listeners = new Set<MemoryListener>();
  #accepted = 0;
  #closed = false;

  constructor(network: MemoryNetwork<MemoryListener>, options?: MemoryOptions) {
    this.#network = network;
    this.#limits = resolveMemoryOptions(options);
  }

  async dial(peer: SocketAddress, attach: Attach, { signal }: DialWaitOptions = {}): Promise<Connection> {
    signal?.throwIfAborted();
    this.#throwIfClosed();
    await this.#wayThere(signal);
    this.#throwIfClosed();
    const listener = this.#network.find(peer);
    if (listener === undefined) throw connectFailed(peer, "nothing listens there");
    const local = this.#network.address({ host: peer.host, port: 0 });
    const connection = listener.accept(this.#options(listener.bound, local, () => {}));
    if (connection === undefined) throw connectFailed(peer, "it has too many connections");
    this.#connections.add(connection);
    connection.use(attach(connection));
    return connection;
  }

  async listen(bind: SocketAddress, attach: Attach): Promise<Listener> {
    this.#throwIfClosed();
    const listener: MemoryListener = new MemoryListener(this.#network.address(bind), {
      accept: (dialer) => this.#accept(listener, attach, dialer),
      closed: () => {
        this.#network.release(listener.bound);
        this.#listeners.delete(listener);
      },
    });
    this.#network.bind(listener.bound, listener);
    this.#listeners.add(listener);
    return listener;
  }

  close(): void {
    this.#closed = true;
    for (const listener of [...this.#listeners]) listener.close();
    for (const connection of [...this.#connections]) connection.close();
  }

  #accept(
    listener: MemoryListener,
    attach: Attach,
    dialer: MemoryConnectionOptions,
  ): MemoryConnection | undefined {
    if (this.#accepted >= this.#limits.maxAcceptedConnections) {
      listener.refuse("too_many_connections");
      return undefined;
    }
    this.#accepted += 1;
    listener.open += 1;
    const ours = this.#options(dialer.local, dialer.peer, (reason) => {
      this.#accepted -= 1;
      listener.open -= 1;
      if (reason === "stalled") listener.refuse(reason);
    });
    const [theirs, accepted] = MemoryConnection.pair(dialer, ours);
    this.#connections.add(accepted);
    accepted.use(attach(accepted));
    return theirs;
  }

  #options(
    peer: SocketAddress,
    local: SocketAddress,
    gone: (reason: CloseReason) => void,
  ): MemoryConnectionOptions {
    return {
      limits: this.#limits,
      peer,
      local,
      gone: (ended, reason) => {
        this.#connections.delete(ended);
        gone(reason);
      },
    };
  }

  /** A dial takes as long as a message does, and never less than a turn of the event loop. */
  async #wayThere(signal: AbortSignal | undefined): Promise<void> {
    const { clock, delayMs } = this.#limits;
    const arrived = deferred<void>();
    if (delayMs === 0) setImmediate(arrived.resolve);
    const timer = delayMs === 0 ? undefined : clock.after(delayMs, arrived.resolve);
    try {
      await abortable(arrived.promise, signal);
    } finally {
      timer?.[Symbol.dispose]();
    }
  }

  #throwIfClosed(): void {
    if (this.#closed) throw new PortwayError("stopped", "the node is stopped");
  }
}

interface MemoryListenerCalls {
  /** Makes both ends; undefined if one more is too many. */
  readonly accept: (dialer: MemoryConnectionOptions) => MemoryConnection | undefined;
  readonly closed: () => void;
}

/** Bound in a memory network. */
export class MemoryListener implements Listener {
  readonly bound: SocketAddress;
  readonly accept: MemoryListenerCalls["accept"];
  readonly #closed: () => void;
  readonly #refused: Record<string, number> = {};
  #isClosed = false;
  open = 0;

  constructor(bound: SocketAddress, { accept, closed }: MemoryListenerCalls) {
    this.bound = bound;
    this.accept = accept;
    this.#closed = closed;
  }

  get counts(): ListenerCounts {
    return { openConnections: this.open, refused: { ...this.#refused } };
  }

  refuse(reason: CloseReason): void {
    this.#refused[reason] = (this.#refused[reason] ?? 0) + 1;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#closed();
  }
}
