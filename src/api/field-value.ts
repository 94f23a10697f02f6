import type { DescField } from "@bufbuild/protobuf";

/** The value of `field` in `message`, which is of its type; undefined where it is not set and has no default. */
export function fieldValue(message: object, { localName, oneof }: DescField): unknown {
  const values = message as Readonly<Record<string, unknown>>;
  if (oneof === undefined) return values[localName];
  const chosen = values[oneof.localName] as { readonly case?: string; readonly value?: unknown };
  return chosen.case === localName ? chosen.value : undefined;
}
