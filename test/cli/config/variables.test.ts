import assert from "node:assert/strict";
import { test } from "node:test";
import { parseNodeConfig } from "../../../src/cli/config/node-config.js";
import { failure, lines } from "./config-cases.js";

type Given = Readonly<Record<string, string>>;

const parse = (text: string, variables: Given = {}, environment: Given = {}) =>
  parseNodeConfig(text, { source: "n.yaml", variables, environment });

test("--variable wins over the environment, which wins over the file", () => {
  const text = "variables: {A: file}\nname: $A";
  assert.equal(parse(text).name, "file");
  assert.equal(parse(text, {}, { A: "environment" }).name, "environment");
  assert.equal(parse(text, { A: "given" }, { A: "environment" }).name, "given");
});

test("variables stand in values and in names of resources, in every form", () => {
  const text = `
variables: {HOST: h, PORT: 5000, ON: true, BOTH: "$HOST:\${PORT}"}
name: "n-\${HOST}-\${NONE:-x}"
foreground: $ON
http-server-port: $PORT
tcp-outlets:
  out-$HOST:
    to: $BOTH
relay: {name: a, at: n2, relay-address: a$$b}
`;
  const { name, foreground, httpServerPort, outlets, relays } = parse(text);
  assert.equal(name, "n-h-x");
  assert.equal(foreground, true);
  assert.equal(httpServerPort, 5000);
  assert.equal(outlets[0]?.from, "out-h");
  assert.equal(outlets[0]?.to, "h:5000");
  assert.equal(relays[0]?.relayAddress, "a$b");
});

test("what a variable holds never becomes structure", () => {
  const error = failure(() => parse("name: $A", { A: "n1\nticket: x" }));
  assert.match(error.message, /^n\.yaml:1:7: name: .* can't be the name of a node/);
});

test("a variable that is set nowhere is an error at its place", () => {
  const expected =
    /^n\.yaml:2:13: tcp-outlets\.a\.to: the variable 'PORT' is not set; expected --variable PORT=VALUE/;
  assert.match(failure(() => parse("tcp-outlets:\n  a: { to:  $PORT }")).message, expected);
});

test("an empty value names its variable", () => {
  const flag = lines(() => parse("name: $MY_VAR", { MY_VAR: "" }));
  assert.deepEqual(flag, ["--variable MY_VAR: Empty value for variable 'MY_VAR'; expected MY_VAR=VALUE"]);
  for (const text of ["variables: {X: ''}", "variables: {X: }", "variables: {X: ''}\nname: $X"]) {
    const found = lines(() => parse(text));
    assert.equal(found.length, 1, text);
    assert.match(found[0]!, /^n\.yaml:1:\d+: variables\.X: Empty value for variable 'X'; expected/);
  }
  const environment = lines(() => parse("name: $X", {}, { X: "" }));
  assert.match(environment[0]!, /^n\.yaml:1:7: name: Empty value for variable 'X'/);
});

test("a variable that is wrong is reported once, where it is defined", () => {
  const found = lines(() => parse("variables: {A: $B, C: $A}\nname: $A\ntcp-outlet: {to: $C}"));
  assert.equal(found.length, 1, found.join("\n"));
  assert.match(found[0]!, /^n\.yaml:1:16: variables\.A: the variable 'B' is not set/);
});

test("variables that are made of themselves, or of far too much, are refused", () => {
  const cycle = lines(() => parse("variables: {A: $B, B: $A}\nname: $A"));
  assert.equal(cycle.length, 1);
  assert.match(cycle[0]!, /variables\.B: the variable 'A' is made of itself/);
  const pairs = Array.from({ length: 40 }, (_, at) => `V${at}: $V${at + 1}$V${at + 1}`);
  const bomb = lines(() => parse(`variables: {${pairs.join(", ")}, V40: xxxxxxxx}\nname: $V0`));
  assert.equal(bomb.length, 1);
  assert.match(bomb[0]!, /too long with its variables; expected at most 8192 characters/);
  const chain = Array.from({ length: 101 }, (_, at) => `V${at}: $V${at + 1}`);
  const deep = lines(() => parse(`variables: {${chain.join(", ")}, V101: x}\nname: $V0`));
  assert.equal(deep.length, 1);
  assert.match(deep[0]!, /the variable 'V100' is too deep in others; expected at most 100/);
});

test("a `$` that begins no variable is told from one that does", () => {
  const text = (value: string) => `relay: {name: a, at: n2, relay-address: '${value}'}`;
  for (const value of ["a$", "$-", "a$.b"]) {
    assert.equal(parse(text(value)).relays[0]?.relayAddress, value);
  }
  for (const value of [`$\{A`, `$\{}`, `$\{A B}`, `$\{A:b}`]) {
    assert.match(
      failure(() => parse(text(value))).message,
      /expected \$NAME, \$\{NAME\}, or \$\$ for/,
      value,
    );
  }
});

test("names that JavaScript gives to every object are no variables", () => {
  for (const name of ["__proto__", "constructor", "toString"]) {
    assert.match(failure(() => parse(`name: $${name}`)).message, /is not set/);
    assert.match(failure(() => parse(`${name}: 1`)).message, /unknown key/);
  }
});
