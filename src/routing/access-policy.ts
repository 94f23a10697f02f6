import type { Arrival } from "./arrival.js";
import type { DropReason, WorkerInfo } from "./worker.js";

/** Who sent a message, where a secure channel has shown it. There is none yet. */
export type Identity = never;

/**
 * Decides who may reach what. It is asked once for each message, where that enters the node; and for a worker that is
 * bound to one connection, whichever way the message has come to it.
 */
export interface AccessPolicy {
  /** Undefined allows; otherwise the reason under which the denial is counted. */
  decide(arrival: Arrival, identity: Identity | undefined, worker: WorkerInfo): DropReason | undefined;
}

const servicesFor: Readonly<Record<Arrival["by"], ReadonlySet<string>>> = {
  node_listener: new Set(["echo", "uppercase", "hop"]),
  added_listener: new Set(),
  created_connection: new Set(),
  route_connection: new Set(["echo", "uppercase"]),
  relay_connection: new Set(["echo", "uppercase"]),
};

/** Which kinds of arrival reach the hops that there were when the connection was made. */
const reachesHops: ReadonlySet<Arrival["by"]> = new Set(["created_connection", "relay_connection"]);

/**
 * Which kinds of arrival reach a worker that a program is. Someone opened it on purpose, so it is there for all who come
 * to this node, and through a relay, as echo is; not for the other end of a connection that was dialed for something
 * else.
 */
const reachesPrograms: ReadonlySet<Arrival["by"]> = new Set(["node_listener", "relay_connection"]);

/** Who reaches what on a node of Ockam without an authority. */
export const defaultAccessPolicy: AccessPolicy = {
  decide(arrival, _identity, worker) {
    switch (worker.kind) {
      case "portal_session":
      case "reply":
      case "relay_client":
        return worker.hearsFrom === arrival ? undefined : "not_the_bound_connection";
      case "connection":
        return isJoined(arrival, worker) ? undefined : "denied_by_policy";
      case "service": {
        const service = worker.service ?? "";
        if (servicesFor[arrival.by].has(service)) return undefined;
        const hop = service === "hop" && reachesHops.has(arrival.by) && arrival.hops.has(worker.address.key);
        return hop ? undefined : "denied_by_policy";
      }
      case "program": {
        const reaches = reachesPrograms.has(arrival.by) || worker.hasSentOn?.(arrival) === true;
        return reaches ? undefined : "denied_by_policy";
      }
      case "relay_service":
      case "relay":
      case "outlet":
        return arrival.by === "node_listener" ? undefined : "denied_by_policy";
      default:
        return "denied_by_policy";
    }
  },
};

function isJoined(arrival: Arrival, worker: WorkerInfo): boolean {
  return typeof worker.hearsFrom === "object" && arrival.joined.has(worker.hearsFrom as Arrival);
}
