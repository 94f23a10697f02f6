import { isIPv6 } from "node:net";
import { PortwayError } from "./errors.js";

interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

/** Why an address can't be listened on: `address_in_use`, `port_privileged` or `address_not_available`. */
export function bindError(error: NodeJS.ErrnoException, { host, port }: HostAndPort): PortwayError {
  const where = isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
  const facts = { address: where };
  const options = { cause: error };
  switch (error.code) {
    case "EADDRINUSE":
      return new PortwayError(
        "address_in_use",
        `can't listen on ${where}: the port is in use`,
        facts,
        options,
      );
    case "EACCES":
      return new PortwayError(
        "port_privileged",
        `can't listen on ${where}: ports below 1024 need a privilege that this process does not have`,
        facts,
        options,
      );
    default:
      return new PortwayError(
        "address_not_available",
        `can't listen on ${where}: ${reasons[error.code ?? ""] ?? error.message}`,
        facts,
        options,
      );
  }
}

/** Why a TCP connection could not be made or ended, for a person, without the address. */
export function connectReason(error: NodeJS.ErrnoException): string {
  // A host with several addresses fails with one error for each; the list itself has no text.
  const first = error instanceof AggregateError ? (error.errors[0] as NodeJS.ErrnoException) : error;
  return reasons[first.code ?? ""] ?? first.message;
}

const reasons: Readonly<Record<string, string>> = {
  ENOTFOUND: "the host is unknown",
  EAI_AGAIN: "the name of the host could not be looked up; try again later",
  EADDRNOTAVAIL: "this machine has no such address",
  ECONNREFUSED: "nothing listens there (connection refused)",
  ECONNRESET: "the connection was reset",
  EPIPE: "the connection was closed",
  ETIMEDOUT: "no answer",
  EHOSTUNREACH: "the host can't be reached",
  ENETUNREACH: "the network can't be reached",
  EMFILE: "this process has no file descriptors left",
  ENFILE: "this machine has no file descriptors left",
};
