import { PortwayError } from "../base/errors.js";
import { MultiAddr } from "../model/multiaddr.js";
import { Route } from "../model/route.js";
import { formatSocketAddress, type SocketAddress } from "../model/socket-address.js";
import type { Link, LinkListener } from "../routing/link.js";

/** What a MultiAddr asks for: perhaps a node to connect to, and the workers behind that. */
export interface RoutePlan {
  readonly peer: SocketAddress | undefined;
  /** What the node is connected to over. */
  readonly over: "tcp" | "udp" | undefined;
  readonly tail: Route;
}

/** Throws `bad_route` and `unsupported`; see MultiAddr.steps. */
export function planRoute(text: string): RoutePlan {
  const steps = MultiAddr.parse(text).steps();
  const [first] = steps;
  if (first === undefined) throw new PortwayError("bad_route", "the route is empty", { route: text });
  const workers = steps.flatMap((step) => (step.kind === "worker" ? [step.address] : []));
  if (first.kind === "connect") return { peer: first.peer, over: first.over, tail: Route.of(...workers) };
  if (workers.length < steps.length) {
    const said = `"${text}" is not a route that can be taken: the node to connect to must come first`;
    throw new PortwayError("bad_route", said, { route: text });
  }
  return { peer: undefined, over: undefined, tail: Route.of(...workers) };
}

/** Throws `unreliable_route` for a plan that names a hop on which messages may be lost, on this node or behind it. */
export function mustBeReliable({ over, peer, tail }: RoutePlan, route: string): void {
  const far = tail.addresses().find((address) => address.isUnreliable);
  if (over !== "udp" && far === undefined) return;
  const hop = over === "udp" ? `${formatSocketAddress(peer!)} over UDP` : `the UDP connection ${far!.text}`;
  const said = `a portal can't go along "${route}": messages may be lost on the way through ${hop}`;
  throw new PortwayError("unreliable_route", said, { route, hop });
}

/**
 * A route that needs no connection of its own, as a MultiAddr or as addresses with `=>` between them. Throws `bad_route`,
 * `bad_address` and `unsupported`.
 */
export function parseLocalRoute(text: string): Route {
  if (!text.startsWith("/")) return Route.parse(text);
  const { peer, tail } = planRoute(text);
  if (peer === undefined) return tail;
  const said = `"${text}" names a node to connect to; a route through a connection that there is was expected`;
  throw new PortwayError("bad_route", said, { route: text });
}

/** The link of a route that begins on this node and needs no connection of its own: always up. */
export const localLink: Link = {
  route: Route.empty,
  isUp: true,
  watch(listener) {
    listener.up();
    return { [Symbol.dispose]() {} };
  },
  heard() {},
  renew() {},
  [Symbol.dispose]() {},
};

/** A link that belongs to somebody else: it can be stood on, not ended, and not renewed for one path's sake. */
export function borrowed(link: Link): Link {
  return {
    route: link.route,
    get isUp() {
      return link.isUp;
    },
    watch: (listener: LinkListener) => link.watch(listener),
    heard: () => link.heard(),
    renew() {},
    [Symbol.dispose]() {},
  };
}
