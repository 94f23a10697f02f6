import net from "node:net";

const connectTimeoutMs = 10_000;

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** `bytes` is a view of a buffer that is read into again as soon as the call returns. */
export type OnRead = (bytes: Buffer) => void;

export function parseEndpoint(text: string): Endpoint {
  const at = text.lastIndexOf(":");
  const port = Number(text.slice(at + 1));
  if (at <= 0 || !Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new Error(`"${text}" is no HOST:PORT`);
  }
  return { host: text.slice(0, at), port };
}

/** Connects; what arrives is read into `buffer`, which sockets may share. Rejects after 10 s. */
export function dial(endpoint: Endpoint, buffer: Buffer, onRead: OnRead): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({
      host: endpoint.host,
      port: endpoint.port,
      noDelay: true,
      onread: {
        buffer,
        callback: (length) => {
          onRead(buffer.subarray(0, length));
          return true;
        },
      },
    });
    const timer = setTimeout(() => socket.destroy(new Error("no connection in 10 s")), connectTimeoutMs);
    socket.once("error", reject);
    socket.once("close", () => {
      clearTimeout(timer);
      reject(new Error("closed before it was connected"));
    });
    socket.once("connect", () => {
      clearTimeout(timer);
      resolve(socket);
    });
  });
}

interface ServerHandle {
  onconnection?: (error: number, handle: object | undefined) => void;
}

/**
 * Listens, and gives each connection a buffer to read into: `accept` gets the socket, paused, and answers with the
 * buffer and who takes what is read. Accepted sockets have no `onread` option, so the handle is put into a socket that
 * has one; a Node without such handles reads with events, which costs more CPU and is no less right.
 */
export function listen(
  endpoint: Endpoint,
  accept: (connection: Accepted) => void,
): Promise<{ readonly port: number; close(): void }> {
  const server = net.createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    const connection = new Accepted(socket);
    socket.on("data", (bytes: Buffer) => connection.onRead(bytes));
    accept(connection);
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host: endpoint.host, port: endpoint.port, backlog: 4096 }, () => {
      const handle = (server as unknown as { _handle?: ServerHandle })._handle;
      if (typeof handle?.onconnection === "function") {
        handle.onconnection = (error, client) => {
          if (error === 0 && client !== undefined) accept(acceptHandle(client));
        };
      }
      resolve({ port: (server.address() as net.AddressInfo).port, close: () => server.close() });
    });
  });
}

/** A connection that was accepted. `onRead` may be replaced at any time. */
export class Accepted {
  readonly socket: net.Socket;
  onRead: OnRead = () => {};

  constructor(socket: net.Socket) {
    this.socket = socket;
  }
}

const smallReads = Buffer.allocUnsafeSlow(256 * 1024);

function acceptHandle(handle: object): Accepted {
  let connection: Accepted | undefined;
  const onread: net.OnReadOpts = {
    buffer: smallReads,
    callback: (length) => {
      connection?.onRead(smallReads.subarray(0, length));
      return true;
    },
  };
  const options = { handle, allowHalfOpen: true, manualStart: true, pauseOnCreate: true, onread };
  const socket = new net.Socket(options as net.SocketConstructorOpts);
  socket.setNoDelay(true);
  connection = new Accepted(socket);
  socket.resume();
  return connection;
}
