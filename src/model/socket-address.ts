import { isIP, isIPv4, isIPv6 } from "node:net";
import { PortwayError } from "../base/errors.js";

/** A host (an IP address or a name) and a port, as people write them. */
export interface SocketAddress {
  readonly host: string;
  readonly port: number;
}

/**
 * Reads `port` and `:port` (on 127.0.0.1), `ip:port`, `[ipv6]:port`, `host:port`. A host name is ASCII, 1 to 253
 * characters, its labels 1 to 63 of `[A-Za-z0-9_-]`, and it neither begins nor ends with `-` or `.`.
 * Throws `bad_socket_address`.
 */
export function parseSocketAddress(text: string): SocketAddress {
  return parse(text, 0);
}

/** The same for an address to connect to: port 0 stands for a free one, which nobody listens at. */
export function parsePeerAddress(text: string): SocketAddress {
  return parse(text, 1);
}

function parse(text: string, minPort: number): SocketAddress {
  const match = /^(?:(?:\[([^\]]*)\]|([^:]*)):)?(\d{1,5})$/.exec(text);
  const port = match === null ? Number.NaN : Number(match[3]);
  if (match === null || port < minPort || port > 65535) {
    throw bad(text, `host:port with a port from ${minPort} to 65535`);
  }
  const [, bracketed, plain] = match;
  if (bracketed !== undefined) {
    if (!isIPv6(bracketed)) throw bad(text, "an IPv6 address between [ and ]");
    return { host: bracketed, port };
  }
  if (plain === undefined || plain === "") return { host: "127.0.0.1", port };
  if (/^[\d.]+$/.test(plain) ? isIPv4(plain) : isHostName(plain)) return { host: plain, port };
  throw bad(text, "an IP address or a host name before the port");
}

export function isHostName(text: string): boolean {
  if (text.length < 1 || text.length > 253 || /^[-.]|[-.]$/.test(text)) return false;
  return text.split(".").every((label) => /^[A-Za-z0-9_-]{1,63}$/.test(label));
}

export function formatSocketAddress({ host, port }: SocketAddress): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}

/** `text` in full, so that equal addresses are equal texts: `80` is `127.0.0.1:80`. Throws `bad_socket_address`. */
export function fullSocketAddress(text: string): string {
  return formatSocketAddress(parseSocketAddress(text));
}

/** True for an address that only this machine can reach. A name counts only if it is `localhost`. */
export function isLoopback(host: string): boolean {
  if (isIP(host) === 4) return host.startsWith("127.");
  if (isIP(host) === 6) return host === "::1" || /^::ffff:127\./i.test(host);
  return host.toLowerCase() === "localhost";
}

function bad(text: string, expected: string): PortwayError {
  return new PortwayError("bad_socket_address", `"${text}" is not a socket address: expected ${expected}`, {
    given: text,
  });
}
