// An example of a request: the fields that it can't do without, with values that the API's own rules accept.
import { fromJson, ScalarType } from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import { createValidator } from "@bufbuild/protovalidate";
import { Ignore } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { isOneofRequired, rulesOf } from "./rules.mjs";

const maxDepth = 4;

/** The request as JSON, or undefined if no example can be made up that is valid. */
export function exampleOf(message, api) {
  const validator = createValidator({ registry: api.registry });
  const json = required(message, api, 0);
  try {
    const { kind } = validator.validate(message, fromJson(message, json));
    return kind === "valid" ? json : undefined;
  } catch {
    return undefined;
  }
}

function required(message, api, depth) {
  const json = {};
  const fill = (field) => {
    const value = jsonOf(field, api, depth);
    if (value !== undefined) json[field.jsonName] = value;
  };
  for (const field of message.fields) if (isNeeded(field)) fill(field);
  for (const oneof of message.oneofs) {
    const isFilled = oneof.fields.some(({ jsonName }) => Object.hasOwn(json, jsonName));
    if (isOneofRequired(oneof) && !isFilled) fill(oneof.fields[0]);
  }
  return json;
}

/** Whether its rules refuse a field that is not there. */
function isNeeded(field) {
  const rules = rulesOf(field);
  if (rules === undefined) return false;
  if (rules.required) return true;
  const isAskedWhenAbsent =
    field.presence === FeatureSet_FieldPresence.IMPLICIT && rules.ignore === Ignore.UNSPECIFIED;
  if (!isAskedWhenAbsent) return false;
  const { case: type, value } = rules.type;
  switch (type) {
    case undefined:
      return false;
    case "string":
      return !accepts(field, "");
    case "bytes":
      return (value.minLen ?? 0n) > 0n || (value.len ?? 0n) > 0n;
    case "enum":
      return value.notIn.includes(0);
    case "repeated":
      return (value.minItems ?? 0n) > 0n;
    case "map":
      return (value.minPairs ?? 0n) > 0n;
    default:
      return value.greaterThan?.case === "gt" ? value.greaterThan.value >= 0 : value.greaterThan?.value > 0;
  }
}

function jsonOf(field, api, depth) {
  switch (field.fieldKind) {
    case "list": {
      const element = field.listKind === "message" ? objectOf(field.message, api, depth) : one(field, api);
      return element === undefined ? undefined : [element];
    }
    case "message":
      return objectOf(field.message, api, depth);
    case "enum":
    case "scalar":
      return one(field, api);
    default:
      return undefined;
  }
}

function objectOf(message, api, depth) {
  if (depth >= maxDepth) return undefined;
  if (message.typeName === "google.protobuf.Duration") return "10s";
  if (message.typeName === "google.protobuf.FieldMask") return "spec";
  return api.isOurs(message) ? required(message, api, depth + 1) : {};
}

function one(field, api) {
  if (field.enum !== undefined) return enumValue(field, api);
  if (field.scalar === ScalarType.STRING) return textOf(field, api);
  if (field.scalar === ScalarType.BYTES) return "aGVsbG8=";
  if (field.scalar === ScalarType.BOOL) return true;
  return 1;
}

/** The value that the comment mentions first, else the first that is not the zero. */
function enumValue(field, api) {
  const refused = rulesOf(field)?.type.value?.notIn ?? [];
  const allowed = field.enum.values.filter(({ number }) => !refused.includes(number));
  const comment = api.commentOf(field).toLowerCase();
  const at = ({ localName }) => {
    const index = comment.search(new RegExp(`\\b${localName.toLowerCase()}\\b`));
    return index === -1 ? Number.POSITIVE_INFINITY : index;
  };
  const [first] = [...allowed].sort(
    (a, b) => at(a) - at(b) || Number(a.number === 0) - Number(b.number === 0),
  );
  return first?.name;
}

/** What stands for a part of a resource name in an example. */
const parts = { node: "n1", name: "n1", id: "x1" };

/** The first text in the comment's backquotes that its rules accept, else something of its form. */
function textOf(field, api) {
  const comment = api.commentOf(field).replace(/\s+/g, " ");
  const given = [...comment.matchAll(/`([^`]+)`/g)]
    .map(([, text]) => text)
    .filter((text) => !/^\/\w+$/.test(text));
  const filled = given.map((text) => text.replace(/\{(\w+)\}/g, (_all, part) => parts[part] ?? "x1"));
  const candidates = [
    ...filled.filter((text) => text.includes("/") && text !== "host:port"),
    ...(/address/.test(field.name) || filled.includes("host:port") ? ["127.0.0.1:7000"] : []),
    `<${field.name}>`,
    "n1",
    "nodes/n1",
    "3b241101-e2bb-4255-8caf-4136c566a962",
  ];
  return candidates.find((text) => accepts(field, text));
}

/** The rules that matter for the choice; the whole example is checked at the end. */
function accepts(field, text) {
  const value = rulesOf(field)?.type.value;
  if (value === undefined) return true;
  const { pattern, minLen = 0n, minBytes = 0n, maxLen, maxBytes } = value;
  if (pattern && !new RegExp(pattern).test(text)) return false;
  const least = Math.max(Number(minLen), Number(minBytes));
  const most = Math.min(Number(maxLen || text.length), Number(maxBytes || text.length));
  return text.length >= least && text.length <= most;
}
