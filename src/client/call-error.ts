import type { ConnectError } from "@connectrpc/connect";
import { type ErrorCode, type Facts, PortwayError } from "../base/errors.js";

/** The canonical codes by the words of the Connect protocol. */
export const codes = {
  canceled: 1,
  unknown: 2,
  invalid_argument: 3,
  deadline_exceeded: 4,
  not_found: 5,
  already_exists: 6,
  permission_denied: 7,
  resource_exhausted: 8,
  failed_precondition: 9,
  aborted: 10,
  out_of_range: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  data_loss: 15,
  unauthenticated: 16,
} as const;

export type CodeName = keyof typeof codes;

/** A failed call as it came, before it becomes the ConnectError that a caller gets. */
export class CallError extends Error {
  override name = "CallError";
  readonly code: CodeName;
  readonly details: readonly ErrorDetail[];
  /** False only if it is certain that the daemon saw nothing of the call. */
  readonly sent: boolean;

  constructor(code: CodeName, message: string, options: CallErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? [];
    this.sent = options.sent ?? true;
  }
}

/** A protobuf message by its type name, as bytes. */
export interface ErrorDetail {
  readonly type: string;
  readonly value: Uint8Array;
}

export interface CallErrorOptions {
  readonly details?: readonly ErrorDetail[];
  readonly sent?: boolean;
  readonly cause?: unknown;
}

/** A failure on our side of the line. Its reason and facts travel in `cause`, where `failureOf` finds them. */
export function localFailure(
  code: CodeName,
  reason: ErrorCode,
  message: string,
  facts: Facts,
  options: { readonly sent: boolean; readonly cause?: unknown },
): CallError {
  const cause = new PortwayError(reason, message, facts, { cause: options.cause });
  return new CallError(code, message, { sent: options.sent, cause });
}

/** Of a message, as request and as answer. */
export const contentType = "application/proto";

/** Of a message in an envelope, and of the stream that answers it. */
export const streamContentType = "application/connect+proto";

/** Throws what the daemon said went wrong, or that it is no daemon who answered. `name` is where it was asked. */
export function throwUnlessAnswer(
  name: string,
  status: number,
  type: string,
  body: Uint8Array,
  expected: string = contentType,
): void {
  if (status !== 200) throw errorOfResponse(status, type, body);
  if (type.split(";", 1)[0]?.trim() === expected) return;
  const message = `${name} answered with "${type}", not ${expected}: is it a Portway daemon?`;
  throw new CallError("unknown", message);
}

export function tooLargeAnswer(name: string, maxBytes: number): CallError {
  return new CallError("resource_exhausted", `the answer of ${name} is larger than ${maxBytes} bytes`);
}

function errorOfResponse(status: number, contentType: string, body: Uint8Array): CallError {
  const isError = /^application\/(problem\+)?json\b/.test(contentType);
  const said = isError ? readErrorJson(body) : undefined;
  if (said !== undefined) return said;
  const code = codeOfStatus[status] ?? "unknown";
  return new CallError(code, `HTTP status ${status} without an error of a Portway daemon: is it one?`);
}

const codeOfStatus: Readonly<Record<number, CodeName>> = {
  400: "internal",
  401: "unauthenticated",
  403: "permission_denied",
  404: "unimplemented",
  413: "resource_exhausted",
  415: "internal",
  429: "unavailable",
  431: "resource_exhausted",
  502: "unavailable",
  503: "unavailable",
  504: "unavailable",
};

function readErrorJson(body: Uint8Array): CallError | undefined {
  try {
    return errorOfJson(JSON.parse(new TextDecoder().decode(body)));
  } catch {
    return undefined;
  }
}

/** An error as the Connect protocol has it in JSON; undefined if `read` is none. */
export function errorOfJson(read: unknown): CallError | undefined {
  if (typeof read !== "object" || read === null) return undefined;
  const { code, message, details } = read as { code?: unknown; message?: unknown; details?: unknown };
  if (typeof code !== "string" || !Object.hasOwn(codes, code)) return undefined;
  return new CallError(code as CodeName, typeof message === "string" ? message : "", {
    details: Array.isArray(details) ? details.flatMap(readDetail) : [],
  });
}

function readDetail(detail: unknown): ErrorDetail[] {
  if (typeof detail !== "object" || detail === null) return [];
  const { type, value } = detail as { type?: unknown; value?: unknown };
  if (typeof type !== "string" || typeof value !== "string") return [];
  try {
    return [{ type, value: Uint8Array.from(atob(value), (digit) => digit.charCodeAt(0)) }];
  } catch {
    return [];
  }
}

/** The error that callers get. `Constructor` is Connect's own class. */
export function connectErrorOf(error: CallError, Constructor: typeof ConnectError): ConnectError {
  const failed = new Constructor(
    error.message,
    codes[error.code],
    undefined,
    undefined,
    error.cause ?? error,
  );
  failed.details = error.details.map(({ type, value }) => ({ type, value }));
  return failed;
}
