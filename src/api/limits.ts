/** What one daemon's API gives to its callers, so that none of them can hold anything for ever. */
export interface ApiLimits {
  /** Open sockets of one listener; more are closed at once. */
  readonly maxConnections?: number;
  /** Calls at the same time on one connection; over HTTP/1.1 more that are pipelined wait, and no more are read. */
  readonly maxStreamsPerConnection?: number;
  /** Size of one request message, after decompression. */
  readonly maxRequestBytes?: number;
  /** Size of one response message. */
  readonly maxResponseBytes?: number;
  /** Size of all headers of a request. */
  readonly maxHeaderBytes?: number;
  /** From the accepted socket to its first bytes and the end of the TLS handshake. */
  readonly handshakeTimeoutMs?: number;
  /** From the first byte of a request's headers to the last (HTTP/1.1). */
  readonly headersTimeoutMs?: number;
  /** From the headers of a request to the end of its body; of a stream of requests, to the end of the first one. */
  readonly requestTimeoutMs?: number;
  /** How long a response may wait for a client that takes nothing. */
  readonly stallTimeoutMs?: number;
  /** How long a connection may be open without a call under way. */
  readonly idleTimeoutMs?: number;
  /** How long a TCP connection may be open without one call that was let in. */
  readonly unauthenticatedTimeoutMs?: number;
  /**
   * The longest deadline of a call: a client that sets a longer one gets this one. Not of a streaming call, which may
   * last as long as its client wants.
   */
  readonly maxDeadlineMs?: number;
  /** Streaming calls at the same time. */
  readonly maxOpenStreams?: number;
  /** Answers that are kept for repeated calls with the same `request_id`. */
  readonly maxRememberedAnswers?: number;
}

const defaults = {
  maxConnections: 1024,
  maxStreamsPerConnection: 128,
  maxRequestBytes: 8 * 1024 * 1024,
  maxResponseBytes: 32 * 1024 * 1024,
  maxHeaderBytes: 16 * 1024,
  handshakeTimeoutMs: 10_000,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 60_000,
  stallTimeoutMs: 30_000,
  idleTimeoutMs: 300_000,
  unauthenticatedTimeoutMs: 30_000,
  maxDeadlineMs: 3_600_000,
  maxOpenStreams: 4096,
  maxRememberedAnswers: 4096,
} as const satisfies Required<ApiLimits>;

export function resolveApiLimits(given: ApiLimits = {}): Required<ApiLimits> {
  return Object.freeze({ ...defaults, ...given });
}
