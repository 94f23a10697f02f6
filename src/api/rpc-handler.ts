import type { DescService } from "@bufbuild/protobuf";
import { base64Decode } from "@bufbuild/protobuf/wire";
import { createConnectRouter, createContextValues, type Interceptor } from "@connectrpc/connect";
import type { UniversalHandler, UniversalHandlerOptions } from "@connectrpc/connect/protocol";
import { PortwayError } from "../base/errors.js";
import type { Log } from "../base/log.js";
import { longestTimerMs } from "../base/signals.js";
import type { Principal } from "./authorizer.js";
import { completeAnswer, completeConnectError } from "./completion.js";
import { type CompleteError, completeError, fault } from "./errors.js";
import { type Exchange, pathOf } from "./exchange.js";
import { endWithSignal, letInKey, principalKey } from "./interceptors.js";
import type { ApiLimits } from "./limits.js";
import { refuse } from "./refusal.js";
import { readOptions, UnaryCalls } from "./unary-calls.js";
import { sendStream, sendUnary, toUniversalRequest } from "./universal.js";

/** Serves one request that was let in. `onOpenEnded` hears that its body is a stream that may go on for ever. */
export type RpcHandler = (exchange: Exchange, principal: Principal, onOpenEnded: () => void) => void;

export interface ServedService {
  readonly service: DescService;
  readonly implementation: object;
  readonly options?: Partial<UniversalHandlerOptions>;
}

export interface RpcHandlerOptions {
  readonly services: readonly ServedService[];
  readonly interceptors: Interceptor[];
  readonly limits: Required<ApiLimits>;
  readonly log: Log;
  /** `completeError` of errors.ts, unless a referee asks for errors without an ErrorInfo. */
  readonly completeError?: CompleteError;
}

const acceptedTypes =
  /^application\/(json(; ?charset=utf-?8)?|proto|connect\+(json|proto)|grpc(-web)?(\+(json|proto))?)$/i;

/**
 * Connect, gRPC and gRPC-Web for `services`; most unary calls take the short way of UnaryCalls. It is Connect's own
 * adapter for Node but for three things: a refusal always has the form of the caller's protocol, errors that Connect
 * makes itself get their ErrorInfo, and a fault goes to our log.
 *
 * Messages are not compressed in either direction: the API's answers are small and mostly travel inside one machine,
 * where compressing costs more than it saves (a stream of 16 KiB messages was 3.5 times slower with it), and an
 * attacker has no bomb to send.
 */
export function createRpcHandler(options: RpcHandlerOptions): RpcHandler {
  const { services, interceptors, limits, log, completeError: complete = completeError } = options;
  const router = createConnectRouter({
    // The short way does this by itself.
    interceptors: [...interceptors, endWithSignal],
    acceptCompression: [],
    readMaxBytes: limits.maxRequestBytes,
    writeMaxBytes: limits.maxResponseBytes,
    binaryOptions: readOptions,
    // A field with a slip of the pen in its name is an error, not nothing.
    jsonOptions: { ignoreUnknownFields: false },
  });
  const unaryCalls = new UnaryCalls({ interceptors, limits, log, completeError: complete });
  for (const { service, implementation, options: own } of services) {
    router.service(service, implementation, own);
    unaryCalls.add(service, implementation);
  }
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));

  return (exchange, principal, onOpenEnded) => {
    const path = pathOf(exchange);
    const handler = handlers.get(path);
    const refusal = whyNotServed(handler, exchange, path);
    if (handler === undefined || refusal !== undefined) {
      const allowed = handler === undefined ? {} : { allow: handler.allowedMethods.join(", ") };
      const added = refusal?.facts["allowed"] === undefined ? {} : allowed;
      refuse(exchange, refusal!, added, complete);
      return;
    }
    const isUnary = handler.method.methodKind === "unary";
    const values = createContextValues().set(principalKey, principal);
    if (!isUnary) values.set(letInKey, onOpenEnded);
    // A longer deadline of a stream is cut to what a timer can wait; without one it has none.
    const maxDeadlineMs = isUnary ? limits.maxDeadlineMs : longestTimerMs;
    const byConnect = (read: readonly Uint8Array[]): void => {
      const asked = toUniversalRequest(exchange, values, maxDeadlineMs, read);
      const { input } = handler.method;
      serve(handler, exchange, asked, (error) => complete(error, input)).catch((error: unknown) => {
        // Most often the caller is gone. Whoever is still there must not wait for an answer.
        if (exchange.isGone || exchange.open().response.headersSent) {
          log.debug("call.cut", { path, error });
          exchange.destroy();
          return;
        }
        log.error("call.failed", { path, error });
        refuse(exchange, fault(error), {}, complete);
      });
    };
    if (!unaryCalls.takes(path, exchange, values, byConnect)) byConnect([]);
  };
}

