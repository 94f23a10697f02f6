import http2 from "node:http2";
import net from "node:net";

const callTimeoutMs = 30_000;

/**
 * Calls unary methods with the Connect protocol over HTTP/2 on a Unix socket, with ready-made bytes: as little work as
 * a client can do, so that a run measures the server.
 */
export class UnaryClient implements Disposable {
  readonly #session: http2.ClientHttp2Session;

  constructor(socketPath: string) {
    this.#session = http2.connect("http://localhost", { createConnection: () => net.connect(socketPath) });
    this.#session.on("error", () => {}); // each call that is under way hears of it
  }

  /** `path` is `/package.Service/Method`. Gives the response message's bytes; rejects if it is no success. */
  call(path: string, body: Uint8Array): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const stream = this.#session.request({
        ":method": "POST",
        ":path": path,
        "content-type": "application/proto",
        "connect-protocol-version": "1",
        "connect-timeout-ms": String(callTimeoutMs),
      });
      const parts: Buffer[] = [];
      let status = 0;
      stream.on("response", (headers) => {
        status = headers[":status"] ?? 0;
      });
      stream.on("data", (bytes: Buffer) => parts.push(bytes));
      stream.on("error", reject);
      stream.on("end", () => {
        const all = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
        if (status === 200) resolve(all);
        else reject(new Error(`${path}: ${status} ${all.toString("utf8").slice(0, 300)}`));
      });
      stream.end(body);
    });
  }

  [Symbol.dispose](): void {
    this.#session.destroy();
  }
}

const grpcHeadBytes = 5;

/** The same over native gRPC, in the clear on loopback TCP, with a token. */
export class GrpcClient implements Disposable {
  readonly #session: http2.ClientHttp2Session;
  readonly #authorization: string;

  constructor(port: number, token: string) {
    this.#session = http2.connect(`http://127.0.0.1:${port}`);
    this.#session.on("error", () => {}); // each call that is under way hears of it
    this.#authorization = `Bearer ${token}`;
  }

  call(path: string, body: Uint8Array): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const stream = this.#session.request({
        ":method": "POST",
        ":path": path,
        "content-type": "application/grpc",
        te: "trailers",
        authorization: this.#authorization,
      });
      const parts: Buffer[] = [];
      let trailers: http2.IncomingHttpHeaders = {};
      stream.on("response", (headers) => {
        trailers = headers;
      });
      stream.on("trailers", (headers) => {
        trailers = headers;
      });
      stream.on("data", (bytes: Buffer) => parts.push(bytes));
      stream.on("error", reject);
      stream.on("end", () => {
        const all = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
        if (trailers["grpc-status"] === "0") resolve(all.subarray(grpcHeadBytes));
        else reject(new Error(`${path}: ${trailers["grpc-status"]} ${trailers["grpc-message"]}`));
      });
      const head = Buffer.alloc(grpcHeadBytes);
      head.writeUInt32BE(body.length, 1);
      stream.end(Buffer.concat([head, body]));
    });
  }

  [Symbol.dispose](): void {
    this.#session.destroy();
  }
}

export interface Caller {
  call(path: string, body: Uint8Array): Promise<Buffer>;
}

export interface Calls {
  readonly perSecond: number;
  /** Milliseconds of each call, sorted. */
  readonly times: Float64Array;
}

/** Makes `count` calls, `inFlight` at a time. */
export async function callMany(
  client: Caller,
  path: string,
  body: Uint8Array,
  { count, inFlight }: { readonly count: number; readonly inFlight: number },
): Promise<Calls> {
  const times = new Float64Array(count);
  let begun = 0;
  const started = performance.now();
  const work = async (): Promise<void> => {
    while (begun < count) {
      const at = begun;
      begun += 1;
      const sent = performance.now();
      await client.call(path, body);
      times[at] = performance.now() - sent;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, work));
  const seconds = (performance.now() - started) / 1000;
  return { perSecond: count / seconds, times: times.sort() };
}

/** Calls one after the other, with a pause between them, until `until` settles. Gives the sorted milliseconds. */
export async function callUntil(
  client: UnaryClient,
  path: string,
  body: Uint8Array,
  until: Promise<unknown>,
): Promise<Float64Array> {
  const pauseMs = 2;
  const times: number[] = [];
  let isOver = false;
  const over = until.finally(() => {
    isOver = true;
  });
  over.catch(() => {}); // the caller awaits it
  while (!isOver) {
    const sent = performance.now();
    await client.call(path, body);
    times.push(performance.now() - sent);
    await new Promise((resume) => setTimeout(resume, pauseMs));
  }
  return Float64Array.from(times).sort();
}

export function percentile(sorted: Float64Array, part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}
