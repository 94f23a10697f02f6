import type { DescMethod, DescMethodUnary, DescService, Message } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import {
  Code,
  type ConnectError,
  createContextKey,
  type HandlerContext,
  type Interceptor,
} from "@connectrpc/connect";
import { codeToString } from "@connectrpc/connect/protocol-connect";
import { PortwayError } from "../base/errors.js";
import type { Log } from "../base/log.js";
import type { Authorizer, Principal } from "./authorizer.js";
import { callError, toConnectError } from "./errors.js";
import type { Answers } from "./idempotency.js";

/** Who makes the call. Set where the call is let in; a call without one is refused. */
export const principalKey = createContextKey<Principal | undefined>(undefined, {
  description: "who makes the call",
});

/**
 * Outermost: whatever is thrown inside leaves as an error with its code and details, and every call is one line in the
 * log. Neither the request nor the answer is in it.
 */
export function observeCalls(log: Log): Interceptor {
  return (next) => async (request) => {
    const startMs = performance.now();
    const method = methodName(request.method);
    const principal = request.contextValues.get(principalKey)?.kind;
    try {
      const response = await next(request);
      const level = isRead(request.method) ? "debug" : "info";
      log[level]("call.answered", { method, principal, durationMs: since(startMs) });
      return response;
    } catch (thrown) {
      const error = callError(thrown, { method, signal: request.signal });
      const facts = { method, principal, code: codeToString(error.code), durationMs: since(startMs) };
      if (error.code === Code.Internal) log.error("call.failed", { ...facts, error: error.cause ?? thrown });
      else
        log[isRead(request.method) ? "debug" : "info"]("call.refused", {
          ...facts,
          message: error.rawMessage,
        });
      throw error;
    }
  };
}

/** The one place where the authorizer is asked. */
export function authorizeCalls(authorizer: Authorizer): Interceptor {
  return (next) => async (request) => {
    const principal = request.contextValues.get(principalKey);
    if (principal === undefined) throw unauthenticated();
    const method = methodName(request.method);
    const resource = request.stream ? "" : resourceOf(request.message);
    const answer = authorizer(principal, method, resource);
    const decision = typeof answer === "string" ? answer : await answer;
    if (decision === "allow") return next(request);
    throw toConnectError(
      new PortwayError(
        "permission_denied",
        `${principal.name} may not call ${method} on ${resource || "this daemon"}`,
        {
          principal: principal.name,
          method,
          resource,
        },
      ),
    );
  };
}

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
  return method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
}

/** What a request is about: the name in it, or where a new resource goes. */
function resourceOf(message: object): string {
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
