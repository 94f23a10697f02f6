import assert from "node:assert/strict";
import { test } from "node:test";
import { parseNodeConfig } from "../../../src/cli/config/node-config.js";
import { lines } from "./config-cases.js";

const problems = (text: string) => lines(() => parseNodeConfig(text, { source: "n.yaml", environment: {} }));
const only = (text: string): string => {
  const found = problems(text);
  assert.equal(found.length, 1, found.join("\n"));
  return found[0]!;
};

test("what Ockam has and is not enforced here is refused by name, with its place and the reason", () => {
  const ofNode =
    "ticket enrollment-ticket identity project policy policies influxdb-inlet influxdb-inlets influxdb_outlets influxdb-outlet kafka-inlet kafka-outlet launch-config launch_config authority-identity authority-route credential-scope udp child-process opentelemetry-context vaults identities nodes";
  for (const key of ofNode.split(" ")) {
    assert.match(
      only(`name: n\n${key}: x`),
      new RegExp(`^n\\.yaml:2:1: ${key}: not supported: .{8,}; expected it`),
      key,
    );
  }
  const ofInlet =
    "via identity authorized allow expression udp no-tcp-fallback ebpf tls tls-certificate-provider tls_certificate_provider";
  for (const key of ofInlet.split(" ")) {
    const text = `tcp-inlet:\n  to: /service/outlet\n  ${key}: x`;
    assert.match(only(text), new RegExp(`^n\\.yaml:3:3: tcp-inlet\\.${key}: not supported: `), key);
  }
  for (const key of ["allow", "expression", "ebpf", "tls"]) {
    const text = `tcp-outlets:\n  db:\n    to: 5432\n    ${key}: true`;
    assert.match(only(text), new RegExp(`^n\\.yaml:4:5: tcp-outlets\\.db\\.${key}: not supported: `), key);
  }
  for (const key of ["authorized", "identity", "project-relay", "retry-count", "no-retry"]) {
    assert.match(
      only(`relay:\n  - at: n2\n    ${key}: x`),
      /^n\.yaml:3:5: relay\[0\]\..*: not supported: /,
      key,
    );
  }
});

test("an unknown key gets the closest known one", () => {
  const cases: [string, string, string][] = [
    ["nmae: n", "nmae", "name"],
    ["Name: n", "Name", "name"],
    ["inlets: []", "inlets", "tcp-inlets"],
    ["tcp-outlts: []", "tcp-outlts", "tcp-outlets"],
    ["tcp-listener-adress: 1", "tcp-listener-adress", "tcp-listener-address"],
    ["tcp-inlet: {too: /service/outlet, to: /service/outlet}", "tcp-inlet.too", "to"],
    ["relay: {at: n2, relay-adress: x}", "relay.relay-adress", "relay-address"],
  ];
  for (const [text, path, known] of cases) {
    assert.ok(only(text).endsWith(`: ${path}: unknown key; expected ${known}?`), only(text));
  }
  assert.match(only("zzzzzzzzzz: 1"), /unknown key; expected one of version, name, /);
});

test("exit-on-eof needs a node in the foreground, by the text or by the flag", () => {
  const text = "name: n\nexit-on-eof: true";
  assert.equal(
    only(text),
    "n.yaml:2:14: exit-on-eof: only a node in the foreground ends so; expected foreground: true",
  );
  assert.ok(parseNodeConfig(`${text}\nforeground: true`, { source: "n.yaml" }).exitOnEof);
  assert.ok(parseNodeConfig(text, { source: "n.yaml", foreground: true }).exitOnEof);
});

