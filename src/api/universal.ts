import type { ServerResponse } from "node:http";
import { constants } from "node:http2";
import { Code, ConnectError, type ContextValues } from "@connectrpc/connect";
import type { UniversalServerRequest, UniversalServerResponse } from "@connectrpc/connect/protocol";
import { type ApiRequest, type ApiResponse, hasArrived, isHttp2 } from "./http-message.js";
import { RequestBody } from "./request-body.js";

/**
 * What the protocols read. Everything else in a request, its credentials above all, stays outside of calls; and each
 * header that is handed on costs time.
 */
const forwarded = [
  "content-type",
  "content-length",
  "content-encoding",
  "connect-protocol-version",
  "connect-content-encoding",
  "grpc-encoding",
] as const;
const timeouts = ["connect-timeout-ms", "grpc-timeout"] as const;

/**
 * A request as Connect's handlers take it. Its signal ends if the caller goes away before the answer is complete, and
 * only then: ending it each time, as Connect's own conversion does, is a tenth of the cost of a call. `read`
 * is what was read of its body already.
 */
export function toUniversalRequest(
  request: ApiRequest,
  response: ApiResponse,
  contextValues: ContextValues,
  maxDeadlineMs: number,
  read: readonly Uint8Array[],
): UniversalServerRequest & { readonly body: RequestBody } {
  const { headers } = request;
  const header = new Headers();
  for (const name of forwarded) {
    const value = headers[name];
    if (typeof value === "string") header.set(name, value);
  }
  for (const name of timeouts) {
    const value = headers[name];
    if (typeof value === "string") header.set(name, capped(value, maxDeadlineMs));
  }
  const caller = new AbortController();
  response.once("close", () => {
    if (!response.writableEnded) caller.abort(whyGone(response));
  });
  return {
    httpVersion: request.httpVersion,
    method: request.method ?? "",
    // The host was checked, and nobody asks for it again.
    url: `http://localhost${request.url ?? ""}`,
    header,
    body: new RequestBody(request, response, read),
    signal: caller.signal,
    contextValues,
  };
}

const unitMs = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 } as const;

/**
 * A timeout as Connect (milliseconds) or gRPC (a number and a unit) writes it, cut to what a timer can hold and a server
 * should wait. What is no timeout stays as it is, to be refused by the protocol.
 */
function capped(timeout: string, maxMs: number): string {
  const askedMs = timeoutMsOf(timeout);
  if (askedMs === undefined || askedMs <= maxMs) return timeout;
  return /[HMSmun]$/.test(timeout) ? `${maxMs}m` : String(maxMs);
}

/** Undefined for what is no timeout. */
export function timeoutMsOf(timeout: string): number | undefined {
  const match = /^(\d{1,10})([HMSmun])?$/.exec(timeout);
  if (match === null) return undefined;
  const [, amount, unit] = match;
  return Number(amount) * (unit === undefined ? 1 : unitMs[unit as keyof typeof unitMs]);
}

export function whyGone(response: ApiResponse): ConnectError {
  if (isHttp2(response) && response.stream?.rstCode === constants.NGHTTP2_REFUSED_STREAM) {
    return new ConnectError("the caller refused the stream", Code.Unavailable);
  }
  return new ConnectError("the caller went away", Code.Canceled);
}

/** Sends the answer of a unary method in one piece. What was not read of `asked` will not be. */
export async function sendUnary(
  answer: UniversalServerResponse,
  response: ApiResponse,
  asked: RequestBody,
): Promise<void> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of answer.body ?? []) chunks.push(chunk);
  if (response.destroyed) return;
  await asked.dump();
  if (response.destroyed) return;
  // The two kinds of response differ in nothing that is used here but the types.
  const out = response as ServerResponse;
  out.writeHead(answer.status, toNodeHeaders(answer.header));
  // Known only now that the body is.
  const { trailer } = answer;
  if (trailer !== undefined) out.addTrailers(toNodeHeaders(trailer));
  out.end(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks));
}

/**
 * Sends the answers of a streaming method as they come. The next one is asked for when the client has taken enough of
 * those before: at most one message and what Node buffers wait here.
 */
export async function sendStream(
  answer: UniversalServerResponse,
  response: ApiResponse,
  asked: RequestBody,
): Promise<void> {
  const out = response as ServerResponse;
  const chunks = answer.body?.[Symbol.asyncIterator]();
  try {
    let chunk = await chunks?.next();
    if (isGone(response)) return;
    out.writeHead(answer.status, toNodeHeaders(answer.header));
    while (chunk !== undefined && chunk.done !== true) {
      if (!out.write(chunk.value)) await writable(response);
      if (isGone(response)) return;
      chunk = await chunks!.next();
      if (isGone(response)) return;
    }
    // Known only now that the body is.
    const { trailer } = answer;
    if (trailer !== undefined) out.addTrailers(toNodeHeaders(trailer));
    asked.forget();
    out.end();
  } finally {
    // Ends the handler of a caller that is gone; a handler that has ended does not hear it.
    chunks?.return?.().then(undefined, () => {});
  }
}

/**
 * Ends an HTTP/2 stream whose answer is out and whose request is not: the client hears that it need not send the rest.
 * Does nothing before the answer is out, because an end then would overtake it. Tells whether there was something to do.
 */
export function dismiss(request: ApiRequest, response: ApiResponse): boolean {
  if (!isHttp2(response) || hasArrived(request)) return false;
  const { stream } = response;
  if (stream === undefined || stream.destroyed || stream.closed) return false;
  if (!stream.writableFinished || stream.state.localClose !== 1) return false;
  stream.close(constants.NGHTTP2_NO_ERROR);
  return true;
}

function isGone(response: ApiResponse): boolean {
  if (!isHttp2(response)) return response.destroyed;
  const { stream } = response;
  return stream === undefined || stream.destroyed || stream.closed;
}

/** Resolves when the response takes more, or never will. */
function writable(response: ApiResponse): Promise<void> {
  if (isGone(response)) return Promise.resolve();
  return new Promise((resolve) => {
    const settle = (): void => {
      response.off("drain", settle).off("close", settle);
      resolve();
    };
    response.on("drain", settle).on("close", settle);
  });
}

export function toNodeHeaders(headers: Headers | undefined): Record<string, string> {
  const node: Record<string, string> = {};
  headers?.forEach((value, name) => {
    node[name] = value;
  });
  return node;
}
