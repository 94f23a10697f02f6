import http2 from "node:http2";
import net from "node:net";
import { envelopeBytes, envelopeOf } from "../../src/api/envelope.js";

const callTimeoutMs = 30_000;

type Told = http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader;

/** What a client of one protocol says of a call, and makes of its answer. */
interface Protocol {
  readonly headers: http2.OutgoingHttpHeaders;
  request(body: Uint8Array): Uint8Array;
  /** Throws what the call failed with. `told` are the last headers or trailers. */
  answer(told: Told, body: Buffer): Buffer;
}

/**
 * Calls unary methods over HTTP/2, with ready-made bytes: as little work as a client can do, so that a run measures the
 * server.
 */
export class UnaryClient implements Disposable {
  readonly #session: http2.ClientHttp2Session;
  readonly #protocol: Protocol;

  private constructor(session: http2.ClientHttp2Session, protocol: Protocol) {
    this.#session = session;
    this.#session.on("error", () => {}); // each call that is under way hears of it
    this.#protocol = protocol;
  }

  /** The Connect protocol on a Unix socket. */
  static connect(socketPath: string): UnaryClient {
    const createConnection = () => net.connect(socketPath);
    return new UnaryClient(http2.connect("http://localhost", { createConnection }), connectProtocol);
  }

  /** Native gRPC, in the clear on loopback TCP, with a token. */
  static grpc(port: number, token: string): UnaryClient {
    return new UnaryClient(http2.connect(`http://127.0.0.1:${port}`), grpcProtocol(token));
  }

  /** `path` is `/package.Service/Method`. Gives the response message's bytes; rejects if it is no success. */
  call(path: string, body: Uint8Array): Promise<Buffer> {
    const { headers, request, answer } = this.#protocol;
    return new Promise((resolve, reject) => {
      const stream = this.#session.request({ ":method": "POST", ":path": path, ...headers });
      const parts: Buffer[] = [];
      let told: Told = {};
      const keep = (given: Told): void => {
        told = given;
      };
      stream.on("response", keep);
      stream.on("trailers", keep);
      stream.on("data", (bytes: Buffer) => parts.push(bytes));
      stream.on("error", reject);
      stream.on("end", () => {
        try {
          resolve(answer(told, parts.length === 1 ? parts[0]! : Buffer.concat(parts)));
        } catch (error) {
          reject(error);
        }
      });
      stream.end(request(body));
    });
  }

  [Symbol.dispose](): void {
    this.#session.destroy();
  }
}

const connectProtocol: Protocol = {
  headers: {
    "content-type": "application/proto",
    "connect-protocol-version": "1",
    "connect-timeout-ms": String(callTimeoutMs),
  },
  request: (body) => body,
  answer(told, body) {
    if (told[":status"] === 200) return body;
    throw new Error(`${told[":status"]} ${body.toString("utf8").slice(0, 300)}`);
  },
};

const grpcProtocol = (token: string): Protocol => ({
  headers: { "content-type": "application/grpc", te: "trailers", authorization: `Bearer ${token}` },
  request: (body) => envelopeOf(0, body),
  answer(told, body) {
    if (told["grpc-status"] === "0") return body.subarray(envelopeBytes);
    throw new Error(`gRPC status ${told["grpc-status"]}: ${told["grpc-message"]}`);
  },
});

export interface Calls {
  readonly perSecond: number;
  /** Milliseconds of each call, sorted. */
  readonly times: Float64Array;
}

/** Makes `count` calls, `inFlight` at a time. */
export async function callMany(
  client: UnaryClient,
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
