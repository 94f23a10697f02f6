import { create, type DescMessage, isMessage, type Message } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import { type Duration, DurationSchema } from "@bufbuild/protobuf/wkt";
import { createValidator, type Violation } from "@bufbuild/protovalidate";
import type { ConnectError, Interceptor } from "@connectrpc/connect";
import { PortwayError } from "../base/errors.js";
import { type FieldViolation, toConnectError } from "./errors.js";
import { fieldValue } from "./field-value.js";

/** Violations that an error tells; gRPC sends them in a header, of which a client takes 8 KiB. */
const maxViolations = 10;
/** A list with more items is known to be too long, and may hold millions of items that are wrong as well. */
const maxCheckedItems = 100;

/** Checks requests by the rules in the proto, and by those of protobuf that its binary reader does not keep. */
export interface Validation {
  /** Undefined if `message` keeps every rule; else INVALID_ARGUMENT (BAD_ARGUMENT) with the fields that do not. */
  check(type: DescMessage, message: Message): ConnectError | undefined;
}

/**
 * The rules of a type are compiled when it is first checked. For `types` that is done from now on, one in each turn of
 * the event loop: together they take 0.15 s, which neither the start of a daemon nor the first caller should wait for.
 */
export function createValidation(types: readonly DescMessage[]): Validation {
  const validator = createValidator({ regexMatch: matches });
  const first = createValidator({ regexMatch: matches, failFast: true });
  const validation: Validation = {
    check(type, message) {
      const result = (hasLongList(type, message) ? first : validator).validate(type, message);
      // A rule that can't be evaluated is a fault of ours, not of the request.
      if (result.kind === "error") throw result.error;
      const all = [...badDurations(type, message), ...(result.violations ?? []).map(toFieldViolation)];
      if (all.length === 0) return undefined;
      const violations = all.slice(0, maxViolations);
      const { field, description } = violations[0]!;
      const others = all.length - 1;
      const text = `${field}: ${description}${others > 0 ? ` (and ${others} more)` : ""}`;
      return toConnectError(new PortwayError("bad_argument", text, { field }), violations);
    },
  };
  const cold = [...types];
  const warm = (): void => {
    const type = cold.shift();
    if (type === undefined) return;
    validation.check(type, create(type));
    setImmediate(warm).unref();
  };
  setImmediate(warm).unref();
  return validation;
}

/** Lists stand in requests themselves alone, not in the messages in them. */
function hasLongList({ fields }: DescMessage, message: Message): boolean {
  return fields.some(({ fieldKind, localName }) => {
    if (fieldKind !== "list") return false;
    return (message as unknown as Record<string, readonly unknown[]>)[localName]!.length > maxCheckedItems;
  });
}

/** Each message of a stream of requests is checked when it is read. */
export function validateRequests(validation: Validation): Interceptor {
  return (next) => (request) => {
    const { input } = request.method;
    if (request.stream) return next({ ...request, message: checked(request.message, input, validation) });
    const error = validation.check(input, request.message);
    return error === undefined ? next(request) : Promise.reject(error);
  };
}

async function* checked(
  messages: AsyncIterable<Message>,
  type: DescMessage,
  validation: Validation,
): AsyncGenerator<Message> {
  for await (const message of messages) {
    const error = validation.check(type, message);
    if (error !== undefined) throw error;
    yield message;
  }
}

const compiled = new Map<string, RegExp>();

/** The patterns are our own and plain enough for the engine of the language, which is much faster than RE2 in script. */
function matches(pattern: string, text: string): boolean {
  let known = compiled.get(pattern);
  if (known === undefined) {
    known = new RegExp(pattern, "u");
    compiled.set(pattern, known);
  }
  return known.test(text);
}

function toFieldViolation({ field, message, ruleId }: Violation): FieldViolation {
  const reason = ruleId.toUpperCase().replaceAll(/[^A-Z0-9]+/g, "_");
  return { field: pathToString(field), description: message, reason };
}

/** In JSON no duration can be written that is none; in binary one can. */
function* badDurations(type: DescMessage, message: Message, within = ""): Generator<FieldViolation> {
  for (const field of type.fields) {
    const value =
      field.fieldKind === "message" ? (fieldValue(message, field) as Message | undefined) : undefined;
    if (value === undefined) continue;
    const path = within + field.name;
    if (!isMessage(value, DurationSchema)) yield* badDurations(field.message!, value, `${path}.`);
    else if (!isDuration(value)) {
      const description = "must have nanos from -999999999 to 999999999, of the same sign as its seconds";
      yield { field: path, description, reason: "DURATION_NANOS" };
    }
  }
}

function isDuration({ seconds, nanos }: Duration): boolean {
  const isOfOneSign = seconds === 0n || nanos === 0 || seconds > 0n === nanos > 0;
  return Math.abs(nanos) < 1e9 && isOfOneSign;
}
