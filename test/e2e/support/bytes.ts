import { createHash, randomBytes } from "node:crypto";
import type net from "node:net";

/** Bytes that differ from place to place: a piece that is lost, doubled or moved changes the hash. */
const pattern = randomBytes(1024 * 1024);
const pieceBytes = 64 * 1024;

/** SHA-256 of the first bytes that `writeBytes` writes. */
export function hashOf(total: number): string {
  const hash = createHash("sha256");
  for (const piece of pieces(total)) hash.update(piece);
  return hash.digest("hex");
}

/** Writes so many bytes, as fast as the socket takes them. Ends early if the socket does. */
export function writeBytes(socket: net.Socket, total: number): Promise<void> {
  const left = pieces(total);
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off("drain", more).off("close", done);
      resolve();
    };
    const more = (): void => {
      for (;;) {
        const { value, done: isOver } = left.next();
        if (isOver === true) break;
        if (!socket.write(value)) return;
      }
      done();
    };
    socket.on("drain", more).once("close", done);
    more();
  });
}

/** Takes `total` bytes, or those up to the end: how many came, and their SHA-256. Rejects if the socket breaks. */
export function readBytes(
  socket: net.Socket,
  total = Number.POSITIVE_INFINITY,
): Promise<{ readonly bytes: number; readonly hash: string }> {
  const hash = createHash("sha256");
  let bytes = 0;
  return new Promise((resolve, reject) => {
    const done = (): void => resolve({ bytes, hash: hash.digest("hex") });
    const onData = (data: Buffer): void => {
      bytes += data.byteLength;
      hash.update(data);
      if (bytes < total) return;
      socket.off("data", onData);
      socket.off("end", done);
      done();
    };
    socket.on("data", onData);
    socket.once("end", done);
    socket.once("error", reject);
    socket.once("close", () => reject(new Error(`closed after ${bytes} bytes`)));
  });
}

function* pieces(total: number): Generator<Buffer> {
  let left = total;
  let turn = 0;
  while (left > 0) {
    const at = (turn * 65_537) % (pattern.byteLength - pieceBytes);
    const piece = pattern.subarray(at, at + Math.min(pieceBytes, left));
    left -= piece.byteLength;
    turn += 1;
    yield piece;
  }
}
