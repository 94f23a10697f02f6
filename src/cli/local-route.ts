import { isIPv4, isIPv6 } from "node:net";
import { MultiAddr } from "../model/multiaddr.js";
import { parseSocketAddress, type SocketAddress } from "../model/socket-address.js";

/** How a listener that is bound at `address` (`ip:port`) is reached from this machine. */
export function localRoute(address: string): { readonly short: MultiAddr; readonly named: string } {
  const { host, port } = reachable(parseSocketAddress(address));
  const protocol = isIPv4(host) ? "ip4" : isIPv6(host) ? "ip6" : "dnsaddr";
  const short = new MultiAddr([
    { protocol, value: host },
    { protocol: "tcp", value: String(port) },
  ]);
  return { short, named: host === "127.0.0.1" ? `/dnsaddr/localhost/tcp/${port}` : short.toString() };
}

/** A wildcard address can be bound and not be dialed. */
function reachable({ host, port }: SocketAddress): SocketAddress {
  if (host === "0.0.0.0") return { host: "127.0.0.1", port };
  return host === "::" ? { host: "::1", port } : { host, port };
}
