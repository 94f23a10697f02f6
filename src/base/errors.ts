/** What can go wrong, for programs. The API says the same words in upper case as the reason of its ErrorInfo. */
export type ErrorCode =
  // what a caller gave
  | "bad_address"
  | "bad_route"
  | "bad_socket_address"
  | "bad_name"
  | "bad_argument"
  | "bad_page_token"
  | "bad_reply"
  | "unreliable_route"
  | "unsupported"
  // what is there or not
  | "node_not_found"
  | "tcp_listener_not_found"
  | "tcp_connection_not_found"
  | "udp_listener_not_found"
  | "udp_connection_not_found"
  | "service_not_found"
  | "worker_not_found"
  | "message_not_found"
  | "relay_not_found"
  | "relay_registration_not_found"
  | "inlet_not_found"
  | "outlet_not_found"
  | "node_exists"
  | "already_exists"
  | "address_taken"
  // what stands in the way
  | "node_running"
  | "node_stopped"
  | "service_built_in"
  | "stream_detached"
  | "worker_resumed"
  | "owned_by_relay"
  | "owned_by_inlet"
  | "address_in_use"
  | "address_not_available"
  | "port_privileged"
  | "too_many"
  | "queue_full"
  // what a watch met
  | "revision_compacted"
  | "watch_too_slow"
  // what the network did
  | "malformed"
  | "frame_too_large"
  | "connect_failed"
  | "not_connected"
  | "no_reply"
  | "timed_out"
  | "canceled"
  // the daemon
  | "draining"
  | "stopped"
  | "daemon_unreachable"
  | "unauthenticated"
  | "permission_denied"
  // how the API was asked
  | "insecure"
  | "host_not_allowed"
  | "origin_not_allowed"
  | "unsupported_media_type"
  | "unknown_method"
  | "message_too_large"
  | "internal";

export type Facts = Readonly<Record<string, string | number | boolean>>;

/**
 * An expected failure: `code` is for programs, `message` for people (what was wrong and what was expected), `facts`
 * are the values in it, `cause` is for logs. Anything else that is thrown is a fault of ours.
 */
export class PortwayError extends Error {
  override name = "PortwayError";
  readonly code: ErrorCode;
  readonly facts: Facts;

  constructor(code: ErrorCode, message: string, facts: Facts = {}, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.facts = facts;
  }
}

/** The text of anything thrown, for a person. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
