import http from "node:http";
import http2 from "node:http2";
import net from "node:net";
import tls from "node:tls";
import type { Log } from "../base/log.js";
import type { Principal } from "./authorizer.js";
import type { Connection, Connections } from "./connections.js";
import { type Exchange, Http1Exchange, Http2Exchange } from "./exchange.js";
import type { ApiLimits } from "./limits.js";
import { sniff } from "./sniffer.js";

/** Takes a request whose body was not read yet. */
export type RequestHandler = (exchange: Exchange, connection: Connection) => void;

export interface ListenerOptions {
  readonly limits: Required<ApiLimits>;
  readonly connections: Connections;
  readonly handle: RequestHandler;
  readonly log: Log;
  /** Whom the listener itself vouches for: whoever may open a Unix socket. */
  readonly principal?: Principal;
  readonly tls?: tls.TlsOptions;
}

/** An HTTP server for one address: HTTP/1.1 and HTTP/2 on one port, told apart by ALPN or by the first bytes. */
export interface Listener {
  /** To be bound by its owner. */
  readonly server: net.Server;
  /** Accepts no more and unbinds; resolves when no socket is left. Open connections stay. */
  close(): Promise<void>;
  /** Ends what is no connection yet: sockets in their TLS handshake. To be called when no connection is left. */
  endHandshakes(): void;
}

/** Between two requests of an HTTP/1.1 connection. */
const keepAliveTimeoutMs = 60_000;
/** HTTP/2: what a client may send in advance on one stream, and on a connection once one of its calls was let in. */
const streamWindowBytes = 1024 * 1024;
const connectionWindowBytes = 16 * 1024 * 1024;

