import type { X509Certificate } from "node:crypto";
import { isIP, isIPv6 } from "node:net";
import { isLoopback } from "../model/socket-address.js";

/**
 * The host in a `Host` header or `:authority`, in lower case and without its port and brackets; undefined if it is no
 * host with or without a port.
 */
export function hostOf(authority: string): string | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]{1,255}))(?::(\d{1,5}))?$/.exec(authority);
  if (match === null || Number(match[3] ?? 0) > 65535) return undefined;
  const [, bracketed, plain] = match;
  if (bracketed !== undefined) return isIPv6(bracketed) ? bracketed.toLowerCase() : undefined;
  // What ends in a number is an IPv4 address or nothing, as URLs have it.
  if (/(^|\.)(\d+|0x[\da-f]*)\.*$/i.test(plain!) && isIP(plain!) === 0) return undefined;
  return plain!.toLowerCase();
}

export interface AllowedHosts {
  /** Names that were configured, besides those that follow from the listener. */
  readonly names: readonly string[];
  /** The host that the listener was asked to bind; undefined for a Unix socket. */
  readonly boundHost?: string;
  /** A name or address that the server's certificate is for is one of its own. */
  readonly certificate?: X509Certificate;
}

/**
 * Whether a request to `host` is meant for this listener. A page in a browser that has its own name resolve to our
 * address (DNS rebinding) is recognized by the name. `localAddress` is where the connection arrived, which is a name of
 * ours however the listener was bound.
 */
export function hostCheck(
  allowed: AllowedHosts,
): (host: string, localAddress: string | undefined) => boolean {
  const names = new Set(allowed.names.map((name) => name.toLowerCase()));
  if (allowed.boundHost !== undefined) names.add(allowed.boundHost.toLowerCase());
  return (host, localAddress) =>
    isLoopback(host) ||
    names.has(host) ||
    host === plainAddress(localAddress) ||
    isCertified(host, allowed.certificate);
}

function isCertified(host: string, certificate: X509Certificate | undefined): boolean {
  const found = isIP(host) === 0 ? certificate?.checkHost(host) : certificate?.checkIP(host);
  return found !== undefined;
}

/** `::ffff:192.0.2.1` is 192.0.2.1 that arrived at a dual-stack socket. */
function plainAddress(address: string | undefined): string | undefined {
  return address?.toLowerCase().replace(/^::ffff:(?=[\d.]+$)/, "");
}
