import { isIPv4, isIPv6 } from "node:net";
import { PortwayError } from "../base/errors.js";
import { Address } from "./address.js";
import { isHostName, type SocketAddress } from "./socket-address.js";

const protocols = ["node", "service", "worker", "secure", "ip4", "ip6", "dnsaddr", "tcp", "udp"] as const;

export type MultiAddrProtocol = (typeof protocols)[number];

export interface MultiAddrPart {
  readonly protocol: MultiAddrProtocol;
  readonly value: string;
}

/** One step of a MultiAddr on its way to a route: a worker, or a node to connect to. */
export type RouteStep =
  | { readonly kind: "worker"; readonly address: Address }
  | { readonly kind: "connect"; readonly over: "tcp" | "udp"; readonly peer: SocketAddress };

const maxTextBytes = 4096;

/** Known to Ockam and not to us; refused by name. */
const notHere: Readonly<Record<string, string>> = {
  project: "Portway has no projects: name the node's address, /dnsaddr/HOST/tcp/PORT",
  space: "Portway has no spaces: name the node's address, /dnsaddr/HOST/tcp/PORT",
};

/**
 * A route as people write it: `/dnsaddr/localhost/tcp/4000/service/echo`. The leading `/` may be left out; a value
 * runs to the next `/`, so it can't hold one. `self` means `/secure/api`. Immutable.
 */
export class MultiAddr {
  readonly parts: readonly MultiAddrPart[];

  constructor(parts: readonly MultiAddrPart[]) {
    this.parts = parts;
  }

  /** Throws `bad_route` for an unknown protocol, a missing or an ill-formed value. The empty text has no parts. */
  static parse(text: string): MultiAddr {
    if (Buffer.byteLength(text) > maxTextBytes) {
      throw new PortwayError("bad_route", `a route has at most ${maxTextBytes} bytes`, { max: maxTextBytes });
    }
    if (text === "self") return new MultiAddr([{ protocol: "secure", value: "api" }]);
    const words = text.split("/");
    if (words[0] === "") words.shift();
    if (text === "" || (words.length === 1 && words[0] === "")) return new MultiAddr([]);
    const parts: MultiAddrPart[] = [];
    for (let at = 0; at < words.length; at += 2) parts.push(parsePart(text, words[at]!, words[at + 1]));
    return new MultiAddr(parts);
  }

  /** Every part that `replace` gives something for is replaced by that. */
  replace(replace: (part: MultiAddrPart) => MultiAddr | undefined): MultiAddr {
    return new MultiAddr(this.parts.flatMap((part) => replace(part)?.parts ?? [part]));
  }

  /**
   * What to do for a route: workers to put into it and at most one node to connect to. Throws `bad_route` for a
   * second node, for `tcp` or `udp` without a host, for a host without one of them, and for `/node`, which only a
   * client can resolve; `unsupported` for `/secure`.
   */
  steps(): RouteStep[] {
    const steps: RouteStep[] = [];
    for (let at = 0; at < this.parts.length; at += 1) {
      const { protocol, value } = this.parts[at]!;
      switch (protocol) {
        case "service":
        case "worker":
          steps.push({ kind: "worker", address: Address.local(value) });
          break;
        case "ip4":
        case "ip6":
        case "dnsaddr": {
          const next = this.parts[at + 1];
          const over = next?.protocol;
          if (next === undefined || (over !== "tcp" && over !== "udp"))
            throw bad(this, `/${protocol}/${value} must be followed by /tcp/PORT or /udp/PORT`);
          if (steps.some((step) => step.kind === "connect"))
            throw bad(this, "only one part may name a node to connect to");
          steps.push({ kind: "connect", over, peer: { host: value, port: Number(next.value) } });
          at += 1;
          break;
        }
        case "tcp":
        case "udp":
          throw bad(this, `/${protocol}/${value} must follow /dnsaddr/HOST, /ip4/A.B.C.D or /ip6/ADDRESS`);
        case "node":
          throw bad(
            this,
            `/node/${value} must be replaced by the node's address: names are known to clients only`,
          );
        case "secure":
          throw new PortwayError("unsupported", `/secure/${value}: secure channels are not supported yet`, {
            part: `/secure/${value}`,
          });
      }
    }
    return steps;
  }

  toString(): string {
    return this.parts.map(({ protocol, value }) => `/${protocol}/${value}`).join("");
  }
}

function isProtocol(text: string): text is MultiAddrProtocol {
  return (protocols as readonly string[]).includes(text);
}

function parsePart(text: string, protocol: string, value: string | undefined): MultiAddrPart {
  const said = (problem: string): PortwayError =>
    new PortwayError("bad_route", `"${text}" is not a route: ${problem}`, { route: text });
  const reason = notHere[protocol];
  if (Object.hasOwn(notHere, protocol) && reason !== undefined) {
    throw new PortwayError("unsupported", `/${protocol}: ${reason}`, { part: `/${protocol}` });
  }
  if (protocol === "") throw said('there is a "/" too many');
  if (!isProtocol(protocol)) throw said(`"${protocol}" is none of ${protocols.join(", ")}`);
  if (value === undefined || value === "") throw said(`a value must follow /${protocol}`);
  switch (protocol) {
    case "ip4":
      if (!isIPv4(value)) throw said(`"${value}" is no IPv4 address`);
      break;
    case "ip6":
      if (!isIPv6(value)) throw said(`"${value}" is no IPv6 address`);
      break;
    case "dnsaddr":
      if (!isHostName(value)) throw said(`"${value}" is no host name`);
      break;
    case "tcp":
    case "udp":
      if (!/^\d{1,5}$/.test(value) || Number(value) < 1 || Number(value) > 65535)
        throw said(`"${value}" is no port from 1 to 65535`);
      break;
    case "node":
      if (!/^[A-Za-z0-9_-]{1,63}$/.test(value)) throw said(`"${value}" is no name of a node`);
      break;
    case "service":
    case "worker":
    case "secure":
      if (value.includes("#") || Buffer.byteLength(value) > 255) throw said(`"${value}" is no address`);
      break;
  }
  return { protocol, value };
}

function bad(multiaddr: MultiAddr, problem: string): PortwayError {
  const text = multiaddr.toString();
  return new PortwayError("bad_route", `"${text}" is not a route that can be taken: ${problem}`, {
    route: text,
  });
}