test("a wrong type says what was expected and what was there", () => {
  const cases: [string, RegExp][] = [
    ["name: [a]", /^n\.yaml:1:7: name: found a list; expected the name of a node$/],
    ["name:", /^n\.yaml:1:6: name: found nothing; expected the name of a node$/],
    ["name: true", /name: found the boolean true; expected the name of a node$/],
    ["foreground: yes", /foreground: found "yes"; expected true or false$/],
    ["http-server-port: {a: 1}", /http-server-port: found a map; expected a port from 0 to 65535$/],
    ["http-server-port: 65536", /found "65536"; expected a port from 0 to 65535$/],
    ["version: 2", /version: found "2"; expected 1, the only version$/],
    ["relays: true", /relays: found the boolean true; expected a name, the flags of one relay, names with/],
    ["relays: [[a]]", /relays\[0\]: found a list; expected a name/],
    [
      "relays: {r1: {at: n2}, r2: 5}",
      /relays\.r2: found the number 5; expected the flags of this relay as a map/,
    ],
    ["tcp-outlet: {from: {a: 1}, to: 5}", /tcp-outlet\.from: found a map; expected a worker address/],
    ["variables: [a]", /variables: found a list; expected a map from names to values/],
    ["variables: {a: [1]}", /variables\.a: found a list; expected a text/],
    ["variables: {a-b: 1}", /variables\.a-b: not the name of a variable/],
    ["? [a]\n: b", /found a list as a key; expected a text/],
    ["n1", /^n\.yaml:1:1: found the text "n1"; expected a map of keys/],
    ["", /^n\.yaml:1:1: found nothing; expected a map of keys/],
    ["# only a comment", /found nothing; expected a map/],
    ["- name: n", /^n\.yaml:1:1: found a list; expected a map/],
    ["<<: {name: n}", /^n\.yaml:1:1: "<<": not supported: merge keys/],
  ];
  for (const [text, expected] of cases) assert.match(only(text), expected, text);
});

