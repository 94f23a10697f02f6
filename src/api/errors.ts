import { create, type DescMessage } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.js";
import { type ErrorCode, type Facts, PortwayError } from "../base/errors.js";
import { fieldInJsonError, fieldOf } from "./fields.js";

/** The domain of every ErrorInfo. */
export const errorDomain = "portway";

/**
 * What an error repeats of a request. Over gRPC it leaves in headers, with the text in it three times, and a client takes
 * 8 KiB of headers.
 */
const maxFactBytes = 256;
const maxTextBytes = 1024;

const rpcCode: Readonly<Record<ErrorCode, Code>> = {
  bad_address: Code.InvalidArgument,
  bad_route: Code.InvalidArgument,
  bad_socket_address: Code.InvalidArgument,
  bad_name: Code.InvalidArgument,
  bad_argument: Code.InvalidArgument,
  bad_page_token: Code.InvalidArgument,
  bad_reply: Code.FailedPrecondition,
  unreliable_route: Code.FailedPrecondition,
  unsupported: Code.Unimplemented,
  node_not_found: Code.NotFound,
  tcp_listener_not_found: Code.NotFound,
  tcp_connection_not_found: Code.NotFound,
  udp_listener_not_found: Code.NotFound,
  udp_connection_not_found: Code.NotFound,
  service_not_found: Code.NotFound,
  worker_not_found: Code.NotFound,
  message_not_found: Code.NotFound,
  relay_not_found: Code.NotFound,
  relay_registration_not_found: Code.NotFound,
  inlet_not_found: Code.NotFound,
  outlet_not_found: Code.NotFound,
  node_exists: Code.AlreadyExists,
  already_exists: Code.AlreadyExists,
  address_taken: Code.AlreadyExists,
  node_running: Code.FailedPrecondition,
  node_stopped: Code.FailedPrecondition,
  service_built_in: Code.FailedPrecondition,
  stream_detached: Code.FailedPrecondition,
  worker_resumed: Code.Aborted,
  owned_by_relay: Code.FailedPrecondition,
  owned_by_inlet: Code.FailedPrecondition,
  address_in_use: Code.FailedPrecondition,
  address_not_available: Code.FailedPrecondition,
  port_privileged: Code.FailedPrecondition,
  too_many: Code.ResourceExhausted,
  queue_full: Code.ResourceExhausted,
  revision_compacted: Code.OutOfRange,
  watch_too_slow: Code.ResourceExhausted,
  malformed: Code.InvalidArgument,
  frame_too_large: Code.InvalidArgument,
  connect_failed: Code.Unavailable,
  not_connected: Code.Unavailable,
  no_reply: Code.DeadlineExceeded,
  timed_out: Code.DeadlineExceeded,
  canceled: Code.Canceled,
  draining: Code.Unavailable,
  stopped: Code.Unavailable,
  daemon_unreachable: Code.Unavailable,
  unauthenticated: Code.Unauthenticated,
  permission_denied: Code.PermissionDenied,
  insecure: Code.FailedPrecondition,
  host_not_allowed: Code.PermissionDenied,
  origin_not_allowed: Code.PermissionDenied,
  unsupported_media_type: Code.Unimplemented,
  unknown_method: Code.Unimplemented,
  message_too_large: Code.ResourceExhausted,
  internal: Code.Internal,
};

/** One field of a request and what is wrong with it. */
export interface FieldViolation {
  /** As in the proto: `inlet.bind_address`. */
  readonly field: string;
  readonly description: string;
  /** The rule that it breaks, in UPPER_SNAKE_CASE. */
  readonly reason?: string;
}

/** An error of ours as it leaves the API: one ErrorInfo, and a BadRequest if fields of the request are to blame. */
export function toConnectError(
  error: PortwayError,
  violations: readonly FieldViolation[] = [],
): ConnectError {
  return rpcError(error.message, rpcCode[error.code], error.code, error.facts, violations, error.cause);
}

export interface FailedCall {
  /** `portway.v1.NodeService/CreateNode`. */
  readonly method: string;
  /** Its type. */
  readonly request?: DescMessage;
  readonly signal: AbortSignal;
}

/**
 * Whatever a call threw, as it leaves the API. What is neither an error of ours nor of Connect's is a fault: the caller
 * learns nothing of it but that, and `cause` holds it for the log.
 */
