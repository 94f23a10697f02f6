import type { Socket } from "node:net";

const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

/** Who serves a socket once it is known what it speaks. */
export interface HttpServers {
  http1(socket: Socket): void;
  http2(socket: Socket): void;
}

/**
 * Tells HTTP/2 (with prior knowledge, as gRPC speaks it without TLS) from HTTP/1.1 by the first bytes of `socket`, and
 * hands it over with those bytes in front. A socket that ends, fails or says nothing conclusive for `timeoutMs` is
 * destroyed.
 *
 * The bytes are taken with "data" and put back once: a socket that is looked at with "readable" and given back half a
 * preface wakes up for ever. HTTP/1.1 wants the socket flowing; HTTP/2 takes what is buffered by itself and loses it
 * if it flows.
 */
export function sniff(socket: Socket, servers: HttpServers, timeoutMs: number): void {
  let held: Buffer | undefined;
  const giveUp = (): void => void socket.destroy();
  const timer = setTimeout(giveUp, timeoutMs);
  const onClose = (): void => clearTimeout(timer);
  const settle = (): void => {
    clearTimeout(timer);
    socket.off("data", onData).off("end", giveUp).off("error", giveUp).off("close", onClose);
  };
  const onData = (bytes: Buffer): void => {
    held = held === undefined ? bytes : Buffer.concat([held, bytes]);
    const known = Math.min(held.byteLength, preface.byteLength);
    const isPreface = held.compare(preface, 0, known, 0, known) === 0;
    if (isPreface && known < preface.byteLength) return;
    settle();
    socket.pause();
    socket.unshift(held);
    if (isPreface) {
      servers.http2(socket);
    } else {
      servers.http1(socket);
      socket.resume();
    }
  };
  socket.on("data", onData).on("end", giveUp).on("error", giveUp).on("close", onClose);
}
