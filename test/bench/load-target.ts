import { type Endpoint, type LoadSocket, listen } from "./load-sockets.js";

const zeros = Buffer.alloc(256 * 1024);

/**
 * Serves what a tunnel leads to. The first byte of a connection says what it is for: `E` echoes, `S` and 8 bytes of
 * count sends so many bytes, `K` and 8 bytes of count takes so many and answers `ok`. The client closes first.
 */
export function serveTarget(endpoint: Endpoint): { readonly port: number; close(): void } {
  return listen(endpoint, readHead);
}

function readHead(socket: LoadSocket): void {
  let head: Buffer = Buffer.alloc(0);
  socket.onRead = (bytes) => {
    if (head.byteLength === 0 && bytes[0] === 0x45 /* E */) {
      echo(socket, bytes.subarray(1));
      return;
    }
    head = Buffer.concat([head, bytes]);
    if (head.byteLength < 9) return;
    const count = Number(head.readBigUInt64BE(1));
    const rest = head.byteLength - 9;
    if (head[0] === 0x53 /* S */) send(socket, count);
    else if (head[0] === 0x4b /* K */) take(socket, count - rest);
    else socket.close();
  };
}

function echo(socket: LoadSocket, first: Buffer): void {
  socket.onRead = (bytes) => {
    // Copied: others read into the buffer, perhaps before the kernel has taken all.
    if (!socket.write(Buffer.from(bytes), () => socket.resume())) socket.pause();
  };
  if (first.byteLength > 0) socket.onRead(first);
}

function send(socket: LoadSocket, count: number): void {
  socket.onRead = () => {};
  let left = count;
  const next = (): void => {
    while (left > 0) {
      const part = left < zeros.byteLength ? zeros.subarray(0, left) : zeros;
      left -= part.byteLength;
      if (!socket.write(part, next)) return;
    }
  };
  next();
}

function take(socket: LoadSocket, count: number): void {
  let left = count;
  const taken = (): void => {
    if (left <= 0) socket.write(Buffer.from("ok"), () => {});
  };
  socket.onRead = (bytes) => {
    left -= bytes.byteLength;
    taken();
  };
  taken();
}
