import type { Entrance } from "../model/message.js";

/** A connection as routing sees it: how its messages come into the node. Compared by identity. */
export interface Arrival extends Entrance {
  readonly by:
    | "node_listener" // accepted by the listener that the node was created with
    | "added_listener" // accepted by a listener that was added later
    | "created_connection" // dialed because someone created a connection
    | "route_connection" // dialed for the route of an inlet or a message
    | "relay_connection"; // dialed for a relay
  /** `ip:port` of the peer; empty while there is none. */
  readonly peer: string;
  /** Workers of kind hop that existed when the connection was made, by address key. */
  readonly hops: ReadonlySet<string>;
  /** Connections that a relay has joined with this one: what comes in on one may leave on the other. */
  readonly joined: Set<Arrival>;
  /** What has come in so far: that it grows shows that the peer lives. Absent where it is not counted. */
  readonly traffic?: { readonly receivedMessages: number; readonly receivedBytes: number };
  /** What came in last was not taken: nothing is read until it is, or until the link ends. */
  readonly isBlocked?: boolean;
  /**
   * Looks from now on whether the peer takes what is sent to it. True from the call that this gives: it has since, and
   * more is under way to it, so that what was sent may not have come to it yet. False also where nobody can tell.
   */
  watchTaking?(): () => Promise<boolean>;
  /** Calls `lost` once, when the established link ends, however it ends. At once if there is none. */
  onLost(lost: () => void): Disposable;
}

/** From now on what comes in on one of the two connections may leave on the other. */
export function join(one: Arrival, other: Arrival): void {
  if (one === other || one.joined.has(other)) return;
  one.joined.add(other);
  other.joined.add(one);
}

/** The link of a connection has ended: it is joined with none. */
export function part(gone: Arrival): void {
  for (const other of gone.joined) other.joined.delete(gone);
  gone.joined.clear();
}
