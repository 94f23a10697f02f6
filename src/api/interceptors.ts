import type { DescMethod, DescMethodUnary, DescService, Message } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import {
  Code,
  ConnectError,
  createContextKey,
  type HandlerContext,
  type Interceptor,
  type StreamRequest,
  type StreamResponse,
  type UnaryRequest,
  type UnaryResponse,
} from "@connectrpc/connect";
import { codeToString } from "@connectrpc/connect/protocol-connect";
import { PortwayError } from "../base/errors.js";
import type { Log, LogFacts } from "../base/log.js";
import { abortable } from "../base/signals.js";
import type { Authorizer, Principal } from "./authorizer.js";
import { callError, toConnectError } from "./errors.js";
import type { Answers } from "./idempotency.js";
import { type OpenStream, peek, type Streams, untilAborted } from "./streams.js";

/** Who makes the call. Set where the call is let in; a call without one is refused. */
export const principalKey = createContextKey<Principal | undefined>(undefined, {
  description: "who makes the call",
});

/** Told when the first message of a stream of requests was let in: what follows may take its time. */
export const letInKey = createContextKey<() => void>(() => {}, {
  description: "told when the first message was let in",
});

type Next = (request: UnaryRequest | StreamRequest) => Promise<UnaryResponse | StreamResponse>;

/**
 * Outermost: whatever is thrown inside leaves as an error with its code and details, and every call is one line in the
 * log, a stream when it ends. Neither the request nor the answer is in it.
 */
export function observeCalls(log: Log, streams: Streams): Interceptor {
  return (next) => (request) => {
    const observed = new ObservedCall(log, request);
    return request.stream
      ? observeStream(request, next, streams, observed)
      : observeUnary(request, next, observed);
  };
}

class ObservedCall {
  readonly #log: Log;
  readonly #startMs = performance.now();
  readonly #method: DescMethod;
  readonly #principal: Principal["kind"] | undefined;
  readonly #level: "debug" | "info";

  constructor(log: Log, { method, contextValues }: UnaryRequest | StreamRequest) {
    this.#log = log;
    this.#method = method;
    this.#principal = contextValues.get(principalKey)?.kind;
    this.#level = isRead(method) ? "debug" : "info";
  }

  answered(facts: LogFacts = {}): void {
    this.#log[this.#level]("call.answered", this.#facts(facts));
  }

