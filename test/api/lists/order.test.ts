import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { NodeSchema } from "../../../gen/portway/v1/node_service_pb.js";
import { RelaySchema } from "../../../gen/portway/v1/relay_service_pb.js";
import { State } from "../../../gen/portway/v1/resource_pb.js";
import { compileOrder } from "../../../src/api/lists/order.js";

function ordered<T extends MessageShape<typeof RelaySchema>>(order: string, relays: readonly T[]): T[] {
  const keyOf = compileOrder(order, RelaySchema);
  return [...relays].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : keyOf(a) > keyOf(b) ? 1 : 0));
}

test("texts, numbers, times, truths and enums are in order, and in the other with desc", () => {
  const relays = [
    { at: "", registrations: 0n, timeMs: -5, reconciling: false, state: State.CONNECTING },
    { at: "a", registrations: 9n, timeMs: 0, reconciling: false, state: State.CONNECTING },
    { at: "a\0", registrations: 10n, timeMs: 253402300799999, reconciling: true, state: State.ACTIVE },
    { at: "a\0\0", registrations: 256n, timeMs: 253402300799999, reconciling: true, state: State.ACTIVE },
    {
      at: "b",
      registrations: 2n ** 64n - 1n,
      timeMs: 253402300799999,
      reconciling: true,
      state: State.STOPPED,
    },
    {
      at: "é",
      registrations: 2n ** 64n - 1n,
      timeMs: 253402300799999,
      reconciling: true,
      state: State.STOPPED,
    },
  ].map(({ at, registrations, timeMs, reconciling, state }) =>
    create(RelaySchema, {
      createTime: timestampFromMs(timeMs),
      spec: { at },
      status: { registrations, liveness: { reconciling, state } },
    }),
  );
  for (const fields of [
    ["spec.at"],
    ["status.registrations", "spec.at"],
    ["createTime", "spec.at"],
    ["status.liveness.reconciling", "spec.at"],
    ["status.liveness.state", "status.registrations", "spec.at"],
  ]) {
    const backwards = [...relays].reverse();
    assert.deepEqual(ordered(fields.join(","), backwards), relays, fields.join());
    assert.deepEqual(
      ordered(fields.map((field) => ` ${field}  desc `).join(","), relays),
      backwards,
      fields.join(),
    );
  }
});

test("what is not there comes first, with desc last", () => {
  const without = create(RelaySchema);
  const relays = [
    without,
    create(RelaySchema, { spec: { at: "" } }),
    create(RelaySchema, { spec: { at: "a" } }),
  ];
  assert.deepEqual(ordered("spec.at", [...relays].reverse()), relays);
  assert.deepEqual(ordered("spec.at desc", relays), [...relays].reverse());
});

test("the values of several fields are compared one after the other, whatever their texts are", () => {
  const text = fc.string({
    unit: fc.constantFrom("a", "b", "\0", "\x01", "\uffff", "é", "💥"),
    maxLength: 4,
  });
  const keyOf = compileOrder("name desc, uid", RelaySchema);
  const compare = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));
  fc.assert(
    fc.property(text, text, text, text, (nameA, uidA, nameB, uidB) => {
      const a = keyOf(create(RelaySchema, { name: nameA, uid: uidA }));
      const b = keyOf(create(RelaySchema, { name: nameB, uid: uidB }));
      assert.equal(a < b ? -1 : a > b ? 1 : 0, compare(nameB, nameA) || compare(uidA, uidB));
    }),
  );
});

test("a key of a map is a field", () => {
  const keyOf = compileOrder("status.messages.dropped.no_route", NodeSchema);
  const dropped = (count: bigint) =>
    create(NodeSchema, { status: { messages: { dropped: { no_route: count } } } });
  assert.ok(keyOf(create(NodeSchema)) < keyOf(dropped(0n)));
  assert.ok(keyOf(dropped(2n)) < keyOf(dropped(10n)));
});

for (const [order, problem] of [
  [",", "expected the name of a field between the commas"],
  ["name,", "expected the name of a field between the commas"],
  ["nam", '"nam" is no field of Relay; expected one of name, uid, create_time, spec, status'],
  ["name asc", 'expected nothing or desc behind "name", found "asc"'],
  ["name desc desc", 'expected nothing or desc behind "name", found "desc desc"'],
  ["name uid", 'expected nothing or desc behind "name", found "uid"'],
  ["spec", '"spec" has fields of its own; expected one of them'],
  [
    "status.liveness.conditions.type",
    '"status.liveness.conditions.type" may have several values, which have no order',
  ],
] as const) {
  test(`the order ${JSON.stringify(order)} is refused`, () => {
    assert.throws(() => compileOrder(order, RelaySchema), {
      code: "bad_argument",
      message: `the order is wrong: ${problem}`,
      facts: { field: "order_by" },
    });
  });
}
