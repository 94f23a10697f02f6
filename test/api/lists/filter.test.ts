import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type DescMessage, type Message } from "@bufbuild/protobuf";
import {
  BytesValueSchema,
  DescriptorProtoSchema,
  durationFromMs,
  timestampFromDate,
  ValueSchema,
} from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { NodeSchema, ServiceKind, ServiceSchema } from "../../../gen/portway/v1/node_service_pb.js";
import { RelaySchema } from "../../../gen/portway/v1/relay_service_pb.js";
import { State } from "../../../gen/portway/v1/resource_pb.js";
import { compileFilter } from "../../../src/api/lists/filter.js";
import { PortwayError } from "../../../src/base/errors.js";

const relay = create(RelaySchema, {
  name: "nodes/n1/relays/r1",
  createTime: timestampFromDate(new Date("2026-05-01T12:00:00.5Z")),
  spec: { at: "/dnsaddr/relay.example.com/tcp/4000", relayAddress: 'it\'s "r*1"\\' },
  status: {
    liveness: {
      state: State.ACTIVE,
      reconciling: true,
      conditions: [
        { type: "Connected", holds: true },
        { type: "Registered", holds: false, message: "refused by the relay" },
        { type: "Probed" },
      ],
      roundTripTime: durationFromMs(1500),
    },
    registrations: 12n,
  },
});
const node = create(NodeSchema, {
  name: "nodes/n1",
  spec: { tcpListenerAddress: "", httpServerPort: 0 },
  status: {
    pid: 42,
    isDefault: false,
    warnings: ["not encrypted", "not authenticated"],
    messages: { received: 18446744073709551615n, dropped: { no_route: 3n, toString: 1n } },
  },
});

