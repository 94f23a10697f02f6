import http from "node:http";
import type { ClientHttp2Session, ClientHttp2Stream } from "node:http2";
import net from "node:net";
import { fromBinary } from "@bufbuild/protobuf";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.js";
import { envelopeOf } from "../../src/api/envelope.js";

export interface RawAnswer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

export interface RawRequest {
  /** `ip:port`, or the path of a Unix socket. */
  readonly at: string;
  readonly path: string;
  readonly method?: string;
  readonly headers?: http.OutgoingHttpHeaders;
  readonly body?: string | Buffer;
}

/** One HTTP/1.1 request on a connection of its own, with exactly these headers and what HTTP needs. */
export function rawRequest({
  at,
  path,
  method = "POST",
  headers = {},
  body,
}: RawRequest): Promise<RawAnswer> {
  const [host = "", port] = at.startsWith("/") ? [] : at.split(":");
  const where = at.startsWith("/") ? { socketPath: at } : { host, port: Number(port) };
  return new Promise((resolve, reject) => {
    const request = http.request({ ...where, path, method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks).toString(),
        }),
      );
    });
    request.on("error", reject);
    request.end(body);
  });
}

export interface GrpcRequest {
  readonly token: string;
  /** `NodeService/WatchNodes`. */
  readonly method: string;
  readonly message: Uint8Array;
}

/** A gRPC call with one message, of whose answer nothing is read by itself. */
export function grpcRequest(
  session: ClientHttp2Session,
  { token, method, message }: GrpcRequest,
): ClientHttp2Stream {
  const stream = session.request({
    ":method": "POST",
    ":path": `/portway.v1.${method}`,
    authorization: `Bearer ${token}`,
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.end(envelopeOf(0, message));
  return stream;
}

/** The reasons of the ErrorInfos in the JSON of a Connect error. */
export function reasonsIn(body: string): string[] {
  const { details = [] } = JSON.parse(body) as { details?: { type: string; value: string }[] };
  return details
    .filter(({ type }) => type === "google.rpc.ErrorInfo")
    .map(({ value }) => fromBinary(ErrorInfoSchema, Buffer.from(value, "base64")).reason);
}

/** A socket that keeps what it got. */
export class RawSocket {
  readonly socket: net.Socket;
  readonly #chunks: Buffer[] = [];
  readonly #closed: Promise<void>;

  constructor(at: string) {
    const [host = "", port] = at.split(":");
    this.socket = at.startsWith("/") ? net.connect(at) : net.connect({ host, port: Number(port) });
    this.socket.setNoDelay(true);
    this.socket.on("data", (chunk) => this.#chunks.push(chunk));
    this.socket.on("error", () => {});
    this.#closed = new Promise((resolve) => this.socket.once("close", () => resolve()));
  }

  get received(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  /** Writes one byte after the other, each in a packet of its own as far as that can be told. */
  async writeByByte(bytes: Buffer): Promise<void> {
    for (const byte of bytes) {
      await new Promise((resolve) => this.socket.write(Uint8Array.of(byte), resolve));
      await new Promise(setImmediate);
    }
  }

  /** Waits until what was received contains `text`. */
  async until(text: string): Promise<string> {
    while (!this.received.includes(text, 0, "latin1")) {
      await Promise.race([
        new Promise((resolve) => this.socket.once("data", resolve)),
        this.#closed.then(() => {
          throw new Error(`closed before "${text}": ${this.received.toString("latin1")}`);
        }),
      ]);
    }
    return this.received.toString("latin1");
  }

  /** Waits until the other side has closed. */
  closed(): Promise<void> {
    return this.#closed;
  }
}