export function callError(thrown: unknown, { method, request, signal }: FailedCall): ConnectError {
  // Whoever waited for a signal says so with its reason, with an AbortError, or in words of ours: all mean this end.
  const cause = signal.aborted && isEndOfWait(thrown, signal) ? signal.reason : thrown;
  if (cause instanceof ConnectError) return completeError(cause, request);
  // A reason of ours (the server is ending) speaks for itself.
  if (signal.aborted && cause === signal.reason && !(cause instanceof PortwayError)) {
    return toConnectError(new PortwayError("canceled", "the call was canceled by its caller"));
  }
  if (cause instanceof PortwayError) {
    const error = toConnectError(cause);
    const blamesRequest = error.code === Code.InvalidArgument || cause.code === "unsupported";
    const field = blamesRequest ? fieldOf(method, cause) : undefined;
    if (field === undefined) return error;
    const reason = reasonOf(cause.code);
    return toConnectError(cause, [{ field, description: cause.message, reason }]);
  }
  return toConnectError(fault(thrown));
}

/** What a caller learns of a fault of ours; `cause` is for the log. */
export function fault(cause: unknown): PortwayError {
  return new PortwayError("internal", "a fault inside the daemon; its log tells more", {}, { cause });
}

function isEndOfWait(thrown: unknown, signal: AbortSignal): boolean {
  if (thrown === signal.reason) return true;
  if (thrown instanceof PortwayError) return thrown.code === "canceled";
  return thrown instanceof Error && thrown.name === "AbortError";
}

/** The last that happens to an error before it leaves: gives the same one if nothing is missing. */
export type CompleteError = (error: ConnectError, request?: DescMessage) => ConnectError;

/**
 * The same error with exactly one ErrorInfo: what Connect itself refuses (a body that can't be read, a message that is
 * too large, a deadline that passed) has none, and blames the server for bytes that the client got wrong. `request` is
 * the type of what the client sent.
 */
export function completeError(error: ConnectError, request?: DescMessage): ConnectError {
  if (error.findDetails(ErrorInfoSchema).length > 0) return error;
  const message = error.rawMessage;
  switch (error.code) {
    case Code.Canceled:
      return rpcError(message, error.code, "canceled");
    case Code.DeadlineExceeded:
      return rpcError(message, error.code, "timed_out");
    case Code.ResourceExhausted:
      return rpcError(message, error.code, "message_too_large");
    case Code.Unimplemented:
      // Connect ends this text with the compressions that are spoken, which are none.
      return rpcError(
        message.replace(/supported encodings are $/, "expected a message that is not compressed"),
        error.code,
        "unsupported",
      );
    case Code.InvalidArgument:
      return rpcError(message, error.code, "malformed", {}, fieldsInJsonError(message, request));
    default:
      if (message.startsWith("parse binary: ")) {
        return rpcError(
          `the request is not protobuf: ${message.slice(14)}`,
          Code.InvalidArgument,
          "malformed",
        );
      }
      if (message.startsWith("received compressed envelope")) {
        // A caller that names a compression hears UNIMPLEMENTED; this one compressed and named none.
        return rpcError(
          "a message is compressed, and the headers name no compression",
          Code.Internal,
          "malformed",
        );
      }
      return toConnectError(fault(error));
  }
}

function fieldsInJsonError(message: string, request: DescMessage | undefined): FieldViolation[] {
  const field = request === undefined ? undefined : fieldInJsonError(message, request);
  return field === undefined ? [] : [{ field, description: message, reason: reasonOf("malformed") }];
}

function rpcError(
  message: string,
  code: Code,
  reason: ErrorCode,
  facts: Facts = {},
  violations: readonly FieldViolation[] = [],
  cause?: unknown,
): ConnectError {
  const metadata: Record<string, string> = {};
  for (const [fact, value] of Object.entries(facts)) metadata[fact] = cut(String(value), maxFactBytes);
  const error = new ConnectError(told(message, facts), code, undefined, undefined, cause);
  error.details.push({
    desc: ErrorInfoSchema,
    value: create(ErrorInfoSchema, { reason: reasonOf(reason), domain: errorDomain, metadata }),
  });
  if (violations.length > 0) {
    const badRequest = create(BadRequestSchema, {
      fieldViolations: violations.map(({ field, description, reason: rule = "" }) => ({
        field,
        description: told(description, facts),
        reason: rule,
      })),
    });
    error.details.push({ desc: BadRequestSchema, value: badRequest });
  }
  return error;
}

/** A text, with the values in it as they are told. */
function told(text: string, facts: Facts): string {
  let short = text;
  for (const value of Object.values(facts).map(String)) {
    const toldValue = cut(value, maxFactBytes);
    if (toldValue !== value) short = short.replaceAll(value, () => toldValue);
  }
  return cut(short, maxTextBytes);
}

function cut(text: string, maxBytes: number): string {
  if (Buffer.byteLength(text) <= maxBytes) return text;
  // A character that is cut in two is left out.
  return `${new TextDecoder().decode(Buffer.from(text).subarray(0, maxBytes), { stream: true })}…`;
}

function reasonOf(code: ErrorCode): string {
  return code.toUpperCase();
}