const cases: readonly (readonly [type: DescMessage, item: Message, filter: string, isShown: boolean])[] = [
  [RelaySchema, relay, "", true],
  [RelaySchema, relay, " \n", true],
  [RelaySchema, relay, "name = nodes/n1/relays/r1", true],
  [RelaySchema, relay, "  name='nodes/n1/relays/r1'\t", true],
  [RelaySchema, relay, "name = nodes/n1/relays/r", false],
  [RelaySchema, relay, "name != nodes/n1/relays/r", true],
  [RelaySchema, relay, "name = nodes/n1/*", true],
  [RelaySchema, relay, "name = *n1*", true],
  [RelaySchema, relay, "name = *r1", true],
  [RelaySchema, relay, "name = *r2", false],
  [RelaySchema, relay, "name != *r1", false],
  [RelaySchema, relay, "name = *", true],
  [RelaySchema, relay, 'name = "nodes*r1"', false],
  [RelaySchema, relay, "name:relays", true],
  [RelaySchema, relay, "name:Relays", false],
  [RelaySchema, relay, "name < o", true],
  [RelaySchema, relay, "name >= o", false],
  [RelaySchema, relay, 'spec.relay_address = "it\'s \\"r*1\\"\\\\"', true],
  [RelaySchema, relay, "spec.relayAddress : 'it\\'s'", true],
  [RelaySchema, relay, 'spec.relay_address:"r*"', true],
  [RelaySchema, relay, 'spec.relay_address = "it\\*"', false],
  [RelaySchema, relay, "spec.relay_address : \\", true],
  [RelaySchema, relay, "spec.relay_address = *\\", true],
  [RelaySchema, relay, "name = \\", false],
  [RelaySchema, relay, 'spec.at = "/dnsaddr/*"', true],
  [RelaySchema, relay, 'spec.at > "\\/dns"', true],
  [RelaySchema, relay, "status.liveness.state = STATE_ACTIVE", true],
  [RelaySchema, relay, "status.liveness.state != STATE_ACTIVE", false],
  [RelaySchema, relay, "status.liveness.reconciling = true", true],
  [RelaySchema, relay, 'status.liveness.reconciling:"false"', false],
  [RelaySchema, relay, "status.registrations = 12", true],
  [RelaySchema, relay, "status.registrations<012", false],
  [RelaySchema, relay, "status.registrations<=12", true],
  [RelaySchema, relay, "status.registrations>-1", true],
  [RelaySchema, relay, 'create_time > "2026-05-01T12:00:00Z"', true],
  [RelaySchema, relay, 'createTime < "2026-05-01T12:00:00.4+00:00"', false],
  [RelaySchema, relay, "status.liveness.round_trip_time = 1.5s", true],
  [RelaySchema, relay, "status.liveness.roundTripTime >= 2s", false],
  [RelaySchema, relay, "status.liveness.conditions.type:Probed", true],
  [RelaySchema, relay, "status.liveness.conditions.message:refused", true],
  [RelaySchema, relay, "status.liveness.conditions.holds:false", true],
  [RelaySchema, relay, "status.liveness.conditions.type:Bound", false],
  [RelaySchema, relay, "status.liveness.conditions:*", true],
  // What is not there.
  [RelaySchema, relay, "status.liveness.failure.count = 0", false],
  [RelaySchema, relay, "status.liveness.failure.count != 0", false],
  [RelaySchema, relay, "NOT status.liveness.failure.count = 0", true],
  [RelaySchema, relay, "status.liveness.failure:*", false],
  [RelaySchema, relay, "status.liveness.last_success_time:*", false],
  [RelaySchema, relay, "status.liveness.round_trip_time:*", true],
  [RelaySchema, relay, "uid:*", false],
  [RelaySchema, relay, "name:*", true],
  [RelaySchema, relay, 'name:"*"', true],
  [RelaySchema, relay, "spec:*", true],
  [RelaySchema, create(RelaySchema), "spec:*", false],
  [RelaySchema, create(RelaySchema), "spec.at = ''", false],
  [RelaySchema, create(RelaySchema), "status.liveness.conditions:*", false],
  [NodeSchema, node, 'spec.tcp_listener_address = ""', true],
  [NodeSchema, node, "status.is_default:*", false],
  [NodeSchema, node, "status.pid:*", true],
  [NodeSchema, node, "status.state:*", false],
  [NodeSchema, node, "spec.http_server_port:*", true],
  [NodeSchema, create(NodeSchema, { spec: {} }), "spec.http_server_port:*", false],
  // Lists of text, and maps.
  [NodeSchema, node, "status.warnings:encrypted", true],
  [NodeSchema, node, "status.warnings:expired", false],
  [NodeSchema, node, "status.messages.dropped:no_route", true],
  [NodeSchema, node, "status.messages.dropped:loop", false],
  [NodeSchema, node, "status.messages.dropped:*", true],
  [NodeSchema, node, "status.messages.dropped.no_route > 2", true],
  [NodeSchema, node, "status.messages.dropped.no_route:*", true],
  [NodeSchema, node, "status.messages.dropped.loop = 0", false],
  [NodeSchema, node, "status.messages.dropped.valueOf:*", false],
  [NodeSchema, node, "status.messages.dropped.toString = 1", true],
  [NodeSchema, node, "status.messages.received = 18446744073709551615", true],
  [
    ServiceSchema,
    create(ServiceSchema, { spec: { kind: ServiceKind.HOP } }),
    "spec.kind=SERVICE_KIND_HOP",
    true,
  ],
  // A oneof.
  [ValueSchema, create(ValueSchema, { kind: { case: "stringValue", value: "a" } }), "string_value = a", true],
  [
    ValueSchema,
    create(ValueSchema, { kind: { case: "boolValue", value: true } }),
    "string_value != a",
    false,
  ],
  // OR before AND.
  [NodeSchema, node, "status.pid = 42 OR status.pid = 1 AND status.pid = 2", false],
  [NodeSchema, node, "(status.pid = 42) OR (status.pid = 1 AND status.pid = 2)", true],
  [NodeSchema, node, "NOT status.pid = 1 AND NOT (status.pid = 2 OR status.pid = 3)", true],
  [NodeSchema, node, `${"(".repeat(16)}status.pid=42${")".repeat(16)}`, true],
  [NodeSchema, node, "(status.pid=42)AND(status.pid>41)", true],
];

for (const [type, item, filter, isShown] of cases) {
  test(`${type.name} ${isShown ? "is" : "is not"} shown by ${JSON.stringify(filter)}`, () => {
    assert.equal(compileFilter(filter, type)(item), isShown);
  });
}

const states =
  "STATE_UNSPECIFIED, STATE_CONNECTING, STATE_ACTIVE, STATE_DEGRADED, STATE_DRAINING, STATE_FAILED, STATE_STOPPED";