function whyNotServed(
  handler: UniversalHandler | undefined,
  { method, url, headers }: Exchange,
  path: string,
): PortwayError | undefined {
  const contentType = headers["content-type"];
  if (handler === undefined) {
    return new PortwayError("unknown_method", `there is no method ${path.replace(/^\/(?=.)/, "")}`, { path });
  }
  if (!handler.allowedMethods.includes(method)) {
    const allowed = handler.allowedMethods.join(" or ");
    return new PortwayError(
      "unknown_method",
      `${path.slice(1)} is called with ${allowed}, not with ${method}`,
      {
        path,
        allowed,
      },
    );
  }
  if (method === "GET" && contentType === undefined) return whyNoQuery(url);
  if (
    contentType !== undefined &&
    acceptedTypes.test(contentType) &&
    handler.supportedContentType(contentType)
  ) {
    return undefined;
  }
  const ofConnect =
    handler.method.methodKind === "unary"
      ? "application/json, application/proto"
      : "application/connect+json, application/connect+proto";
  return new PortwayError(
    "unsupported_media_type",
    `the content type "${contentType ?? ""}" is not spoken here: expected ${ofConnect}, application/grpc or ` +
      "application/grpc-web",
    { content_type: contentType ?? "" },
  );
}

/** Connect would take it for a fault of the server, and say no more of it. */
function whyNoQuery(url: string): PortwayError | undefined {
  const query = new URL(url, "http://localhost").searchParams;
  const encoding = query.get("encoding");
  if (encoding !== "json" && encoding !== "proto") {
    const got = encoding === null ? "the URL has none" : `got "${encoding}"`;
    const said = `expected encoding=json or encoding=proto in the query of a GET, ${got}`;
    return new PortwayError("unsupported_media_type", said, { encoding: encoding ?? "" });
  }
  if (query.get("base64") !== "1") return undefined;
  try {
    base64Decode(query.get("message") ?? "");
    return undefined;
  } catch {
    return new PortwayError("malformed", "the message in the URL is not base64");
  }
}

async function serve(
  handler: UniversalHandler,
  exchange: Exchange,
  asked: ReturnType<typeof toUniversalRequest>,
  complete: CompleteError,
): Promise<void> {
  // The caller waits to hear that its body is wanted. In Java's own client the word is "100-Continue".
  if (exchange.headers.expect?.toLowerCase() === "100-continue") exchange.open().response.writeContinue();
  const answer = await handler(asked);
  if (answer.body === undefined && answer.status !== 200) {
    const text =
      answer.status === 505
        ? `${pathOf(exchange).slice(1)} is a stream in both directions: expected HTTP/2, got HTTP/${exchange.open().request.httpVersion}`
        : `HTTP ${answer.status}: this combination of method, content type and HTTP version is not served`;
    await asked.body.dump();
    refuse(exchange, new PortwayError("unsupported_media_type", text), {}, complete);
    return;
  }
  const completed =
    answer.status === 200 ? completeAnswer(answer, complete) : await completeConnectError(answer, complete);
  const send = handler.method.methodKind === "unary" ? sendUnary : sendStream;
  await send(completed, exchange, asked.body);
}