export function createListener(options: ListenerOptions): Listener {
  const { limits, connections, handle, log } = options;
  const bySocket = new WeakMap<net.Socket, Connection>();
  const bySession = new WeakMap<http2.Http2Session, Connection>();

  const http1 = http.createServer({
    maxHeaderSize: limits.maxHeaderBytes,
    headersTimeout: limits.headersTimeoutMs,
    // Behind what the sweep of the connections does, which tells the caller why.
    requestTimeout: limits.requestTimeoutMs + 5_000,
    keepAliveTimeout: keepAliveTimeoutMs,
    connectionsCheckingInterval: Math.min(1000, limits.headersTimeoutMs),
  });
  const onHttp1 = (request: http.IncomingMessage, response: http.ServerResponse): void => {
    const { socket } = request;
    const connection = bySocket.get(socket);
    if (connection === undefined) {
      socket.destroy();
      return;
    }
    const exchange = new Http1Exchange(request, response);
    if (connection.calls.size < limits.maxStreamsPerConnection) {
      handleHttp1(exchange, connection);
      return;
    }
    // Node announces what has arrived already, and reads on whenever a body is read.
    connection.held.push(exchange);
    socket.pause();
  };
  const handleHttp1 = (exchange: Exchange, connection: Connection): void => {
    handle(exchange, connection);
    const { held, socket } = connection;
    exchange.onClose(() => {
      if (socket.destroyed) return;
      const next = held.shift();
      if (next === undefined) return;
      if (held.length === 0) socket.resume();
      handleHttp1(next, connection);
    });
  };
  http1.on("request", onHttp1);
  // Without this Node asks for the body before anyone has looked at the headers.
  http1.on("checkContinue", onHttp1);
  // It never listens itself, and only a server that does enforces its timeouts.
  http1.emit("listening");

  const http2Server = http2.createServer({
    maxHeaderListPairs: 100,
    maxSessionMemory: 32,
    settings: {
      maxConcurrentStreams: limits.maxStreamsPerConnection,
      maxHeaderListSize: limits.maxHeaderBytes,
      initialWindowSize: streamWindowBytes,
      enablePush: false,
    },
  });
  const onHttp2 = (
    stream: http2.ServerHttp2Stream,
    headers: http2.IncomingHttpHeaders,
    _flags: number,
    rawHeaders: string[],
  ): void => {
    const { session } = stream;
    const connection = session === undefined ? undefined : bySession.get(session);
    // A stream that was reset in the same packet is closed already, and nobody else would end it.
    const exchange = new Http2Exchange(stream, headers, rawHeaders);
    if (connection === undefined || stream.closed) exchange.destroy();
    else handle(exchange, connection);
  };
  http2Server.on("stream", onHttp2);
  http2Server.on("sessionError", (error) => log.debug("connection.failed", { error }));

  const servers = {
    http1(socket: net.Socket): void {
      http1.emit("connection", socket);
    },
    http2(socket: net.Socket): void {
      // A session does not end by itself when its client's direction does: the client is gone.
      socket.allowHalfOpen = false;
      const onSession = (session: http2.ServerHttp2Session): void => {
        const connection = bySocket.get(socket);
        if (connection === undefined) return;
        connection.session = session;
        bySession.set(session, connection);
        if (connection.isTrusted) widen(session);
      };
      // The session is made inside of the call, so the next one that is announced is that of this socket.
      http2Server.on("session", onSession);
      http2Server.emit("connection", socket);
      http2Server.off("session", onSession);
    },
  };

  const accept = (socket: net.Socket): Connection => {
    const connection = connections.add(socket, options.principal);
    bySocket.set(socket, connection);
    socket.on("error", (error) => log.debug("connection.failed", { error }));
    return connection;
  };

  // An HTTP/1.1 client that has ended its direction gets the answer that is ready then. One that was killed ends it as
  // well, so none is waited for.
  const sockets: net.ServerOpts = {
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: 30_000,
  };
  /** Under TLS, what each connection runs on, from before its handshake: nobody else knows of it then. */
  const underTls = new Set<net.Socket>();
  let server: net.Server;
  if (options.tls === undefined) {
    server = net.createServer(sockets, (socket) => {
      accept(socket);
      sniff(socket, servers, limits.handshakeTimeoutMs);
    });
  } else {
    const secure = tls.createServer({
      ...sockets,
      ...options.tls,
      handshakeTimeout: limits.handshakeTimeoutMs,
    });
    secure.on("secureConnection", (socket) => {
      const connection = accept(socket);
      vouch(connection, socket);
      if (socket.alpnProtocol === "h2") servers.http2(socket);
      else if (socket.alpnProtocol === "http/1.1") servers.http1(socket);
      else sniff(socket, servers, limits.handshakeTimeoutMs);
    });
    secure.on("connection", (socket: net.Socket) => {
      underTls.add(socket);
      socket.once("close", () => underTls.delete(socket));
    });
    secure.on("tlsClientError", (error, socket) => {
      log.debug("connection.failed", { error });
      // After its timeout Node leaves it open.
      socket.destroy();
    });
    server = secure;
  }
  server.maxConnections = limits.maxConnections;
  server.on("drop", (dropped) => log.warn("connection.dropped", { remote: dropped?.remoteAddress }));

  return {
    server,
    close() {
      http1.keepAliveTimeout = 1;
      http1.close();
      return new Promise((resolve) => server.close(() => resolve()));
    },
    endHandshakes() {
      for (const socket of underTls) socket.destroy();
    },
  };
}

/** A call of this connection was let in: from now on it may send much at once. */
export function trust(connection: Connection): void {
  if (connection.isTrusted) return;
  connection.isTrusted = true;
  if (connection.session !== undefined) widen(connection.session);
}

function widen(session: http2.ServerHttp2Session): void {
  if (!session.destroyed) session.setLocalWindowSize(connectionWindowBytes);
}

/** A client certificate that the configured authority signed says who calls. */
function vouch(connection: Connection, socket: tls.TLSSocket): void {
  const certificate = socket.getPeerCertificate();
  if (Object.keys(certificate).length === 0) return;
  if (!socket.authorized) {
    connection.certificateError = String(socket.authorizationError);
    return;
  }
  const subject = certificate.subject?.CN ?? certificate.subjectaltname ?? certificate.fingerprint256;
  connection.principal = { kind: "certificate", name: String(subject) };
  connection.isTrusted = true;
}