const refusals: readonly (readonly [filter: string, at: number, problem: string])[] = [
  ["name", 5, 'expected one of = != < <= > >= : behind "name", found the end'],
  ["name nodes/n1", 6, 'expected one of = != < <= > >= : behind "name", found "nodes/n1"'],
  ["name == a", 7, 'expected a value, found "="'],
  ["name =", 7, "expected a value, found the end"],
  ["name = a name = b", 10, 'expected AND, OR or the end, found "name"'],
  ["name = a and uid = b", 10, 'expected AND, OR or the end, found "and"'],
  ["name = a AND", 13, 'expected the name of a field, NOT or "(", found the end'],
  ["NOT NOT name = a", 5, '"NOT" is no field of Relay; expected one of name, uid, create_time, spec, status'],
  ["'name' = a", 1, 'expected the name of a field, NOT or "(", found "name"'],
  ["(name = a", 10, 'expected AND, OR or ")", found the end'],
  ["name = a)", 9, 'expected AND, OR or the end, found ")"'],
  [`${"(".repeat(17)}name=a`, 17, "expected at most 16 parentheses in each other"],
  ['name = "a', 8, 'expected a second " behind this one'],
  ["name = 'a\\'", 8, "expected a second ' behind this one"],
  ["name ! a", 6, 'expected "=" behind "!"'],
  ["nam = a", 1, '"nam" is no field of Relay; expected one of name, uid, create_time, spec, status'],
  ["spec.ta = a", 1, '"ta" is no field of RelaySpec; expected one of at, relay_address'],
  ["spec. = a", 1, '"" is no field of RelaySpec; expected one of at, relay_address'],
  ["name.a = a", 1, '"name" has no fields, such as "a"'],
  ["create_time.seconds = 1", 1, '"create_time" has no fields, such as "seconds"'],
  ["spec = a", 6, '"spec" has fields of its own; expected one of them, or ":*" behind it'],
  ["spec:a", 5, '"spec" has fields of its own; expected one of them, or ":*" behind it'],
  [
    "status.liveness.conditions.type = Probed",
    33,
    '"status.liveness.conditions.type" may have several values; expected ":" behind it',
  ],
  ["status.liveness.state = ACTIVE", 25, `expected one of ${states}, found "ACTIVE"`],
  [
    "status.liveness.state > STATE_ACTIVE",
    23,
    '"status.liveness.state" has no order; expected = or != behind it',
  ],
  [
    "status.liveness.reconciling < true",
    29,
    '"status.liveness.reconciling" has no order; expected = or != behind it',
  ],
  ["status.liveness.reconciling = yes", 31, 'expected true or false, found "yes"'],
  ["status.registrations = 1.5", 24, 'expected a whole number, found "1.5"'],
  ["status.registrations = ''", 24, 'expected a whole number, found ""'],
  ["create_time > 2026", 15, 'expected a time in quotes, such as "2030-01-31T12:00:00Z", found "2026"'],
  ["status.liveness.round_trip_time > 5", 35, 'expected a duration in seconds, such as 1.5s, found "5"'],
];

for (const [filter, at, problem] of refusals) {
  test(`the filter ${JSON.stringify(filter)} is refused at character ${at}`, () => {
    assert.throws(() => compileFilter(filter, RelaySchema), {
      code: "bad_argument",
      message: `the filter is wrong at character ${at}: ${problem}`,
      facts: { field: "filter" },
    });
  });
}

test("fields of bytes and of floating point are not compared", () => {
  for (const [type, name] of [
    [BytesValueSchema, "value"],
    [ValueSchema, "number_value"],
  ] as const) {
    assert.throws(() => compileFilter(`${name} = 1`, type), {
      message: /is of a type that is not compared$/,
    });
  }
});

test("whatever a filter is, it is taken or refused with its place, and fast", () => {
  const words = [
    "(",
    ")",
    "AND",
    "OR",
    "NOT",
    "name",
    "status.pid",
    "=",
    ":",
    "<",
    "*",
    '"',
    "'",
    "\\",
    " ",
    "1",
    "💥",
  ];
  const anything = fc.oneof(
    fc.string({ unit: "binary", maxLength: 1024 }),
    fc.array(fc.constantFrom(...words), { maxLength: 300 }).map((parts) => parts.join("")),
  );
  const attempt = (filter: string): void => {
    const start = performance.now();
    try {
      compileFilter(filter, NodeSchema)(node);
    } catch (error) {
      assert.ok(error instanceof PortwayError, `${error}`);
      const at = Number(/^the filter is wrong at character (\d+): /.exec(error.message)?.[1]);
      assert.ok(at >= 1 && at <= filter.length + 1, error.message);
    }
    assert.ok(performance.now() - start < 500);
  };
  fc.assert(fc.property(anything, attempt));
  for (const hostile of ["(", "NOT ", '"', '"\\', "\\", "a", " ", "!", "name=*\\*"])
    attempt(hostile.repeat(1024));
});

test("of a type that holds itself, a field is found as deep as its name goes", () => {
  const type = create(DescriptorProtoSchema, { nestedType: [{ nestedType: [{ name: "inner" }] }] });
  assert.equal(compileFilter("nested_type.nested_type.name:inner", DescriptorProtoSchema)(type), true);
  assert.equal(compileFilter("nested_type.name:inner", DescriptorProtoSchema)(type), false);
});
