import { mkdtempSync, rmSync } from "node:fs";
import http from "node:http";
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
  readonly asked: readonly Asked[];
}

/** Serves a Unix socket of its own and gives the answers in turn, the last one again and again. */
export async function fakeDaemon(...answers: readonly Answer[]): Promise<FakeDaemon> {
  const directory = mkdtempSync(join(tmpdir(), "portway-client-"));
  const socketPath = join(directory, "api.sock");
  const asked: Asked[] = [];
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const one = { path: request.url ?? "", headers: request.headers, body: Buffer.concat(chunks) };
      asked.push(one);
      answers[Math.min(asked.length, answers.length) - 1]?.(one, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  return {
    socketPath,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
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
