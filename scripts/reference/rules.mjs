// The validation rules of a field (buf.validate) in words.
import { getOption, hasOption } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import {
  field as fieldOption,
  Ignore,
  oneof as oneofOption,
} from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { html } from "./html.mjs";

/** The FieldRules of a field, or undefined. */
export function rulesOf(field) {
  return hasOption(field, fieldOption) ? getOption(field, fieldOption) : undefined;
}

/** What a value has to keep to, one statement each; text or Html. */
export function statementsOf(field) {
  const rules = rulesOf(field);
  return rules === undefined ? [] : statements(rules, field);
}

/** Whether one field of the group has to be set. */
export function isOneofRequired(oneof) {
  return hasOption(oneof, oneofOption) && getOption(oneof, oneofOption).required;
}

function statements(rules, field) {
  const said = [];
  if (rules.required) said.push("required");
  said.push(...typed(rules.type, field));
  for (const rule of rules.cel) said.push(rule.message || html`<code>${rule.expression}</code>`);
  for (const expression of rules.celExpression ?? []) said.push(html`<code>${expression}</code>`);
  if (rules.ignore === Ignore.ALWAYS) return [];
  if (rules.ignore === Ignore.IF_ZERO_VALUE && said.length > 0) said.push("may be left empty");
  return said;
}

function typed(type, field) {
  switch (type.case) {
    case undefined:
      return [];
    case "repeated":
    case "map":
      return collected(type, field);
    default: {
      const rules = new Map(setFields(type.value));
      return [...range(rules), ...lengths(rules, type.case), ...rest(rules, field)];
    }
  }
}

function collected({ case: kind, value }, field) {
  const said = [];
  const of = kind === "map" ? "entries" : "items";
  const { min, max } =
    kind === "map"
      ? { min: value.minPairs, max: value.maxPairs }
      : { min: value.minItems, max: value.maxItems };
  const count = between(min || undefined, max || undefined, (number) => grouped(number), of);
  if (count !== undefined) said.push(count);
  if (value.unique) said.push("no two alike");
  const parts = { "each item": value.items, "each key": value.keys, "each value": value.values };
  for (const [what, rules] of Object.entries(parts)) {
    if (rules !== undefined) for (const each of statements(rules, field)) said.push(html`${what}: ${each}`);
  }
  return said;
}

/** `gt gte lt lte const` of numbers, durations and timestamps; takes what it says from `rules`. */
function range(rules) {
  const take = (name) => {
    const value = rules.get(name);
    rules.delete(name);
    return value === undefined ? undefined : amount(value);
  };
  const [gt, gte, lt, lte, exact] = ["gt", "gte", "lt", "lte", "const"].map(take);
  if (exact !== undefined) return [`exactly ${exact}`];
  if (gte !== undefined && lte !== undefined) return [`${gte} to ${lte}`];
  return [
    gt !== undefined && `more than ${gt}`,
    gte !== undefined && `at least ${gte}`,
    lt !== undefined && `less than ${lt}`,
    lte !== undefined && `at most ${lte}`,
  ].filter((text) => text !== false);
}

function lengths(rules, type) {
  const said = [];
  const say = (names, unit, format) => {
    const [exact, min, max] = names.map((name) => rules.get(name));
    for (const name of names) rules.delete(name);
    const text = exact === undefined ? between(min, max, format, unit) : `exactly ${format(exact)} ${unit}`;
    if (text !== undefined) said.push(text);
  };
  if (type === "bytes") say(["len", "min_len", "max_len"], "", bytes);
  else say(["len", "min_len", "max_len"], "characters", grouped);
  say(["len_bytes", "min_bytes", "max_bytes"], "", bytes);
  return said;
}

const formats = {
  uuid: "a UUID",
  email: "an email address",
  hostname: "a host name",
  ip: "an IP address",
  ipv4: "an IPv4 address",
  ipv6: "an IPv6 address",
  uri: "a URI",
  uri_ref: "a URI reference",
  address: "a host name or an IP address",
  tuuid: "a UUID without dashes",
  host_and_port: "a host and a port",
};

function rest(rules, field) {
  const said = [];
  for (const [name, value] of rules) {
    if (name === "pattern") said.push(html`matches <code>${value}</code>`);
    else if (name === "defined_only") said.push("a value that is defined");
    else if (name === "in") said.push(html`one of ${listed(value, field)}`);
    else if (name === "not_in") said.push(html`not ${listed(value, field)}`);
    else if (Object.hasOwn(formats, name)) said.push(formats[name]);
    else said.push(html`${name.replaceAll("_", " ")}: <code>${plain(value)}</code>`);
  }
  return said;
}

function listed(values, field) {
  return [...values].map((value, i) => {
    const name = field.enum?.value[value]?.name ?? plain(value);
    return html`${i > 0 && ", "}<code>${name}</code>`;
  });
}

/** The fields of a rule that are set, by their names in the proto. */
function setFields(rule) {
  const message = reflect(ruleDescriptor(rule), rule);
  return message.fields
    .filter((field) => message.isSet(field))
    .filter((field) => field.name !== "example")
    .map((field) => [
      field.name,
      field.oneof === undefined ? rule[field.localName] : rule[field.oneof.localName].value,
    ]);
}

function ruleDescriptor({ $typeName }) {
  const type = fieldOption.message.fields.find(({ message }) => message?.typeName === $typeName);
  if (type?.message === undefined) throw new Error(`${$typeName} is no rule that this page knows`);
  return type.message;
}

function between(min, max, format, unit) {
  const words = (text) => `${text} ${unit}`.trimEnd();
  if (min !== undefined && max !== undefined) return words(`${format(min)} to ${format(max)}`);
  if (min !== undefined) return Number(min) === 1 ? "not empty" : words(`at least ${format(min)}`);
  return max === undefined ? undefined : words(`at most ${format(max)}`);
}

function amount(value) {
  if (value?.$typeName === "google.protobuf.Duration") {
    return `${Number(value.seconds) + value.nanos / 1e9} s`;
  }
  return typeof value === "object" ? plain(value) : grouped(value);
}

function bytes(count) {
  const number = Number(count);
  if (number >= 1024 * 1024 && number % (1024 * 1024) === 0) return `${number / (1024 * 1024)} MiB`;
  if (number >= 1024 && number % 1024 === 0) return `${number / 1024} KiB`;
  return `${grouped(number)} bytes`;
}

/** Digits in groups of three, from five digits on: 65 535, not 1 000. */
function grouped(number) {
  const digits = String(number);
  return /^-?\d{5,}$/.test(digits) ? digits.replace(/\B(?=(\d{3})+$)/g, "\u00a0") : digits;
}

function plain(value) {
  if (typeof value === "string") return value;
  return JSON.stringify(value, (_key, part) => (typeof part === "bigint" ? String(part) : part));
}
