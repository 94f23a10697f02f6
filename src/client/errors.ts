import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import { BadRequestSchema, ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.js";
import { messageOf, PortwayError } from "../base/errors.js";
import { type CodeName, codes } from "./call-error.js";

/** What a failed call says, for programs and for people. */
export interface Failure {
  /** The canonical code, in the words of the Connect protocol: `not_found`. */
  readonly code: CodeName;
  /** The stable reason of the ErrorInfo: `NODE_NOT_FOUND`. Empty if there is none. */
  readonly reason: string;
  /** What was wrong and what was expected, without the code. */
  readonly message: string;
  readonly facts: Readonly<Record<string, string>>;
  readonly fieldViolations: readonly FieldViolation[];
}

export interface FieldViolation {
  /** Path of the field in the request: `spec.to`. */
  readonly field: string;
  readonly description: string;
}

/**
 * Reads anything that a call of the client, or code of ours beside it, threw. What is neither an error of Connect nor
 * a PortwayError is `unknown`.
 */
export function failureOf(error: unknown): Failure {
  if (error instanceof PortwayError) return failureOfPortwayError(error);
  if (!isConnectError(error)) {
    return { code: "unknown", reason: "", message: messageOf(error), facts: {}, fieldViolations: [] };
  }
  const local = error.cause instanceof PortwayError ? failureOfPortwayError(error.cause) : undefined;
  const info = detail(error, ErrorInfoSchema);
  return {
    code: codeNames.get(error.code) ?? "unknown",
    reason: info?.reason ?? local?.reason ?? "",
    message: error.rawMessage,
    facts: info?.metadata ?? local?.facts ?? {},
    fieldViolations: (detail(error, BadRequestSchema)?.fieldViolations ?? []).map(
      ({ field, description }) => ({
        field,
        description,
      }),
    ),
  };
}

const codeNames: ReadonlyMap<number, CodeName> = new Map(
  Object.entries(codes).map(([name, code]) => [code, name as CodeName]),
);

/** What is needed of Connect's class, which is not loaded for this. */
interface ConnectErrorShape extends Error {
  readonly code: number;
  readonly rawMessage: string;
  readonly details: readonly ErrorDetailShape[];
}

/** With bytes as it came over the wire, with a descriptor as it was made in this process. */
interface ErrorDetailShape {
  readonly type?: unknown;
  readonly desc?: { readonly typeName: string };
  readonly value?: unknown;
}

function isConnectError(error: unknown): error is ConnectErrorShape {
  return (
    error instanceof Error && error.name === "ConnectError" && "rawMessage" in error && "details" in error
  );
}

function failureOfPortwayError(error: PortwayError): Failure {
  const facts = Object.fromEntries(Object.entries(error.facts).map(([name, value]) => [name, String(value)]));
  return {
    code: "unknown",
    reason: error.code.toUpperCase(),
    message: error.message,
    facts,
    fieldViolations: [],
  };
}

/** A detail that can't be read counts as absent: the error itself is worth more. */
function detail<D extends DescMessage>(error: ConnectErrorShape, schema: D): MessageShape<D> | undefined {
  for (const { type, desc, value } of error.details) {
    if (desc?.typeName === schema.typeName) return create(schema, value as MessageInitShape<D>);
    if (type !== schema.typeName || !(value instanceof Uint8Array)) continue;
    try {
      return fromBinary(schema, value);
    } catch {
      return undefined;
    }
  }
  return undefined;
}
