import { mkdtempSync, rmSync } from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What the fake daemon was asked. */
export interface Asked {
  readonly path: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
}

export type Answer = (asked: Asked, response: http.ServerResponse) => void;

export interface FakeDaemon extends AsyncDisposable {
  readonly socketPath: string;
  /** The same over TCP. */
  readonly baseUrl: string;
  readonly asked: readonly Asked[];
}

/** Serves a Unix socket of its own, and a TCP port, and gives the answers in turn, the last one again and again. */
export async function fakeDaemon(...answers: readonly Answer[]): Promise<FakeDaemon> {
  const directory = mkdtempSync(join(tmpdir(), "portway-client-"));
  const socketPath = join(directory, "api.sock");
  const asked: Asked[] = [];
  const answer = (request: http.IncomingMessage, response: http.ServerResponse): void => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const one = { path: request.url ?? "", headers: request.headers, body: Buffer.concat(chunks) };
      asked.push(one);
      answers[Math.min(asked.length, answers.length) - 1]?.(one, response);
    });
  };
  const servers = [http.createServer(answer), http.createServer(answer)] as const;
  const [unix, tcp] = servers;
  await new Promise<void>((resolve) => unix.listen(socketPath, resolve));
  await new Promise<void>((resolve) => tcp.listen(0, "127.0.0.1", resolve));
  return {
    socketPath,
    baseUrl: `http://127.0.0.1:${(tcp.address() as AddressInfo).port}`,
    asked,
    async [Symbol.asyncDispose]() {
      for (const server of servers) {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
      rmSync(directory, { recursive: true });
    },
  };
}

export function answerProto(bytes: Uint8Array): Answer {
  return (_asked, response) => {
    response.writeHead(200, { "content-type": "application/proto" });
    response.end(bytes);
  };
}

export function answerError(status: number, error: object): Answer {
  return (_asked, response) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(error));
  };
}

/** A stream of messages in envelopes, and how it ends: with an error, well (null), or not at all. */
export function answerStream(messages: readonly Uint8Array[], end?: object | null): Answer {
  return (_asked, response) => {
    response.writeHead(200, { "content-type": "application/connect+proto" });
    for (const message of messages) response.write(envelope(0, message));
    if (end === undefined) return;
    response.end(envelope(2, Buffer.from(JSON.stringify(end === null ? {} : { error: end }))));
  };
}

export function envelope(flags: number, message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(flags);
  head.writeUInt32BE(message.byteLength, 1);
  return Buffer.concat([head, message]);
}