  /** The error that the caller is told. */
  failed(thrown: unknown, signal: AbortSignal): ConnectError {
    const error = callError(thrown, {
      method: methodName(this.#method),
      request: this.#method.input,
      signal,
    });
    const facts = this.#facts({ code: codeToString(error.code) });
    if (error.code === Code.Internal)
      this.#log.error("call.failed", { ...facts, error: error.cause ?? thrown });
    else this.#log[this.#level]("call.refused", { ...facts, message: loggedMessage(error, thrown) });
    return error;
  }

  #facts(facts: LogFacts): LogFacts {
    return {
      method: methodName(this.#method),
      principal: this.#principal,
      ...facts,
      durationMs: since(this.#startMs),
    };
  }
}

/** Without what Connect says of a message that it can't read: it quotes it. */
function loggedMessage(error: ConnectError, thrown: unknown): string {
  const isOfConnect = thrown instanceof ConnectError && thrown !== error;
  return isOfConnect && error.code === Code.InvalidArgument
    ? "a message that can't be read"
    : error.rawMessage;
}

async function observeUnary(
  request: UnaryRequest,
  next: Next,
  observed: ObservedCall,
): Promise<UnaryResponse | StreamResponse> {
  try {
    const response = await next(request);
    observed.answered();
    return response;
  } catch (thrown) {
    throw observed.failed(thrown, request.signal);
  }
}

/** A stream ends with its deadline, its caller or the server, whatever its handler does. */
async function observeStream(
  request: StreamRequest,
  next: Next,
  streams: Streams,
  observed: ObservedCall,
): Promise<StreamResponse> {
  let stream: OpenStream;
  try {
    stream = streams.open(request.signal);
  } catch (thrown) {
    throw observed.failed(thrown, request.signal);
  }
  const { signal } = stream;
  try {
    const message = untilAborted(request.message, signal, () => {});
    const response = (await next({ ...request, signal, message })) as StreamResponse;
    return { ...response, message: observeAnswers(response.message, stream, observed) };
  } catch (thrown) {
    stream[Symbol.dispose]();
    throw observed.failed(thrown, signal);
  }
}

async function* observeAnswers<T>(
  answers: AsyncIterable<T>,
  stream: OpenStream,
  observed: ObservedCall,
): AsyncGenerator<T> {
  let count = 0;
  let failure: unknown;
  const end = (thrown: unknown): void => {
    failure = thrown;
  };
  try {
    for await (const answer of untilAborted(answers, stream.signal, end)) {
      count += 1;
      yield answer;
    }
  } catch (thrown) {
    failure = thrown;
  } finally {
    stream[Symbol.dispose]();
  }
  if (failure !== undefined) throw observed.failed(failure, stream.signal);
  observed.answered({ messages: count });
}

/** The one place where the authorizer is asked. For a stream of requests, about the first one. */
export function authorizeCalls(authorizer: Authorizer): Interceptor {
  return (next) => async (request) => {
    const principal = request.contextValues.get(principalKey);
    if (principal === undefined) throw unauthenticated();
    const method = methodName(request.method);
    const peeked = request.stream ? await peek(request.message) : undefined;
    const about = request.stream ? peeked?.first : request.message;
    const resource = about === undefined ? "" : resourceOf(about);
    const answer = authorizer(principal, method, resource);
    const decision = typeof answer === "string" ? answer : await answer;
    if (decision !== "allow") {
      throw toConnectError(
        new PortwayError(
          "permission_denied",
          `${principal.name} may not call ${method} on ${resource || "this daemon"}`,
          { principal: principal.name, method, resource },
        ),
      );
    }
    if (!request.stream || peeked === undefined) return next(request);
    request.contextValues.get(letInKey)();
    return next({ ...request, message: peeked.all });
  };
}

/** Innermost: a call ends with its deadline, its caller or the server, whatever its method does. Streams see to it above. */
export const endWithSignal: Interceptor = (next) => (request) =>
  request.stream ? next(request) : abortable(next(request), request.signal);

type Implementation = (request: never, context: HandlerContext) => unknown;

/**
 * The same service, with each method that has a `request_id` giving a repeated call its first answer. This wraps the
 * service and is no interceptor, because an interceptor can't answer without the headers of a call that was made.
 */
export function rememberAnswers<S extends object>(
  service: DescService,
  implementation: S,
  answers: Answers,
): S {
  const remembering: Record<string, Implementation> = {};
  for (const method of service.methods) {
    const run = (implementation as Record<string, Implementation>)[method.localName];
    if (run === undefined) continue;
    remembering[method.localName] =
      method.methodKind === "unary" && method.input.field["requestId"] !== undefined
        ? answeredOnce(method as DescMethodUnary, run, answers)
        : run;
  }
  return remembering as S;
}

function answeredOnce(method: DescMethodUnary, run: Implementation, answers: Answers): Implementation {
  return (request: Message & { readonly requestId: string }, context) => {
    const { requestId } = request;
    if (requestId === "") return run(request as never, context);
    const principal = context.values.get(principalKey);
    const call = {
      caller: `${principal?.kind} ${principal?.name}`,
      requestId,
      method,
      request,
      signal: context.signal,
    };
    return answers.answer(call, async () => (await run(request as never, context)) as Message);
  };
}

/** `portway.v1.NodeService/CreateNode` */
export function methodName(method: DescMethod): string {
  return `${method.parent.typeName}/${method.name}`;
}

/** Reads leave a line only when the log is asked for details: clients poll. */
function isRead(method: DescMethod): boolean {
  // The services of gRPC itself (health, reflection) only tell, though their protos do not say so.
  const isOfGrpc = method.parent.file.proto.package.startsWith("grpc.");
  return isOfGrpc || method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
}

/** What a request is about: the name in it, or where a new resource goes. What opens a worker has it one level down. */
function resourceOf(message: object): string {
  const { open, request } = message as { readonly open?: object; readonly request?: { value?: object } };
  return nameIn(message) || nameIn(open ?? request?.value ?? {});
}

function nameIn(message: object): string {
  const { name, parent, node, nodeId } = message as Readonly<Record<string, unknown>>;
  for (const candidate of [name, parent, node]) {
    if (typeof candidate === "string" && candidate !== "") return candidate;
  }
  return typeof nodeId === "string" && nodeId !== "" ? `nodes/${nodeId}` : "";
}

function unauthenticated(): ConnectError {
  return toConnectError(new PortwayError("unauthenticated", "nobody vouches for the caller"));
}

function since(startMs: number): number {
  return Math.round((performance.now() - startMs) * 1000) / 1000;
}
