import type { Accepted, Endpoint } from "./load-sockets.js";
import { listen } from "./load-sockets.js";

const zeros = Buffer.alloc(256 * 1024);

/**
 * Serves what a tunnel leads to. The first byte of a connection says what it is for: `E` echoes, `S` and 8 bytes of
 * count sends so many bytes, `K` and 8 bytes of count takes so many and answers `ok`. The client closes first.
 */
export function serveTarget(endpoint: Endpoint): Promise<{ readonly port: number; close(): void }> {
  return listen(endpoint, (connection) => {
    connection.socket.on("error", () => connection.socket.destroy());
    connection.socket.on("end", () => connection.socket.end());
    readHead(connection);
  });
}

function readHead(connection: Accepted): void {
  let head: Buffer = Buffer.alloc(0);
  connection.onRead = (bytes) => {
    if (head.byteLength === 0 && bytes[0] === 0x45 /* E */) {
      echo(connection, bytes.subarray(1));
      return;
    }
    head = Buffer.concat([head, bytes]);
    if (head.byteLength < 9) return;
    const count = Number(head.readBigUInt64BE(1));
    const rest = head.byteLength - 9;
    if (head[0] === 0x53 /* S */) send(connection, count);
    else if (head[0] === 0x4b /* K */) take(connection, count - rest);
    else connection.socket.destroy();
  };
}

function echo(connection: Accepted, first: Buffer): void {
  const { socket } = connection;
  // copied: what the kernel does not take at once must not be read over
  if (first.byteLength > 0) socket.write(Buffer.from(first));
  connection.onRead = (bytes) => {
    if (socket.write(Buffer.from(bytes)) || socket.writableLength < 4 * 1024 * 1024) return;
    socket.pause();
    socket.once("drain", () => socket.resume());
  };
}

function send(connection: Accepted, count: number): void {
  const { socket } = connection;
  connection.onRead = () => {};
  let left = count;
  const next = (error?: Error | null): void => {
    if (error || left <= 0 || socket.destroyed) return;
    const part = left < zeros.byteLength ? zeros.subarray(0, left) : zeros;
    left -= part.byteLength;
    socket.write(part, next);
  };
  next();
}

function take(connection: Accepted, count: number): void {
  let left = count;
  const taken = (): void => {
    if (left <= 0) connection.socket.write("ok");
  };
  connection.onRead = (bytes) => {
    left -= bytes.byteLength;
    taken();
  };
  taken();
}
