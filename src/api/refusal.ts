import { Code, type ConnectError } from "@connectrpc/connect";
import { codeToHttpStatus, errorToJsonBytes } from "@connectrpc/connect/protocol-connect";
import { setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import { PortwayError } from "../base/errors.js";
import { endOfConnectStream } from "./completion.js";
import { type CompleteError, completeError, toConnectError } from "./errors.js";
import type { Exchange } from "./exchange.js";
import { dumpBody } from "./request-body.js";

/**
 * Answers a request that gets no further, in the form of its own protocol: a gRPC status for gRPC and gRPC-Web, the end
 * of a stream for Connect's streams, the JSON of a Connect error with its HTTP status for everything else. `headers` are
 * added.
 *
 * A method or a content type that HTTP itself refuses (405, 415) is no call yet, so there is no call to fail: the same
 * JSON is told as a problem (RFC 9457), and a Connect client goes by the status.
 */
export function refuse(
  exchange: Exchange,
  refused: PortwayError | ConnectError,
  headers: Readonly<Record<string, string>> = {},
  complete: CompleteError = completeError,
): void {
  const error = complete(refused instanceof PortwayError ? toConnectError(refused) : refused);
  const all: Record<string, string> = { ...headers };
  const type = exchange.headers["content-type"] ?? "";
  if (isGrpc(type)) {
    all["content-type"] = type;
    setTrailerStatus(new Headers(), error).forEach((value, name) => {
      all[name] = value;
    });
    send(exchange, 200, all);
    return;
  }
  if (isConnectStream(type) && !isNoMethod(refused)) {
    const body = endOfConnectStream(error);
    all["content-type"] = type;
    all["content-length"] = String(body.byteLength);
    send(exchange, 200, all, body);
    return;
  }
  const body = errorToJsonBytes(error, undefined);
  const status = httpStatusOf(refused, error);
  all["content-type"] = status === 405 || status === 415 ? "application/problem+json" : "application/json";
  all["content-length"] = String(body.byteLength);
  if (error.code === Code.Unauthenticated) all["www-authenticate"] = "Bearer";
  send(exchange, status, all, exchange.method === "HEAD" ? undefined : body);
}

function httpStatusOf(refused: PortwayError | ConnectError, error: ConnectError): number {
  if (refused instanceof PortwayError) {
    if (refused.code === "unsupported_media_type") return 415;
    if (refused.code === "unknown_method") return refused.facts["allowed"] === undefined ? 404 : 405;
  }
  return codeToHttpStatus(error.code);
}

/** Headers and end go out together: gRPC takes a status in the headers only if nothing follows them. */
function send(exchange: Exchange, status: number, headers: Record<string, string>, body?: Uint8Array): void {
  const { response } = exchange.open();
  const answer = (): void => {
    if (response.headersSent || response.destroyed) return;
    response.statusCode = status;
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    if (body === undefined) response.end();
    else response.end(body);
  };
  dumpBody(exchange)
    .then(answer)
    .catch(() => response.destroy());
}

/** Whatever the codec: whoever names one that is not spoken here still waits for a gRPC status. */
function isGrpc(contentType: string): boolean {
  return /^application\/grpc(-web)?(\+[\w.-]+)?$/i.test(contentType);
}

function isConnectStream(contentType: string): boolean {
  return /^application\/connect\+(proto|json)$/i.test(contentType);
}

/** What is no stream of ours is answered as HTTP does: a client of Connect's streams knows these by their status. */
function isNoMethod(refused: PortwayError | ConnectError): boolean {
  return (
    refused instanceof PortwayError &&
    (refused.code === "unsupported_media_type" || refused.code === "unknown_method")
  );
}
