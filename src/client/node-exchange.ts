import { readFile } from "node:fs/promises";
import http, { type IncomingMessage, type RequestOptions } from "node:http";
import type https from "node:https";
import { messageOf } from "../base/errors.js";
import {
  type CallError,
  type CodeName,
  contentType,
  localFailure,
  streamContentType,
  throwUnlessAnswer,
  tooLargeAnswer,
} from "./call-error.js";
import type { Exchange, ExchangeOptions, ExchangeRequest } from "./exchange.js";
import type { ClientTarget, HttpTarget } from "./options.js";

/** More calls than this at once wait for a connection. */
const maxSockets = 256;

/**
 * Speaks HTTP/1.1 with node:http alone. A CLI pays for what it loads at every call: connect-node, with its HTTP/2 and
 * gRPC, costs 65 of 220 ms. Idle connections are kept for the next call and do not keep the process alive.
 */
export async function createNodeExchange(target: ClientTarget, options: ExchangeOptions): Promise<Exchange> {
  const place = await resolvePlace(target);
  const { agent } = place;
  return {
    async post(request) {
      const authorization = "baseUrl" in target ? await authorizationOf(target) : {};
      request.signal.throwIfAborted();
      const response = await answered(place, request, authorization);
      const body = await bodyOf(response, options.maxResponseBytes, request.signal, place.name);
      throwUnlessAnswer(place.name, response.statusCode ?? 0, response.headers["content-type"] ?? "", body);
      return { body, headers: response.headers };
    },
    async *open(request) {
      const authorization = "baseUrl" in target ? await authorizationOf(target) : {};
      request.signal.throwIfAborted();
      const response = await answered(place, request, authorization, streamContentType);
      const { statusCode = 0, headers } = response;
      const type = headers["content-type"] ?? "";
      if (statusCode !== 200 || !type.startsWith(streamContentType)) {
        const body = await bodyOf(response, options.maxResponseBytes, request.signal, place.name);
        throwUnlessAnswer(place.name, statusCode, type, body, streamContentType);
      }
      try {
        // Leaving the loop destroys the response.
        yield* response as AsyncIterable<Buffer>;
      } catch (error) {
        request.signal.throwIfAborted();
        throw errorOfSystem(error, place.name, true);
      }
    },
    [Symbol.dispose]: () => agent.destroy(),
  };
}

interface Place {
  /** For error texts. */
  readonly name: string;
  /** Before the path of a method. */
  readonly prefix: string;
  readonly agent: http.Agent;
  readonly request: typeof http.request;
  readonly options: RequestOptions & https.RequestOptions;
}

async function resolvePlace(target: ClientTarget): Promise<Place> {
  const kept = { keepAlive: true, maxSockets } as const;
  if ("socketPath" in target) {
    const { socketPath } = target;
    const options = { socketPath, host: "localhost" };
    return { name: socketPath, prefix: "", agent: new http.Agent(kept), request: http.request, options };
  }
  const url = new URL(target.baseUrl);
  const prefix = url.pathname.replace(/\/+$/, "");
  const options: RequestOptions & https.RequestOptions = {
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port),
  };
  if (url.protocol === "http:") {
    return { name: url.origin, prefix, agent: new http.Agent(kept), request: http.request, options };
  }
  if (url.protocol !== "https:")
    throw new TypeError(`"${target.baseUrl}" is no base URL: expected http or https`);
  const { default: secure } = await import("node:https");
  const { ca, cert, key, serverName } = target.tls ?? {};
  const agent = new secure.Agent({
    ...kept,
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(serverName !== undefined && { servername: serverName }),
  });
  return { name: url.origin, prefix, agent, request: secure.request, options };
}

async function authorizationOf(target: HttpTarget): Promise<Record<string, string>> {
  if (target.token !== undefined) return { authorization: `Bearer ${target.token}` };
  if (target.tokenPath === undefined) return {};
  try {
    return { authorization: `Bearer ${(await readFile(target.tokenPath, "utf8")).trim()}` };
  } catch (error) {
    const message = `the API token can't be read: ${messageOf(error)}`;
    throw localFailure(
      "unauthenticated",
      "unauthenticated",
      message,
      { path: target.tokenPath },
      { sent: false, cause: error },
    );
  }
}

/** Sends the request and waits for the head of the response. */
function answered(
  place: Place,
  { path, body, headers, signal }: ExchangeRequest,
  authorization: Readonly<Record<string, string>>,
  type = contentType,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = place.request({
      ...place.options,
      agent: place.agent,
      method: "POST",
      path: place.prefix + path,
      headers: {
        "content-type": type,
        "connect-protocol-version": "1",
        "content-length": body.byteLength,
        ...authorization,
        ...headers,
      },
    });
    const onAbort = (): void => {
      reject(signal.reason);
      request.destroy();
    };
    signal.addEventListener("abort", onAbort, { once: true });
    request.once("close", () => signal.removeEventListener("abort", onAbort));
    let connected = false;
    request.once("socket", (socket) => {
      if (request.reusedSocket) connected = true;
      else
        socket.once("connect", () => {
          connected = true;
        });
    });
    request.on("error", (error) => reject(errorOfSystem(error, place.name, connected)));
    request.once("response", resolve);
    request.end(body);
  });
}

async function bodyOf(
  response: IncomingMessage,
  maxBytes: number,
  signal: AbortSignal,
  name: string,
): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.byteLength;
      if (size > maxBytes) break; // leaving the loop destroys the response
      chunks.push(chunk);
    }
  } catch (error) {
    signal.throwIfAborted();
    throw errorOfSystem(error, name, true);
  }
  if (size > maxBytes) throw tooLargeAnswer(name, maxBytes);
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}

const noWayThere: Readonly<Record<string, string>> = {
  ENOENT: "the socket does not exist",
  ECONNREFUSED: "nothing listens there",
  ENOTFOUND: "the host is not known",
  EAI_AGAIN: "the host's name could not be looked up",
  EHOSTUNREACH: "there is no route to the host",
  ENETUNREACH: "there is no route to the network",
  ETIMEDOUT: "the host does not answer",
};

function errorOfSystem(error: unknown, name: string, connected: boolean): CallError {
  const system = error instanceof Error && "code" in error ? String(error.code) : "";
  const facts = { at: name, systemCode: system };
  const fail = (code: CodeName, message: string, sent: boolean): CallError =>
    localFailure(code, "daemon_unreachable", message, facts, { sent, cause: error });
  if (!connected && Object.hasOwn(noWayThere, system)) {
    return fail("unavailable", `no daemon answers at ${name}: ${noWayThere[system]}`, false);
  }
  if (system === "EACCES" || system === "EPERM") {
    return fail("permission_denied", `the daemon's socket ${name} may not be opened by this user`, false);
  }
  if (/CERT|SIGNATURE|^ERR_(TLS|SSL)/.test(system)) {
    const message = `no TLS connection with ${name}: ${messageOf(error)}`;
    return localFailure("unauthenticated", "unauthenticated", message, facts, {
      sent: connected,
      cause: error,
    });
  }
  return fail(
    "unavailable",
    `the daemon at ${name} closed the connection before it answered (${messageOf(error)})`,
    connected,
  );
}
