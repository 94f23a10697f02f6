import { messageOf, PortwayError } from "../../base/errors.js";
import { abortable, deferred } from "../../base/signals.js";
import { type AcceptedSocket, ByteServer, ByteSocket } from "../../base/socket.js";
import { connectReason } from "../../base/socket-errors.js";
import { transportType } from "../../model/address.js";
import type { SocketAddress } from "../../model/socket-address.js";
import { connectFailed, connectTimedOut } from "../connect-failed.js";
import type {
  Attach,
  CloseReason,
  Connection,
  DialWaitOptions,
  Listener,
  ListenerCounts,
  Transport,
} from "../transport.js";
import { ReceiveBudget } from "./frame-reader.js";
import { TcpConnection } from "./tcp-connection.js";
import { resolveTcpOptions, type TcpOptions } from "./tcp-options.js";

/** Connections over TCP, with the frames of Ockam's TCP transport: wire/PROTOCOL.md. */
export class TcpTransport implements Transport {
  readonly type = transportType.tcp;
  readonly isReliable = true;
  readonly #limits: Required<TcpOptions>;
  readonly #budget: ReceiveBudget;
  readonly #connections = new Set<TcpConnection>();
  readonly #listeners = new Set<TcpListener>();
  #accepted = 0;
  #closed = false;

  constructor(options: TcpOptions = {}) {
    this.#limits = resolveTcpOptions(options);
    this.#budget = new ReceiveBudget(this.#limits.receiveBudgetBytes);
  }

  async dial(peer: SocketAddress, attach: Attach, { signal }: DialWaitOptions = {}): Promise<Connection> {
    signal?.throwIfAborted();
    if (this.#closed) throw new PortwayError("stopped", "the node is stopped");
    const outcome = deferred<Connection>();
    const failed = (why: string, cause?: Error): void => outcome.reject(connectFailed(peer, why, cause));
    const { plainSockets, dialTimeoutMs } = this.#limits;
    const connection = this.#connection(attach, outcome.resolve, (reason, error) => {
      if (reason !== "handshake_timeout") return failed(dialReason(reason, error), error);
      const why = connection.isConnected
        ? `it said nothing within ${dialTimeoutMs} ms; is there a node at that address?`
        : `no answer within ${dialTimeoutMs} ms`;
      outcome.reject(connectTimedOut(peer, why, error));
    });
    try {
      connection.adopt(ByteSocket.dial({ ...peer, plainSockets }, connection, () => connection.start()));
    } catch (error) {
      // Node throws at once for a port that can't be one.
      this.#connections.delete(connection);
      failed(messageOf(error), error instanceof Error ? error : undefined);
      return await outcome.promise;
    }
    const timer = setTimeout(() => connection.abandon("handshake_timeout"), dialTimeoutMs);
    try {
      return await abortable(outcome.promise, signal);
    } catch (error) {
      connection.abandon("closed_here");
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  async listen(bind: SocketAddress, attach: Attach): Promise<Listener> {
    if (this.#closed) throw new PortwayError("stopped", "the node is stopped");
    const listener: TcpListener = await TcpListener.bind(bind, this.#limits, {
      accept: (accepted) => this.#accept(accepted, listener, attach),
      closed: () => this.#listeners.delete(listener),
    });
    this.#listeners.add(listener);
    if (this.#closed) listener.close();
    return listener;
  }

  close(): void {
    this.#closed = true;
    for (const listener of [...this.#listeners]) listener.close();
    for (const connection of [...this.#connections]) connection.close();
  }

  #accept(accepted: AcceptedSocket, listener: TcpListener, attach: Attach): void {
    if (this.#accepted >= this.#limits.maxAcceptedConnections) {
      listener.refuse("too_many_connections");
      ByteSocket.refuse(accepted);
      return;
    }
    this.#accepted += 1;
    listener.open += 1;
    const connection = this.#connection(
      attach,
      () => {},
      (reason) => {
        this.#accepted -= 1;
        listener.open -= 1;
        if (!orderly.has(reason)) listener.refuse(reason);
      },
    );
    connection.adopt(ByteSocket.accepted(accepted, connection));
    connection.start(this.#limits.handshakeTimeoutMs);
  }

  #connection(
    attach: Attach,
    ready: (connection: Connection) => void,
    gone: (reason: CloseReason, error: Error | undefined) => void,
  ): TcpConnection {
    const connection = new TcpConnection({
      limits: this.#limits,
      budget: this.#budget,
      attach,
      ready,
      gone: (ended, reason, error) => {
        this.#connections.delete(ended);
        gone(reason, error);
      },
    });
    this.#connections.add(connection);
    return connection;
  }
}

/** Ends that are nobody's fault. */
const orderly: ReadonlySet<CloseReason> = new Set(["closed_here", "closed_by_peer", "connection_failed"]);

interface TcpListenerCalls {
  readonly accept: (accepted: AcceptedSocket) => void;
  readonly closed: () => void;
}

class TcpListener implements Listener {
  readonly bound: SocketAddress;
  readonly #server: ByteServer;
  readonly #closed: () => void;
  readonly #refused: Record<string, number> = {};
  open = 0;

  private constructor(server: ByteServer, closed: () => void) {
    this.#server = server;
    this.#closed = closed;
    this.bound = { host: server.host, port: server.port };
  }

  static async bind(
    bind: SocketAddress,
    { plainSockets }: Required<TcpOptions>,
    { accept, closed }: TcpListenerCalls,
  ): Promise<TcpListener> {
    return new TcpListener(await ByteServer.listen({ ...bind, plainSockets }, accept), closed);
  }

  get counts(): ListenerCounts {
    return { openConnections: this.open, refused: { ...this.#refused } };
  }

  refuse(reason: string): void {
    this.#refused[reason] = (this.#refused[reason] ?? 0) + 1;
  }

  close(): void {
    this.#server.close();
    this.#closed();
  }
}

function dialReason(reason: CloseReason, error: Error | undefined): string {
  switch (reason) {
    case "bad_version":
      return "what answers there is not a node (its first byte is not the protocol's version)";
    case "closed_by_peer":
      return "it closed the connection before its first byte; is there a node at that address?";
    case "closed_here":
      return "the node is being stopped";
    default:
      return error === undefined ? reason.replaceAll("_", " ") : connectReason(error);
  }
}
