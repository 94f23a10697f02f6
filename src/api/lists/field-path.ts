import {
  type DescEnum,
  type DescField,
  type DescMessage,
  type Message,
  ScalarType,
} from "@bufbuild/protobuf";
import {
  type Duration,
  DurationSchema,
  FeatureSet_FieldPresence,
  type Timestamp,
  TimestampSchema,
} from "@bufbuild/protobuf/wkt";
import { fieldValue } from "../field-value.js";

/** A value as it is compared: times and durations are nanoseconds, a value of an enum is its number. */
export type Comparable = string | bigint | boolean;

/** What stands at the end of a path. A message can be there or not; there is nothing in it to compare. */
export type Leaf =
  | { readonly kind: "text" | "number" | "truth" | "time" | "duration" | "message" }
  | { readonly kind: "choice"; readonly choices: DescEnum };

/** A field of a message, or of a message in it, found by its name. */
export interface FieldPath {
  /** As it was written. */
  readonly text: string;
  readonly leaf: Leaf;
  /** There may be several values: it passes through a list, or ends at a list or a map. */
  readonly isMany: boolean;
  /** There is always a value, and one that is empty, 0 or false is as good as none. */
  readonly hasDefault: boolean;
  /** Whether `test` takes a value that is there in `message`. */
  some(message: Message, test: Test): boolean;
}

/** Makes an error of what is wrong and what was expected. */
export type Refuse = (problem: string) => Error;
type Test = (value: Comparable) => boolean;
type Values = Pick<FieldPath, "leaf" | "isMany" | "hasDefault"> & {
  /** `from` is a message, or a value of the field that the path goes on from. */
  readonly some: (from: unknown, test: Test) => boolean;
};

/**
 * The field of `type` that `text` names: `status.liveness.state`, each part as in the proto or as in JSON. The part behind
 * a map is a key; a map at the end has its keys as values.
 */
export function findField(text: string, type: DescMessage, refuse: Refuse): FieldPath {
  return { text, ...inMessage(type, text.split("."), refuse) };
}

function inMessage(type: DescMessage, [name, ...rest]: readonly string[], refuse: Refuse): Values {
  const field = type.fields.find((known) => known.name === name || known.jsonName === name);
  if (field === undefined) {
    const names = type.fields.map((known) => known.name).join(", ");
    throw refuse(`${JSON.stringify(name)} is no field of ${type.name}; expected one of ${names}`);
  }
  return fromHolder(field, inField(field, rest, refuse));
}

/** Of a message that holds `field`, the values that `inner` finds in the field's value. */
function fromHolder(field: DescField, inner: Values): Values {
  const some: Values["some"] = (holder, test) => {
    const value = fieldValue(holder as object, field);
    return value !== undefined && inner.some(value, test);
  };
  return { ...inner, some };
}

function inField(field: DescField, rest: readonly string[], refuse: Refuse): Values {
  if (field.fieldKind === "list") {
    const item = inValue(field, rest, refuse);
    const some: Values["some"] = (items, test) =>
      (items as unknown[]).some((value) => item.some(value, test));
    return { ...item, isMany: true, hasDefault: false, some };
  }
  if (field.fieldKind !== "map") return inValue(field, rest, refuse);
  const [key, ...behind] = rest;
  if (key === undefined) {
    const some: Values["some"] = (map, test) => Object.keys(map as object).some(test);
    return { leaf: { kind: "text" }, isMany: true, hasDefault: false, some };
  }
  const value = inValue(field, behind, refuse);
  return {
    ...value,
    hasDefault: false,
    some: (map, test) =>
      Object.hasOwn(map as object, key) && value.some((map as Record<string, unknown>)[key], test),
  };
}

/** The path goes on from one value of `field`: an item, if it is a list or a map. */
function inValue(field: DescField, rest: readonly string[], refuse: Refuse): Values {
  const { message } = field;
  if (rest.length > 0) {
    if (message !== undefined && !isSpan(message)) return inMessage(message, rest, refuse);
    throw refuse(`${JSON.stringify(field.name)} has no fields, such as ${JSON.stringify(rest[0])}`);
  }
  const one = { isMany: false, hasDefault: field.presence === FeatureSet_FieldPresence.IMPLICIT } as const;
  if (message !== undefined && isSpan(message)) {
    const kind = message.typeName === TimestampSchema.typeName ? "time" : "duration";
    return { ...one, leaf: { kind }, some: (value, test) => test(nanosIn(value as Timestamp | Duration)) };
  }
  if (message !== undefined) return { ...one, leaf: { kind: "message" }, some: (_, test) => test(true) };
  if (field.enum !== undefined) {
    const leaf: Leaf = { kind: "choice", choices: field.enum };
    return { ...one, leaf, some: (value, test) => test(BigInt(value as number)) };
  }
  switch (field.scalar) {
    case ScalarType.STRING:
      return { ...one, leaf: { kind: "text" }, some: (value, test) => test(value as string) };
    case ScalarType.BOOL:
      return { ...one, leaf: { kind: "truth" }, some: (value, test) => test(value as boolean) };
    case ScalarType.BYTES:
    case ScalarType.FLOAT:
    case ScalarType.DOUBLE:
      throw refuse(`${JSON.stringify(field.name)} is of a type that is not compared`);
    default:
      return {
        ...one,
        leaf: { kind: "number" },
        some: (value, test) => test(BigInt(value as number | bigint)),
      };
  }
}

/** A point in time or a length of it. */
function isSpan({ typeName }: DescMessage): boolean {
  return typeName === TimestampSchema.typeName || typeName === DurationSchema.typeName;
}

export function nanosIn({ seconds, nanos }: Timestamp | Duration): bigint {
  return seconds * 1_000_000_000n + BigInt(nanos);
}
