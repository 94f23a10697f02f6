import type { Writable } from "node:stream";
import { Code, ConnectError, type ContextValues } from "@connectrpc/connect";
import type { UniversalServerRequest, UniversalServerResponse } from "@connectrpc/connect/protocol";
import { type Exchange, whyGone } from "./exchange.js";
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
 * A request as Connect's handlers take it. Its signal ends if the caller goes away before the answer is complete, or the
 * server gives up, and only then: ending it each time, as Connect's own conversion does, is a tenth of the cost of a
 * call. `read` is what was read of its body already.
 */
export function toUniversalRequest(
  exchange: Exchange,
  contextValues: ContextValues,
  maxDeadlineMs: number,
  read: readonly Uint8Array[],
): UniversalServerRequest & { readonly body: RequestBody } {
  const { headers, method, url } = exchange;
  const { request, response } = exchange.open();
  const header = new Headers();
  for (const name of forwarded) {
    const value = headers[name];
    if (typeof value === "string") header.set(name, value);
  }
  for (const name of timeouts) {
    const value = headers[name];
    if (typeof value === "string") header.set(name, capped(value, maxDeadlineMs));
  }
  const body = new RequestBody(exchange, read);
  const caller = new AbortController();
  exchange.serving = caller;
  // Connect heeds neither of these while it waits for a message.
  caller.signal.addEventListener("abort", () => body.fail(caller.signal.reason), { once: true });
  if (!exchange.hasArrived) failAtDeadline(body, exchange, header);
  exchange.onClose(() => {
    if (!response.writableEnded) caller.abort(whyGone(exchange));
  });
  return {
    httpVersion: request.httpVersion,
    method,
    // The host was checked, and nobody asks for it again.
    url: `http://localhost${url}`,
    header,
    body,
    signal: caller.signal,
    contextValues,
  };
}

/** `header` has the timeout that was asked for, cut. */
function failAtDeadline(body: RequestBody, exchange: Exchange, header: Headers): void {
  const isGrpc = /^application\/grpc/i.test(header.get("content-type") ?? "");
  const timeoutMs = timeoutMsOf(header.get(isGrpc ? "grpc-timeout" : "connect-timeout-ms") ?? "");
  if (timeoutMs === undefined) return;
  const onTime = (): void => body.fail(new ConnectError("the operation timed out", Code.DeadlineExceeded));
  const timer = setTimeout(onTime, timeoutMs);
  exchange.onClose(() => clearTimeout(timer));
}

/** Of the number in a timeout of gRPC. */
const maxGrpcDigits = 8;
const unitMs = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 } as const;

/**
 * A timeout as Connect (milliseconds) or gRPC (a number and a unit) writes it, cut to what a timer can hold and a server
 * should wait. What is no timeout stays as it is, to be refused by the protocol.
 */
function capped(timeout: string, maxMs: number): string {
  const askedMs = timeoutMsOf(timeout);
  if (askedMs === undefined || askedMs <= maxMs) return timeout;
  if (!/[HMSmun]$/.test(timeout)) return String(maxMs);
  return maxMs < 10 ** maxGrpcDigits ? `${maxMs}m` : `${Math.floor(maxMs / 1000)}S`;
}

/** Undefined for what is no timeout. */
export function timeoutMsOf(timeout: string): number | undefined {
  const match = /^(\d{1,10})([HMSmun])?$/.exec(timeout);
  if (match === null) return undefined;
  const [, amount, unit] = match;
  return Number(amount) * (unit === undefined ? 1 : unitMs[unit as keyof typeof unitMs]);
}

/** Sends the answer of a unary method. What was not read of `asked` will not be. */
export async function sendUnary(
  answer: UniversalServerResponse,
  exchange: Exchange,
  asked: RequestBody,
): Promise<void> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of answer.body ?? []) chunks.push(chunk);
  if (exchange.isGone) return;
  await asked.dump();
  if (exchange.isGone) return;
  const { response } = exchange.open();
  response.writeHead(answer.status, toNodeHeaders(answer.header));
  // Known only now that the body is.
  const { trailer } = answer;
  if (trailer !== undefined) response.addTrailers(toNodeHeaders(trailer));
  await endInPieces(exchange, response, chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks));
}

/**
 * Sends the answers of a streaming method as they come. The next one is asked for when the client has taken enough of
 * those before: at most one message and what Node buffers wait here.
 */
export async function sendStream(
  answer: UniversalServerResponse,
  exchange: Exchange,
  asked: RequestBody,
): Promise<void> {
  const { response } = exchange.open();
  const chunks = answer.body?.[Symbol.asyncIterator]();
  try {
    let chunk = await chunks?.next();
    if (exchange.isGone) return;
    response.writeHead(answer.status, toNodeHeaders(answer.header));
    while (chunk !== undefined && chunk.done !== true) {
      if (!(await sendInPieces(exchange, response, chunk.value))) return;
      chunk = await chunks!.next();
      if (exchange.isGone) return;
    }
    // Known only now that the body is.
    const { trailer } = answer;
    if (trailer !== undefined) response.addTrailers(toNodeHeaders(trailer));
    asked.forget();
    response.end();
  } finally {
    // Ends the handler of a caller that is gone; a handler that has ended does not hear it.
    chunks?.return?.().then(undefined, () => {});
  }
}

/** What a client has to take of an answer in the time of a stall; of more than that, no progress would be seen. */
const pieceBytes = 64 * 1024;

/** Ends an answer with `bytes`, in pieces. Resolves when all are handed over, or nobody takes any more. */
export async function endInPieces(exchange: Exchange, to: Writable, bytes: Uint8Array): Promise<void> {
  // Most answers are one piece, which leaves together with the end, at once.
  const lastAt = Math.floor(Math.max(0, bytes.length - 1) / pieceBytes) * pieceBytes;
  if (lastAt > 0 && !(await sendInPieces(exchange, to, bytes.subarray(0, lastAt)))) return;
  exchange.sentPieces += 1;
  to.end(bytes.subarray(lastAt));
}

/** Hands `bytes` over, each piece when enough of those before was taken. False: nobody takes any more. */
async function sendInPieces(exchange: Exchange, to: Writable, bytes: Uint8Array): Promise<boolean> {
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    exchange.sentPieces += 1;
    if (!to.write(bytes.subarray(at, at + pieceBytes))) await writable(exchange, to);
    if (exchange.isGone) return false;
  }
  return true;
}

/** Resolves when `to` takes more of the answer, or never will. */
function writable(exchange: Exchange, to: Writable): Promise<void> {
  if (exchange.isGone) return Promise.resolve();
  return new Promise((resolve) => {
    const settle = (): void => {
      to.off("drain", settle).off("close", settle);
      resolve();
    };
    to.on("drain", settle).on("close", settle);
  });
}

export function toNodeHeaders(headers: Headers | undefined): Record<string, string> {
  const node: Record<string, string> = {};
  headers?.forEach((value, name) => {
    node[name] = value;
  });
  return node;
}
