import type { IncomingHttpHeaders } from "node:http";
import { PortwayError } from "../base/errors.js";
import type { Principal } from "./authorizer.js";
import { hostOf } from "./host.js";
import type { Tokens } from "./token.js";

/** What is known of a request before its body is read and before anyone asks what it is for. */
export interface Arrival {
  readonly headers: IncomingHttpHeaders;
  /** Of its connection, where a Unix socket or a client certificate vouches for it. */
  readonly principal: Principal | undefined;
  /** Why the client certificate that was shown vouches for nobody; undefined if none was shown. */
  readonly certificateError: string | undefined;
  readonly localAddress: string | undefined;
}

export interface AdmissionOptions {
  readonly tokens: Tokens;
  readonly allowedOrigins: ReadonlySet<string>;
  readonly isOurHost: (host: string, localAddress: string | undefined) => boolean;
}

/**
 * The one place where requests of every protocol, method and path are let in: asked for each one that arrives at a
 * listener, before anything else happens to it. Throws `host_not_allowed`, `origin_not_allowed`, `unauthenticated`.
 */
export function admit(arrival: Arrival, options: AdmissionOptions): Principal {
  const { headers, principal } = arrival;
  checkSource(arrival, options);
  if (principal !== undefined) return principal;
  const presented = bearerOf(headers.authorization);
  if (presented !== undefined && options.tokens.matches(presented)) return tokenPrincipal;
  throw new PortwayError("unauthenticated", whyNot(arrival, presented !== undefined));
}

/**
 * What holds for everyone, whoever it is: the request is meant for this daemon, and no page of a stranger made a browser
 * send it. It is all that is asked of a request for what is public. Throws `host_not_allowed`, `origin_not_allowed`.
 */
export function checkSource(
  { headers, localAddress }: Arrival,
  { allowedOrigins, isOurHost }: AdmissionOptions,
): void {
  const authority = headers[":authority"] ?? headers.host;
  const host = typeof authority === "string" ? hostOf(authority) : undefined;
  if (host === undefined || !isOurHost(host, localAddress)) {
    throw new PortwayError(
      "host_not_allowed",
      `the host "${authority ?? ""}" is none of this daemon's: expected localhost, the address that it listens on or a configured name`,
      { host: String(authority ?? "") },
    );
  }
  const { origin } = headers;
  if (origin !== undefined && !allowedOrigins.has(origin)) {
    throw new PortwayError("origin_not_allowed", `pages of ${origin} may not use this API`, { origin });
  }
}

const tokenPrincipal: Principal = { kind: "token", name: "token" };

function bearerOf(authorization: string | undefined): string | undefined {
  if (authorization === undefined || authorization.length > 512) return undefined;
  return /^bearer +([^\s]+) *$/i.exec(authorization)?.[1];
}

function whyNot({ headers, certificateError }: Arrival, presentedToken: boolean): string {
  const expected = "expected `authorization: Bearer <token>` with the token of the daemon's token file";
  if (presentedToken) return `the token is not the one of this daemon: ${expected}`;
  if (headers.authorization !== undefined)
    return `the authorization header holds no bearer token: ${expected}`;
  if (certificateError !== undefined) return `the client certificate is not accepted (${certificateError})`;
  return `calls over TCP need a token or a client certificate: ${expected}`;
}
