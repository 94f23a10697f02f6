import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Address } from "../../src/model/address.js";
import { Route } from "../../src/model/route.js";
import type { Registration } from "../../src/routing/router.js";
import { WorkerTable } from "../../src/routing/worker-table.js";

function registrationAt(address: Address): Registration {
  return {
    address,
    worker: { handle: () => undefined },
    kind: "service",
    service: undefined,
    [Symbol.dispose]() {},
  } as Registration;
}

/** Addresses that share a slot of a small table, whatever the seed of the hash is. */
const sharingSlot = Array.from({ length: 2_000 }, (_, index) => Address.local(`worker-${index}`))
  .filter(({ hash }) => (hash & 63) === 7)
  .slice(0, 8);

/** Addresses of which many share a slot with others, and some are the beginning of others. */
const addresses: readonly Address[] = [
  ...sharingSlot,
  ...["", "a", "b", "aa", "ab", "xyz", "1xyz", "2xyz", "3xyz", "44xyz", "444444444444444444444444xyz"].map(
    (text) => Address.local(text),
  ),
  Address.parse("1#xyz"),
  Address.parse("24#xyz"),
  Address.parse("255#"),
  ...[1, 2, 3].map((first) => new Address(0, Buffer.alloc(300, 7).fill(first, 0, 1))),
];

/** A route that begins with `address`, made in each of the ways in which routes are made. */
const routesTo: readonly ((address: Address) => Route)[] = [
  (address) => Route.of(address),
  (address) => Route.of(new Address(address.type, address.encoded.subarray(valueStart(address)))),
  (address) => Route.parse("next => last").prepend(address),
  (address) => Route.of(address, Address.local("next")),
  (address) => {
    const whole = Route.of(Address.local("before"), address, Address.local("next"));
    const buffer = Buffer.alloc(whole.byteLength + 10, 0x61);
    return Route.view(buffer, 5, whole.writeTo(buffer, 5), 3).rest();
  },
];

function valueStart({ type, encoded }: Address): number {
  const at = type < 24 ? 2 : 3;
  const head = encoded[at]!;
  return at + (head < 0x58 ? 1 : head === 0x58 ? 2 : 3);
}

test("some of the addresses share a slot", () => {
  assert.equal(sharingSlot.length, 8);
});

test("a table that grew to thousands and shrank again finds each worker that is there, in the order of coming", () => {
  const table = new WorkerTable<Registration>();
  const all = Array.from({ length: 5_000 }, () => registrationAt(Address.random()));
  for (const registration of all) table.add(registration);
  for (const registration of all) assert.equal(table.get(registration.address), registration);
  const stay = all.filter((_, index) => index % 500 === 0);
  for (const registration of all) if (!stay.includes(registration)) table.remove(registration);
  for (const registration of all) {
    assert.equal(table.has(registration.address), stay.includes(registration));
  }
  assert.deepEqual(table.values(), stay);
});

test("after any steps a worker is found where it is, and nowhere that it is not", () => {
  const anyStep = fc.record({
    do: fc.constantFrom("add", "remove", "remove again", "look up", "look up"),
    which: fc.nat(addresses.length - 1),
    how: fc.nat(routesTo.length - 1),
  });
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 80 }), (steps) => {
      const table = new WorkerTable();
      const model = new Map<string, Registration>();
      const removed: Registration[] = [];
      for (const step of steps) {
        const address = addresses[step.which]!;
        const there = model.get(address.key);
        if (step.do === "add" && there === undefined) {
          const registration = registrationAt(address);
          table.add(registration);
          model.set(address.key, registration);
        } else if (step.do === "remove" && there !== undefined) {
          table.remove(there);
          model.delete(address.key);
          removed.push(there);
        } else if (step.do === "remove again") {
          const gone = removed[step.which % Math.max(1, removed.length)];
          if (gone !== undefined) table.remove(gone);
        }
        const expected = model.get(address.key);
        assert.equal(table.firstOf(routesTo[step.how]!(address)), expected);
        assert.equal(table.get(address), expected);
        assert.equal(table.has(address), expected !== undefined);
      }
      for (const address of addresses) {
        for (const routeTo of routesTo) assert.equal(table.firstOf(routeTo(address)), model.get(address.key));
      }
      assert.deepEqual([...table.values()], [...model.values()]);
    }),
    { numRuns: 300 },
  );
});

test("a worker that was found and removed is not found again, and one that takes its address is", () => {
  for (const routeTo of routesTo) {
    const table = new WorkerTable();
    const address = Address.local("outlet");
    const first = registrationAt(address);
    table.add(first);
    assert.equal(table.firstOf(routeTo(address)), first);
    table.remove(first);
    assert.equal(table.firstOf(routeTo(address)), undefined);
    const second = registrationAt(Address.local("outlet"));
    table.add(second);
    assert.equal(table.firstOf(routeTo(address)), second);
    table.remove(first);
    assert.equal(table.firstOf(routeTo(address)), second, "removing the first again does nothing");
  }
});
