import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { PortwayError } from "../../../src/base/errors.js";
import { parseNodeConfig } from "../../../src/cli/config/node-config.js";
import { lines } from "./config-cases.js";

const mebibyte = 1_048_576;
const only = (text: string): string => {
  const found = lines(() => parseNodeConfig(text, { source: "n.yaml" }));
  assert.equal(found.length, 1, found.join("\n"));
  return found[0]!;
};

test("a text that is no YAML is refused at its place", () => {
  const first = (text: string) => lines(() => parseNodeConfig(text, { source: "n.yaml" }))[0]!;
  assert.match(first("name: n1\nrelays: {a: [}"), /^n\.yaml:2:14: not valid YAML or JSON: /);
  assert.match(first(`{"name": "n1"`), /^n\.yaml:1:14: not valid YAML or JSON: /);
  assert.match(first("a:\n\tb: 1"), /^n\.yaml:2:1: a tab is used to indent; expected spaces/);
  assert.match(first("name: a: b"), /^n\.yaml:1:7: not valid YAML or JSON: /);
});

test("what no configuration needs is refused", () => {
  const deep = (open: string, close: string) => `a: ${open.repeat(40)}${close.repeat(40)}`;
  const indented = Array.from({ length: 40 }, (_, at) => `${" ".repeat(at)}a:`).join("\n");
  const cases: [string, RegExp][] = [
    ["name: a\n---\nname: b", /^n\.yaml:2:1: a second document begins here; expected one$/],
    [`name: ${"a".repeat(mebibyte)}`, /^n\.yaml:1:1: the text is larger than 1 MiB/],
    [`name: "${"é".repeat(mebibyte / 2)}"`, /^n\.yaml:1:1: the text is larger than 1 MiB/],
    [`name: ${"a".repeat(10_000)}`, /^n\.yaml:1:7: a value is too long; expected at most 8192/],
    [deep("[", "]"), /^n\.yaml:1:35: nested too deep; expected at most 32/],
    [deep("{a: ", "}"), /nested too deep/],
    [`a:\n${"- ".repeat(40)}x`, /nested too deep/],
    [`${"? ".repeat(40)}x`, /nested too deep/],
    [indented, /^n\.yaml:3[123]:.*nested too deep/],
    [`a: [${"*x,".repeat(100)}]`, /too many anchors and aliases; expected at most 64/],
    [Array.from({ length: 100 }, (_, at) => `k${at}: &a${at} 1`).join("\n"), /too many anchors and aliases/],
    ["a: ,\n".repeat(60_000), /too much; expected at most 100000 words and signs/],
    [`name: "${"\\x".repeat(4_000)}"\n`.repeat(5), /too many escapes/],
    ["name: !!binary aGk=", /^n\.yaml:1:7: tags are not supported/],
    ["%YAML 1.1\n---\nname: a", /^n\.yaml:1:1: directives are not supported/],
    ["name: a\u0000b", /^n\.yaml:1:8: holds the control character 0x00/],
  ];
  for (const [text, expected] of cases) assert.match(only(text), expected, text.slice(0, 60));
});

test("an alias bomb costs nothing", () => {
  const levels = Array.from({ length: 30 }, (_, at) => `l${at + 1}: &l${at + 1} [*l${at}, *l${at}]`);
  const found = lines(() => parseNodeConfig(`l0: &l0 x\n${levels.join("\n")}`, { source: "n.yaml" }));
  assert.ok(found.length > 0);
  const outlets = `{${Array.from({ length: 900 }, (_, at) => `o${at}: {to: 1}`).join(", ")}}`;
  const aliases = Array.from({ length: 60 }, () => "*o").join(", ");
  assert.match(
    only(`tcp-outlets: [&o ${outlets}, ${aliases}]`),
    /holds too many entries; expected at most 1000/,
  );
});

/** Pieces that mean something to a YAML parser or to the configuration. */
const pieces = fc.oneof(
  fc.constantFrom(..."[]{},:-?&*!|>'\"%@`#\n\t $\\".split("")),
  fc.constantFrom(
    "- ",
    "? ",
    ": ",
    "\n  ",
    "\n    ",
    "---\n",
    "...\n",
    "&a ",
    "*a",
    "<<: ",
    "${",
    "$$",
    '"\\x',
    "\r\n",
  ),
  fc.constantFrom(
    "name",
    "relays",
    "tcp-inlets",
    "tcp_outlet",
    "variables",
    "at",
    "to",
    "from",
    "/service/x",
    "$A",
  ),
  fc.string({ maxLength: 4, unit: "binary" }),
);
const text = fc.array(pieces, { maxLength: 60 }).map((parts) => parts.join(""));

function survives(input: string): void {
  try {
    parseNodeConfig(input, { source: "n.yaml", variables: { A: "1" }, environment: {} });
  } catch (error) {
    if (!(error instanceof PortwayError)) throw error;
    assert.equal(error.code, "bad_argument");
    for (const line of error.message.split("\n")) assert.match(line, /^(n\.yaml: and |n\.yaml:\d+:\d+: ).+/);
  }
}

/** Of the processor, so that other programs do not count; the least of three times if the first is long. */
function millisecondsOf(run: () => void): number {
  let least = Number.POSITIVE_INFINITY;
  for (let times = 3; times > 0 && least >= 1_000; times -= 1) {
    const before = process.cpuUsage();
    run();
    const { user, system } = process.cpuUsage(before);
    least = Math.min(least, (user + system) / 1000);
  }
  return least;
}

test("any text gives a configuration or a PortwayError", () => {
  fc.assert(fc.property(text, survives), { numRuns: 3_000 });
});

test("a text of 1 MiB takes less than a second, whatever is repeated in it", () => {
  const inputs = fc.tuple(text, fc.string({ maxLength: 6, unit: "binary" }), fc.constantFrom("", "\n"));
  const property = fc.property(inputs, ([unit, head, separator]) => {
    const repeated = `${unit}${separator}` === "" ? "x" : `${unit}${separator}`;
    const input = (head + repeated.repeat(Math.ceil(mebibyte / repeated.length))).slice(0, mebibyte);
    const bytes = Buffer.from(input).subarray(0, mebibyte).toString("utf8").replaceAll("\ufffd", "x");
    const took = millisecondsOf(() => survives(bytes.slice(0, mebibyte)));
    assert.ok(took < 1_000, `took ${Math.round(took)} ms for ${JSON.stringify(repeated)}`);
  });
  // A smaller example would take as many attempts as seconds; what is repeated says enough.
  fc.assert(property, { numRuns: 60, endOnFailure: true });
});

test("as much as the limits let pass is read in less than a second", () => {
  const rows = (make: (at: number) => string, count: number) =>
    Array.from({ length: count }, (_, at) => make(at)).join("\n");
  for (const input of [
    rows((at) => `key${at}: 1`, 18_000),
    `tcp-outlets:\n${rows((at) => `  o${at}: {to: 1}`, 7_000)}`,
    `tcp-outlets:\n${rows((at) => `  - {to: 1, form: ${at}}`, 5_000)}`,
    `variables:\n${rows((at) => `  V${at}: $V${at + 1}`, 999)}`,
    "\n".repeat(99_000),
    `name: "${"\\x".repeat(4_000)}"\n`.repeat(2),
    rows((at) => `k${at}: "${"x".repeat(8_000)}"`, 130),
    rows((at) => `k${at}: ${"${".repeat(4_000)}`, 130),
  ]) {
    const took = millisecondsOf(() => survives(input));
    assert.ok(took < 1_000, `took ${Math.round(took)} ms for ${JSON.stringify(input.slice(0, 40))}`);
  }
});
