import { messageOf } from "../base/errors.js";
import {
  contentType,
  localFailure,
  streamContentType,
  throwUnlessAnswer,
  tooLargeAnswer,
} from "./call-error.js";
import type { Exchange, ExchangeOptions, ExchangeRequest } from "./exchange.js";

/** A daemon as a page reaches it. */
export interface FetchTarget {
  readonly baseUrl: string;
  readonly token?: string;
}

/**
 * Speaks through `fetch`, for browsers. One cannot tell there whether a call that failed was sent, nor why: a page gets
 * the same TypeError for a daemon that is gone and for one whose allowed origins do not name it.
 */
export function createFetchExchange({ baseUrl, token }: FetchTarget, options: ExchangeOptions): Exchange {
  const base = new URL(baseUrl);
  const prefix = base.origin + base.pathname.replace(/\/+$/, "");
  const { maxResponseBytes } = options;
  /** Gives an answer of a daemon, its body unread. */
  const ask = async (given: ExchangeRequest, type: string): Promise<Response> => {
    const headers: Record<string, string> = {
      "content-type": type,
      "connect-protocol-version": "1",
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...given.headers,
    };
    const { body, signal } = given;
    const response = await fetch(prefix + given.path, {
      method: "POST",
      headers,
      body,
      signal,
      redirect: "error",
    });
    const answerType = response.headers.get("content-type") ?? "";
    if (response.status === 200 && answerType.split(";", 1)[0]?.trim() === type) return response;
    const said = await bodyOf(response, maxResponseBytes, base.origin);
    throwUnlessAnswer(base.origin, response.status, answerType, said, type);
    return response;
  };
  const failed = (error: unknown, signal: AbortSignal): unknown => {
    if (signal.aborted) return signal.reason;
    if (!(error instanceof TypeError)) return error;
    const message = `no answer of a daemon at ${base.origin} that lets this page in (${messageOf(error)})`;
    const facts = { at: base.origin };
    return localFailure("unavailable", "daemon_unreachable", message, facts, { sent: true, cause: error });
  };
  return {
    async post(request) {
      try {
        const response = await ask(request, contentType);
        const body = await bodyOf(response, maxResponseBytes, base.origin);
        return { body, headers: Object.fromEntries(response.headers) };
      } catch (error) {
        throw failed(error, request.signal);
      }
    },
    async *open(request) {
      try {
        yield* partsOf(await ask(request, streamContentType));
      } catch (error) {
        throw failed(error, request.signal);
      }
    },
    [Symbol.dispose]() {},
  };
}

/** The body as it comes. Leaving the loop ends the exchange. */
async function* partsOf({ body }: Response): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = body?.getReader();
  if (reader === undefined) return;
  try {
    for (;;) {
      const part = await reader.read();
      if (part.done) return;
      yield part.value;
    }
  } finally {
    reader.cancel(undefined).catch(() => {});
  }
}

async function bodyOf(response: Response, maxBytes: number, name: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of partsOf(response)) {
    size += chunk.byteLength;
    if (size > maxBytes) throw tooLargeAnswer(name, maxBytes);
    chunks.push(chunk);
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.byteLength;
  }
  return whole;
}
