import type { DescMethodUnary, Message, MessageInitShape } from "@bufbuild/protobuf";
import type { CallOptions, ConnectError } from "@connectrpc/connect";
import { Backoff } from "../base/backoff.js";
import { messageOf, PortwayError } from "../base/errors.js";
import { longestTimerMs } from "../base/signals.js";
import { CallError, connectErrorOf, localFailure } from "./call-error.js";
import type { Exchange, ExchangeResponse } from "./exchange.js";
import type { ClientOptions } from "./options.js";

export type UnaryCall = (
  method: DescMethodUnary,
  input: MessageInitShape<DescMethodUnary["input"]>,
  options?: CallOptions,
) => Promise<Message>;

/**
 * What a call needs of other packages. Node loads them at the first call, and Connect's error class at the first
 * failure: that costs a quarter of a CLI call, which most calls can do without. A bundle has them in it.
 */
export interface Libraries {
  readonly protobuf: () => Promise<Protobuf>;
  readonly connectError: () => Promise<typeof ConnectError>;
}

export type Protobuf = Pick<typeof import("@bufbuild/protobuf"), "create" | "fromBinary" | "toBinary">;

const firstDelayMs = 50;
const maxDelayMs = 1_000;

/** MethodOptions.IdempotencyLevel.NO_SIDE_EFFECTS. */
const noSideEffects = 1;

/**
 * Makes calls with a deadline. A call is tried again only after UNAVAILABLE, with growing delays, and only where
 * twice does no harm: if it reads, if it carries a `request_id` (which every mutation that can gets here, so that its
 * second attempt is answered with the outcome of the first), or if the daemon saw nothing of it.
 */
export function createCall(
  exchange: () => Promise<Exchange>,
  closed: AbortSignal,
  options: Required<ClientOptions>,
  libraries: Libraries,
): UnaryCall {
  return async (method, input, callOptions = {}) => {
    const { create, fromBinary, toBinary } = await libraries.protobuf();
    const message = create(method.input, input);
    const isRepeatable = withRequestId(method, message) || method.idempotency === noSideEffects;
    const path = `/${method.parent.typeName}/${method.name}`;
    const timeoutMs = deadlineOf(callOptions.timeoutMs ?? options.timeoutMs);
    const limit = limitOf(timeoutMs, method.name, closed, callOptions.signal);
    const backoff = new Backoff({
      firstMs: firstDelayMs,
      maxMs: maxDelayMs,
      random: () => options.pace.random(),
    });
    const endMs = options.pace.nowMs() + (timeoutMs ?? Infinity);
    const body = toBinary(method.input, message);
    const headers = { ...options.headers, ...headersOf(callOptions.headers) };
    try {
      for (let attempt = 1; ; attempt += 1) {
        limit.signal.throwIfAborted();
        const leftMs = endMs - options.pace.nowMs();
        try {
          const sent = {
            path,
            body,
            headers: { ...headers, ...(timeoutMs !== undefined && timeoutHeader(leftMs)) },
            signal: limit.signal,
          };
          const response = await (await exchange()).post(sent);
          tellHeaders(response, callOptions);
          return fromBinary(method.output, response.body);
        } catch (error) {
          if (!(error instanceof CallError) || error.code !== "unavailable") throw error;
          if (error.sent && !isRepeatable) throw error;
          const delayMs = backoff.nextMs();
          const isLast = attempt >= options.maxAttempts || options.pace.nowMs() + delayMs >= endMs;
          if (isLast) throw error;
          await options.pace.wait(delayMs, limit.signal);
          if (!error.sent) await options.revive();
        }
      }
    } catch (error) {
      throw connectErrorOf(asCallError(error), await libraries.connectError());
    } finally {
      limit[Symbol.dispose]();
    }
  };
}

/** True if the method takes a request id; `message` has one then. */
function withRequestId(method: DescMethodUnary, message: Message): boolean {
  if (method.input.field["requestId"] === undefined) return false;
  const fields = message as Message & { requestId: string };
  if (fields.requestId === "") fields.requestId = crypto.randomUUID();
  return true;
}

/** Undefined for what is no deadline: 0 and less, as CallOptions has it, and more than a timer can wait. */
export function deadlineOf(timeoutMs: number | undefined): number | undefined {
  return timeoutMs !== undefined && timeoutMs > 0 && timeoutMs <= longestTimerMs ? timeoutMs : undefined;
}

/** Tells the daemon how long it is waited for. */
export function timeoutHeader(leftMs: number): Record<string, string> {
  return { "connect-timeout-ms": String(Math.max(1, Math.ceil(leftMs))) };
}

export interface Limit extends Disposable {
  readonly signal: AbortSignal;
}

/** Ends at the deadline, if there is one, when the caller gives up, or when the client is closed; the reason says which. */
export function limitOf(
  timeoutMs: number | undefined,
  name: string,
  closed: AbortSignal,
  given: AbortSignal | undefined,
): Limit {
  const controller = new AbortController();
  const end = (error: CallError): void => controller.abort(error);
  const onTime = (limitMs: number): void => {
    const message = `${name} was not answered within ${limitMs} ms`;
    const facts = { method: name, timeoutMs: limitMs };
    end(localFailure("deadline_exceeded", "timed_out", message, facts, { sent: true }));
  };
  const timer = timeoutMs === undefined ? undefined : setTimeout(onTime, timeoutMs, timeoutMs);
  const onClosed = (): void => end(new CallError("canceled", `${name} was canceled: the client is closed`));
  const onGiven = (): void =>
    end(new CallError("canceled", `${name} was canceled`, { cause: given?.reason }));
  closed.addEventListener("abort", onClosed, { once: true });
  given?.addEventListener("abort", onGiven, { once: true });
  if (closed.aborted) onClosed();
  else if (given?.aborted) onGiven();
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      clearTimeout(timer);
      closed.removeEventListener("abort", onClosed);
      given?.removeEventListener("abort", onGiven);
    },
  };
}

export function headersOf(given: CallOptions["headers"]): Record<string, string> {
  return given === undefined ? {} : Object.fromEntries(new Headers(given));
}

function tellHeaders({ headers }: ExchangeResponse, { onHeader, onTrailer }: CallOptions): void {
  if (onHeader === undefined && onTrailer === undefined) return;
  const header = new Headers();
  const trailer = new Headers();
  for (const [name, value] of Object.entries(headers)) {
    const isTrailer = name.startsWith("trailer-");
    for (const one of [value ?? []].flat()) {
      if (isTrailer) trailer.append(name.slice("trailer-".length), one);
      else header.append(name, one);
    }
  }
  onHeader?.(header);
  onTrailer?.(trailer);
}

export function asCallError(error: unknown): CallError {
  if (error instanceof CallError) return error;
  if (error instanceof PortwayError) return new CallError("unavailable", error.message, { cause: error });
  return new CallError("internal", messageOf(error), { cause: error });
}
