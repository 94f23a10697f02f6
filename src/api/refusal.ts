import { Code, type ConnectError } from "@connectrpc/connect";
import { codeToHttpStatus, errorToJsonBytes } from "@connectrpc/connect/protocol-connect";
import { setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import { PortwayError } from "../base/errors.js";
import { toConnectError } from "./errors.js";
import { type ApiRequest, type ApiResponse, isHttp2 } from "./http-message.js";

/** An unread body up to this size is read and forgotten; a longer one costs an HTTP/1.1 client its connection. */
const maxDumpedBytes = 65_536;

/**
 * Answers a request that gets no further, in the form of its own protocol: a gRPC status for gRPC and gRPC-Web, the
 * JSON of a Connect error with its HTTP status for everything else. `headers` are added.
 */
export function refuse(
  request: ApiRequest,
  response: ApiResponse,
  refused: PortwayError | ConnectError,
  headers: Readonly<Record<string, string>> = {},
): void {
  const error = refused instanceof PortwayError ? toConnectError(refused) : refused;
  const all: Record<string, string> = { ...headers };
  if (!isHttp2(response) && hasLongBody(request)) all["connection"] = "close";
  const type = request.headers["content-type"] ?? "";
  if (isGrpc(type)) {
    all["content-type"] = type;
    setTrailerStatus(new Headers(), error).forEach((value, name) => {
      all[name] = value;
    });
    send(response, 200, all);
    return;
  }
  const body = errorToJsonBytes(error, undefined);
  all["content-type"] = "application/json";
  all["content-length"] = String(body.byteLength);
  if (error.code === Code.Unauthenticated) all["www-authenticate"] = "Bearer";
  send(response, httpStatusOf(refused, error), all, request.method === "HEAD" ? undefined : body);
}

function httpStatusOf(refused: PortwayError | ConnectError, error: ConnectError): number {
  if (refused instanceof PortwayError) {
    if (refused.code === "unsupported_media_type") return 415;
    if (refused.code === "unknown_method") return refused.facts["allowed"] === undefined ? 404 : 405;
  }
  return codeToHttpStatus(error.code);
}

/** Headers and end go out together: gRPC takes a status in the headers only if nothing follows them. */
function send(
  response: ApiResponse,
  status: number,
  headers: Record<string, string>,
  body?: Uint8Array,
): void {
  if (response.headersSent || response.destroyed) return;
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  if (body === undefined) response.end();
  else response.end(body as string & Uint8Array);
}

function isGrpc(contentType: string): boolean {
  return /^application\/grpc(-web)?(\+(proto|json))?$/i.test(contentType);
}

function hasLongBody({ headers }: ApiRequest): boolean {
  if (headers["transfer-encoding"] !== undefined) return true;
  return Number(headers["content-length"] ?? 0) > maxDumpedBytes;
}
