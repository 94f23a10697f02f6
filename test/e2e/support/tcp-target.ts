import { once } from "node:events";
import http from "node:http";
import net from "node:net";
import { readBytes, writeBytes } from "./bytes.js";

export type Serve = (socket: net.Socket) => unknown;

/** A TCP server of this process that a portal leads to. */
export class TcpTarget implements AsyncDisposable {
  /** Those that are open. */
  readonly sockets = new Set<net.Socket>();
  readonly port: number;
  readonly #server: net.Server;
  accepted = 0;

  private constructor(server: net.Server) {
    this.#server = server;
    this.port = (server.address() as net.AddressInfo).port;
    server.on("connection", (socket: net.Socket) => {
      this.accepted += 1;
      this.sockets.add(socket);
      socket.on("error", () => {});
      socket.once("close", () => this.sockets.delete(socket));
    });
  }

  static async listen(serve: Serve, port = 0): Promise<TcpTarget> {
    const server = net.createServer((socket) => void serve(socket));
    return new TcpTarget(await listening(server, port));
  }

  /** An HTTP server. */
  static async http(body: string): Promise<TcpTarget> {
    return new TcpTarget(
      await listening(
        http.createServer((_, response) => response.end(body)),
        0,
      ),
    );
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }
}

async function listening<S extends net.Server>(server: S, port: number): Promise<S> {
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return server;
}

/** What a target does with a connection. */
export const behaviours = {
  echoes: (socket: net.Socket) => socket.pipe(socket),
  /** Sends so many bytes, then closes. */
  sends: (bytes: number) => async (socket: net.Socket) => {
    socket.resume();
    await writeBytes(socket, bytes);
    socket.end();
  },
  /** Takes so many bytes and answers with their SHA-256. */
  takes: (bytes: number) => async (socket: net.Socket) => {
    socket.end((await readBytes(socket, bytes)).hash);
  },
  closesFirst: (socket: net.Socket) => socket.end("that is all"),
  neverReads: (socket: net.Socket) => socket.pause(),
} as const;