test("a value that a daemon would refuse is refused before anything is created", () => {
  const cases: [string, RegExp][] = [
    [`name: "a b"`, /name: "a b" can't be the name of a node/],
    [`name: ${"n".repeat(64)}`, /can't be the name of a node/],
    ["relays: {r.1: {at: n2}}", /relays\.r\.1: "r\.1" can't be the name of a relay/],
    ["relays: {r: {at: /project/default}}", /\/project .*not supported/],
    ["relays: {r: {at: /secure/api}}", /\/secure .*not supported/],
    ["relays: {r: {at: /dnsaddr/h}}", /must be followed by \/tcp\/PORT/],
    [`relays: {r: {at: ""}}`, /found an empty text; expected the node that hosts the relay/],
    ["relays: {r: {at: n2, relay-address: a/b}}", /found "a\/b"; expected the name to register/],
    ["tcp-inlet: {to: outlet}", /"outlet" alone means a service of a project/],
    ["tcp-inlet: {to: /dnsaddr/h/tcp/1}", /does not end at an outlet; expected \/service\/ADDRESS/],
    ["tcp-inlet: {to: /node/n2/dnsaddr/h/tcp/1/service/o}", /names 2 nodes to connect to; expected one/],
    ["tcp-inlet: {to: -/service/outlet}", /"-" stands for a line of stdin, and a file has none/],
    ["tcp-inlet: {to: /service/o, from: a:b}", /"a:b" is not a socket address: expected host:port/],
    ["tcp-inlet: {to: /service/o, alias: a:b}", /alias: "a:b" can't be the name of an inlet/],
    [
      "tcp-inlet: {to: /service/o, timeout: 0}",
      /timeout: found "0"; expected a duration .* from 1ms to 600s/,
    ],
    ["tcp-inlet: {to: /service/o, timeout: soon}", /timeout: "soon" is not a duration: expected/],
    [
      "tcp-inlet: {to: /service/o, retry-wait: 2h}",
      /retry-wait: found "2h"; expected a duration .* to 3600s/,
    ],
    ["tcp-outlet: {to: 0}", /"0" is not a socket address: expected host:port with a port from 1 to 65535/],
    ["tcp-outlet: {to: 1, from: a#b}", /can't be the address of a worker/],
    ["tcp-outlet: {to: 1, from: echo}", /the address "echo" is a service of every node; expected another/],
    [
      "{http-server: false, http-server-port: 80}",
      /a port for a server that is off; expected http-server: true/,
    ],
  ];
  for (const [text, expected] of cases) assert.match(only(text), expected, text);
});

test("what can't exist side by side is a conflict at its second place", () => {
  const at = "at: /dnsaddr/h/tcp/1";
  const to = "to: /service/o";
  const cases: [string, RegExp][] = [
    [
      `relays: [{${at}}, {${at}}]`,
      /^n\.yaml:1:34: relays\[1\]: the relay name "default" is taken already at n\.yaml:1:10/,
    ],
    [`relays: [{name: a, ${at}}, {a: {${at}}}]`, /the relay name "a" is taken already/],
    [
      `relays: {a: {${at}, relay-address: x}, b: {${at}, relay-address: x}}`,
      /the relay address "x" at .* is taken/,
    ],
    [`tcp-inlets: [{alias: a, ${to}}, {alias: a, ${to}}]`, /the alias "a" is taken already at n\.yaml:1:22/],
    [
      `tcp-inlets: [{from: 6000, ${to}}, {from: 127.0.0.1:6000, ${to}}]`,
      /port 6000 is bound already by tcp-inlets\[0\]/,
    ],
    [
      `tcp-inlets: [{from: 0.0.0.0:6000, ${to}}, {from: "localhost:6000", ${to}}]`,
      /port 6000 is bound already/,
    ],
    [`tcp-inlets: [{from: "[::]:6000", ${to}}, {from: 0.0.0.0:6000, ${to}}]`, /port 6000 is bound already/],
    [`tcp-inlets: [{from: "[::1]:6000", ${to}}, {from: "[::]:6000", ${to}}]`, /port 6000 is bound already/],
    [
      `{tcp-listener-address: 6000, tcp-inlets: {from: 6000, ${to}}}`,
      /bound already by tcp-listener-address at/,
    ],
    [`{http-server-port: 6000, tcp-inlets: {from: 6000, ${to}}}`, /bound already by http-server-port at/],
    ["tcp-outlets: [{from: a, to: 1}, {a: {to: 2}}]", /the outlet address "a" is taken already/],
    [
      "tcp-outlets: [{to: 1}, {from: outlet, to: 2}]",
      /the outlet address "outlet" is taken already at n\.yaml:1:15/,
    ],
  ];
  for (const [text, expected] of cases) assert.match(only(text), expected, text);
});

test("what looks alike and does not collide is no conflict", () => {
  const to = "to: /service/o";
  for (const text of [
    `tcp-inlets: [{from: 0, ${to}}, {from: 0, ${to}}]`,
    `tcp-inlets: [{from: 127.0.0.1:6000, ${to}}, {from: 127.0.0.2:6000, ${to}}]`,
    `{tcp-listener-address: 0.0.0.0:6000, tcp-inlets: {from: "[::1]:6000", ${to}}}`,
    `tcp-inlets: [{alias: a, ${to}}, {alias: a, at: other, ${to}}]`,
    "tcp-outlets: [{from: outlet, to: 1}, {to: 2}, {to: 3}]",
    "tcp-outlets: [{from: a, to: 1}, {from: a, at: other, to: 1}]",
    "relays: [{name: a, at: n2}, {name: a, at: n3, to: other}]",
  ]) {
    assert.ok(parseNodeConfig(text, { source: "n.yaml" }), text);
  }
});

test("a key that is given twice is refused, however it is spelled", () => {
  assert.match(
    only("name: a\nname: b"),
    /^n\.yaml:2:1: name: given twice, first at n\.yaml:1:1; expected it once$/,
  );
  assert.match(
    only("relay: []\nrelays: []"),
    /^n\.yaml:2:1: relays: the same as relay at n\.yaml:1:1; expected one/,
  );
  assert.match(only("http_server: true\nhttp-server: true"), /http-server: the same as http_server at/);
  assert.match(only("tcp-outlets: {a: {to: 1}, a: {to: 2}}"), /tcp-outlets\.a: given twice/);
  assert.match(only("variables: {a: 1, a: 2}"), /variables\.a: given twice/);
});

test("no byte of a value reaches the terminal as a control", () => {
  const found = only(String.raw`name: "\e[31m\n\u202ered"`);
  assert.doesNotMatch(found, /[\p{Cc}\p{Cf}]/u);
  assert.match(found, /can't be the name of a node/);
});
