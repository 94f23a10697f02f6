import type { IncomingHttpHeaders } from "node:http";
import type { ServerHttp2Stream } from "node:http2";
import type { ConnectError } from "@connectrpc/connect";
import { codeToHttpStatus, errorToJsonBytes } from "@connectrpc/connect/protocol-connect";
import { setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import { envelopeBytes, envelopeOf } from "./envelope.js";
import { toNodeHeaders } from "./universal.js";

/** Headers that a method or an interceptor has added; undefined where it added none. */
export interface AddedHeaders {
  readonly header: Headers | undefined;
  readonly trailer: Headers | undefined;
}

/** How a protocol puts a unary call, in binary and not compressed, into a stream of HTTP/2. */
export interface UnaryWire {
  readonly protocolName: "grpc" | "connect";
  /** In front of a message. */
  readonly envelopeBytes: number;
  /** True for a POST that is said to be such a call. */
  isSpokenIn(headers: IncomingHttpHeaders): boolean;
  /** What is asked for as the deadline; undefined for none. */
  readonly timeoutHeader: string;
  readonly timeout: RegExp;
  /** The bytes of the message; undefined if the body is anything but one message. */
  unwrap(body: Uint8Array): Uint8Array | undefined;
  /** Sends what stands in front of an answer, and gives what it ends with. */
  answer(stream: ServerHttp2Stream, message: Uint8Array, added: AddedHeaders): Uint8Array;
  fail(stream: ServerHttp2Stream, error: ConnectError, added: AddedHeaders): void;
}

const grpcType = "application/grpc+proto";
const connectType = "application/proto";

const grpcWire: UnaryWire = {
  protocolName: "grpc",
  envelopeBytes,
  isSpokenIn(headers) {
    const type = headers["content-type"];
    return (type === "application/grpc" || type === grpcType) && isIdentity(headers["grpc-encoding"]);
  },
  timeoutHeader: "grpc-timeout",
  timeout: /^\d{1,8}[HMSmun]$/,
  unwrap(body) {
    if (body.length < envelopeBytes || body[0] !== 0) return undefined;
    const length = new DataView(body.buffer, body.byteOffset).getUint32(1);
    return length === body.length - envelopeBytes ? body.subarray(envelopeBytes) : undefined;
  },
  answer(stream, message, { header, trailer }) {
    const headers = { ...toNodeHeaders(header), ":status": 200, "content-type": grpcType };
    stream.respond(headers, { waitForTrailers: true });
    stream.once("wantTrailers", () => {
      stream.sendTrailers({ ...toNodeHeaders(trailer), "grpc-status": "0" });
    });
    return envelopeOf(0, message);
  },
  fail(stream, error, { header, trailer }) {
    // gRPC takes a status in the headers only if nothing follows them, so they leave together with the end.
    const headers = setTrailerStatus(new Headers(header), error);
    for (const [name, value] of trailer ?? []) headers.append(name, value);
    const told = { ...toNodeHeaders(headers), ":status": 200, "content-type": grpcType };
    stream.respond(told, { endStream: true });
  },
};

const connectWire: UnaryWire = {
  protocolName: "connect",
  envelopeBytes: 0,
  isSpokenIn(headers) {
    return headers["content-type"] === connectType && isIdentity(headers["content-encoding"]);
  },
  timeoutHeader: "connect-timeout-ms",
  timeout: /^\d{1,10}$/,
  unwrap: (body) => body,
  answer(stream, message, added) {
    respond(stream, 200, connectHeaders(added), connectType, message);
    return message;
  },
  fail(stream, error, added) {
    const headers = connectHeaders(added);
    for (const [name, value] of error.metadata) headers[name] = value;
    const body = errorToJsonBytes(error, undefined);
    respond(stream, codeToHttpStatus(error.code), headers, "application/json", body);
    stream.end(body);
  },
};

export const unaryWires = [grpcWire, connectWire];

function isIdentity(encoding: string | readonly string[] | undefined): boolean {
  return encoding === undefined || encoding === "identity";
}

/** Connect's unary calls have no trailers: what would be in them stands in the headers, with a mark. */
function connectHeaders({ header, trailer }: AddedHeaders): Record<string, string> {
  const headers = toNodeHeaders(header);
  for (const [name, value] of trailer ?? []) headers[`trailer-${name}`] = value;
  return headers;
}

function respond(
  stream: ServerHttp2Stream,
  status: number,
  headers: Record<string, string>,
  type: string,
  body: Uint8Array,
): void {
  stream.respond({ ...headers, ":status": status, "content-type": type, "content-length": body.length });
}
