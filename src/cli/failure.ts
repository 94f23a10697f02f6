import { PortwayError } from "../base/errors.js";
import { exitCodeOfReason, exitCodes } from "./exit-codes.js";

/** What went wrong, whoever noticed it: a check of ours, or the daemon. */
export interface CommandFailure {
  /** Upper case, as the reason of an ErrorInfo; INTERNAL for a fault of ours. */
  readonly reason: string;
  readonly message: string;
  /** More lines: the fields of a request that are wrong. */
  readonly details: readonly string[];
  readonly exitCode: number;
}

/** The reason of a failed call or check; undefined for anything else. */
export async function reasonOf(error: unknown): Promise<string | undefined> {
  return error instanceof PortwayError || isCallError(error) ? (await failureOf(error)).reason : undefined;
}

/** Describes anything thrown. What reads errors of calls is loaded only when there is one. */
export async function failureOf(error: unknown): Promise<CommandFailure> {
  if (error instanceof PortwayError) return failure(error.code.toUpperCase(), error.message);
  if (isCallError(error)) return await callFailure(error);
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return {
    reason: "INTERNAL",
    message: `this is a fault of Portway: ${message}`,
    details: [],
    exitCode: exitCodes.failure,
  };
}

/** For an error that did not come from the daemon's own code: a broken connection, a server that is not ours. */
const reasonByCode: Readonly<Record<string, string>> = {
  unavailable: "DAEMON_UNREACHABLE",
  deadline_exceeded: "TIMED_OUT",
  canceled: "CANCELED",
  invalid_argument: "BAD_ARGUMENT",
  unauthenticated: "UNAUTHENTICATED",
  permission_denied: "PERMISSION_DENIED",
};

function failure(reason: string, message: string, details: readonly string[] = []): CommandFailure {
  return { reason, message, details, exitCode: exitCodeOfReason(reason) };
}

function isCallError(error: unknown): boolean {
  return error instanceof Error && error.name === "ConnectError";
}

async function callFailure(error: unknown): Promise<CommandFailure> {
  const client = await import("../client/errors.js");
  const { code, reason, message, fieldViolations } = client.failureOf(error);
  const details = fieldViolations
    .filter(({ description }) => description !== message)
    .map(({ field, description }) => `${field}: ${description}`)
    .filter((detail) => !message.includes(detail));
  return failure(reason === "" ? (reasonByCode[code] ?? "INTERNAL") : reason, message, details);
}
