import { isIPv4, isIPv6 } from "node:net";

/** A TCP address that the API is to be served on. */
export interface ApiAddress {
  /** As it was given. */
  readonly text: string;
  /** An IP address, or `localhost`. */
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** Only this machine can reach it. */
  readonly isLoopback: boolean;
}

/**
 * Reads `ip:port`, `[ipv6]:port` and `localhost:port`; undefined for anything else. Other names are not taken: what a
 * name stands for can change, and with it who can reach the API.
 */
export function parseApiAddress(text: string): ApiAddress | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+|localhost)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3] ?? Number.NaN);
  if (match === null || port > 65535) return undefined;
  const [, bracketed, plain] = match;
  if (bracketed !== undefined) {
    return isIPv6(bracketed)
      ? { text, host: bracketed, port, isLoopback: isLoopbackV6(bracketed) }
      : undefined;
  }
  if (plain === "localhost") return { text, host: plain, port, isLoopback: true };
  if (plain === undefined || !isIPv4(plain)) return undefined;
  return { text, host: plain, port, isLoopback: plain.startsWith("127.") };
}

/** The URL parser writes an address in one way only: `::1`, `::ffff:7f00:1`. */
function isLoopbackV6(host: string): boolean {
  const canonical = new URL(`http://[${host}]`).hostname;
  return canonical === "[::1]" || /^\[::ffff:7f[0-9a-f]{2}:/.test(canonical);
}
