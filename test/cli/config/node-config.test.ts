import assert from "node:assert/strict";
import { test } from "node:test";
import { type ConfigContext, parseNodeConfig } from "../../../src/cli/config/node-config.js";
import { failure, lines, withoutPlaces } from "./config-cases.js";

const parse = (text: string, context: Partial<ConfigContext> = {}) =>
  withoutPlaces(parseNodeConfig(text, { source: "n.yaml", ...context }));

test("every key of the node, a relay, an inlet and an outlet is read", () => {
  const text = `
version: 1
name: n1
tcp-listener-address: 127.0.0.1:7000
foreground: true
exit-on-eof: false
skip-is-running-check: true
http-server: true
http-server-port: 8080
relays:
  r1:
    at: /dnsaddr/relay.example.com/tcp/4000
    to: /node/n1
    relay-address: front
    connection-wait: 2s
    no-connection-wait: true
tcp-inlets:
  web:
    at: n1
    from: 6000
    to: /node/n2/service/forward_to_n3/service/outlet
    connection-wait: 0s
    retry-wait: 500ms
    timeout: 1m
    no-connection-wait: false
tcp-outlets:
  db:
    at: /node/n1
    to: db.example.com:5432
`;
  assert.deepEqual(parse(text), {
    name: "n1",
    tcpListenerAddress: "127.0.0.1:7000",
    foreground: true,
    exitOnEof: false,
    skipIsRunningCheck: true,
    httpServer: true,
    httpServerPort: 8080,
    relays: [
      {
        name: "r1",
        at: "/dnsaddr/relay.example.com/tcp/4000",
        to: "n1",
        relayAddress: "front",
        connectionWaitMs: 2000,
        noConnectionWait: true,
      },
    ],
    inlets: [
      {
        alias: "web",
        at: "n1",
        from: "6000",
        to: "/node/n2/service/forward_to_n3/service/outlet",
        connectionWaitMs: 0,
        retryWaitMs: 500,
        timeoutMs: 60_000,
        noConnectionWait: false,
      },
    ],
    outlets: [{ at: "n1", from: "db", to: "db.example.com:5432" }],
  });
});

test("underscores, singular words and JSON mean the same", () => {
  const yaml = parse(`
tcp_listener_address: :7000
enable_http_server: true
relay: {r: {at: n2, relay_address: x}}
tcp_inlet: {from: 1, to: /worker/a}
tcp_outlet: {to: 2}
`);
  const json = parse(`{
\t"tcp-listener-address": ":7000",
\t"http-server": true,
\t"relays": {"r": {"at": "/node/n2", "relay-address": "x"}},
\t"tcp-inlets": [{"from": 1, "to": "/worker/a"}],
\t"tcp-outlets": [{"to": 2}]
}`);
  assert.deepEqual(yaml, json);
  assert.equal(json.relays[0]?.at, "/node/n2");
});

test("a section is one name, the flags of one resource, names with flags, or a list of these", () => {
  const cases: [string, unknown[]][] = [
    ["tcp-outlets: {to: 5000}", [{ to: "5000" }]],
    ["tcp-outlets: {db: {to: 5000}}", [{ from: "db", to: "5000" }]],
    ["tcp-outlets: {db: {to: 5000, from: other}}", [{ from: "other", to: "5000" }]],
    [
      "tcp-outlets: {db: {to: 5000}, to: {to: 5001}}",
      [
        { from: "db", to: "5000" },
        { from: "to", to: "5001" },
      ],
    ],
    [
      "tcp-outlets: [{to: 1}, {a: {to: 2}, b: {to: 3}}, {from: /service/c, to: 4}]",
      [{ to: "1" }, { from: "a", to: "2" }, { from: "b", to: "3" }, { from: "c", to: "4" }],
    ],
    ["tcp-outlets: {}", []],
    ["tcp-outlets: []", []],
    ["tcp-outlets:\n  # nothing yet", []],
  ];
  for (const [text, outlets] of cases) assert.deepEqual(parse(text).outlets, outlets, text);
});

test("a name alone makes a resource of that name, which then needs its other flags", () => {
  const expected = /^n\.yaml:1:9: relays: `at` is missing; expected the node that hosts the relay/;
  assert.match(failure(() => parse("relays: r1")).message, expected);
  assert.match(failure(() => parse("relays: [r1, {r1: {at: n2}}]")).message, /relay name "r1" is taken/);
  assert.match(failure(() => parse("tcp-inlets: web")).message, /^n\.yaml:1:13: tcp-inlets: `to` is missing/);
  assert.match(failure(() => parse("tcp-outlets: {db: }")).message, /tcp-outlets\.db: `to` is missing/);
});

test("a text keeps the letters that it was written with", () => {
  assert.equal(parse("name: 007").name, "007");
  assert.equal(parse("name: 1e3").name, "1e3");
  assert.equal(parse(`name: "5"`).name, "5");
  assert.equal(parse("foreground: 'true'").foreground, true);
});

test("an alias stands for what its anchor holds", () => {
  const { outlets } = parse("tcp-outlets:\n  a: &flags {to: 5000}\n  b: *flags");
  assert.deepEqual(outlets, [
    { from: "a", to: "5000" },
    { from: "b", to: "5000" },
  ]);
  assert.match(failure(() => parse("name: *nobody")).message, /^n\.yaml:1:7: /);
  assert.match(failure(() => parse("relays: &r [*r]")).message, /relays\[0\]: found a list/);
});

test("each resource tells the place that it was read from", () => {
  const { outlets } = parseNodeConfig("tcp-outlets:\n  - {to: 1}\n  - a: {to: 2}", { source: "n.yaml" });
  assert.deepEqual(
    outlets.map(({ place }) => place),
    ["n.yaml:2:5", "n.yaml:3:8"],
  );
});

test("all problems of a file are reported at once, in the order of the text", () => {
  const text = `name: n!
tcp-listener-address: 127.0.0.1:70000
http-server: 5
ticket: abc
tcp-inlets:
  web:
    from: host
    to: /service/outlet
    allow: inlet
tcp-outlets:
  - to: [1]
`;
  const expected = [
    /^n\.yaml:1:7: name: "n!" can't be the name of a node: expected 1 to 63 letters/,
    /^n\.yaml:2:23: tcp-listener-address: "127.0.0.1:70000" is not a socket address: expected host:port/,
    /^n\.yaml:3:14: http-server: found "5"; expected true or false$/,
    /^n\.yaml:4:1: ticket: not supported: .*; expected it to be left out$/,
    /^n\.yaml:7:11: tcp-inlets\.web\.from: "host" is not a socket address/,
    /^n\.yaml:9:5: tcp-inlets\.web\.allow: not supported: /,
    /^n\.yaml:11:9: tcp-outlets\[0\]\.to: found a list; expected the target's host:port/,
  ];
  const found = lines(() => parse(text));
  assert.equal(found.length, expected.length, found.join("\n"));
  for (const [index, line] of found.entries()) assert.match(line, expected[index]!);
});

test("more problems than anyone reads are counted", () => {
  const text = Array.from({ length: 80 }, (_, at) => `unknown${at}: 1`).join("\n");
  const error = failure(() => parse(text));
  assert.equal(error.facts["problems"], 80);
  assert.equal(error.message.split("\n").length, 51);
  assert.match(error.message, /and 30 more problems$/);
});
