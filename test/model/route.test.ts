import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Address } from "../../src/model/address.js";
import { maxRouteAddresses, Route } from "../../src/model/route.js";

const texts = (route: Route): string[] => route.addresses().map(String);
const named = (...names: readonly string[]): Route => Route.of(...names.map((name) => Address.local(name)));

/** The same route as it lies in the buffer of a connection, with other bytes around it. */
function viewOf(route: Route): { readonly view: Route; readonly buffer: Buffer } {
  const buffer = Buffer.alloc(route.byteLength + 10, 0xee);
  const end = route.writeTo(buffer, 5);
  return { view: Route.view(buffer, 5, end, route.length), buffer };
}

test("a route is read from addresses separated by =>", () => {
  assert.deepEqual(texts(Route.parse("0#hop => 1#127.0.0.1:4000 => 0#echo")), [
    "0#hop",
    "1#127.0.0.1:4000",
    "0#echo",
  ]);
  assert.deepEqual(texts(Route.parse("hop=>echo")), ["0#hop", "0#echo"]);
  assert.deepEqual(texts(Route.parse("  hop   =>\techo\n")), ["0#hop", "0#echo"]);
  assert.deepEqual(texts(Route.parse("echo")), ["0#echo"]);
  assert.deepEqual(texts(Route.parse("a => ")), ["0#a", "0#"]);
});

test("the empty text is the empty route", () => {
  for (const text of ["", "  ", "\n"]) assert.equal(Route.parse(text).isEmpty, true);
  assert.equal(Route.empty.length, 0);
  assert.equal(Route.empty.byteLength, 0);
  assert.equal(Route.empty.toString(), "");
});

test("a route is shown as Ockam shows it", () => {
  assert.equal(Route.parse("hop=>1#127.0.0.1:4000=>echo").toString(), "0#hop => 1#127.0.0.1:4000 => 0#echo");
});

test("a route with a bad address is refused with the address's error", () => {
  assert.throws(() => Route.parse("hop => x#y"), { code: "bad_address", facts: { address: "x#y" } });
  assert.throws(() => Route.parse("a#b#c => hop"), { code: "bad_address" });
});

test("a route as text has at most 128 addresses", () => {
  const of = (count: number): string => Array(count).fill("a").join(" => ");
  assert.equal(Route.parse(of(maxRouteAddresses)).length, 128);
  assert.throws(() => Route.parse(of(129)), { code: "bad_route", facts: { addresses: 129, max: 128 } });
});

test("the first address, the last and what remains are those of the list", () => {
  for (const route of [
    named("a", "b", "c"),
    viewOf(named("a", "b", "c")).view,
    named("b", "c").prepend(Address.local("a")),
  ]) {
    assert.equal(route.length, 3);
    assert.equal(route.first.key, "a");
    assert.equal(route.first.text, "a");
    assert.equal(route.last.text, "c");
    assert.deepEqual(texts(route.rest()), ["0#b", "0#c"]);
    assert.deepEqual(texts(route.rest().rest()), ["0#c"]);
    assert.equal(route.rest().rest().rest().isEmpty, true);
    assert.deepEqual(texts(route.withoutLast()), ["0#a", "0#b"]);
  }
});

test("the first address is read for each length of type and value", () => {
  for (const type of [0, 1, 23, 24, 255]) {
    for (const length of [0, 23, 24, 255, 256, 65_535, 65_536]) {
      const address = new Address(type, Buffer.alloc(length, 0x61));
      const { view } = viewOf(Route.of(address, Address.local("next")));
      assert.equal(view.first.key, address.key);
      assert.ok(view.first.equals(address));
      assert.equal(view.rest().first.key, "next");
    }
  }
});

test("rest undoes prepend, whatever the route is kept as", () => {
  const hop = Address.parse("1#127.0.0.1:4000");
  for (const route of [Route.empty, named("a"), viewOf(named("a", "b")).view, named("a").prepend(hop)]) {
    const longer = route.prepend(hop);
    assert.equal(longer.first.key, hop.key);
    assert.equal(longer.length, route.length + 1);
    assert.equal(longer.byteLength, route.byteLength + hop.encoded.byteLength);
    assert.ok(longer.rest().equals(route));
  }
});

test("prepending leaves the route that was prepended to as it was", () => {
  const route = named("a");
  route.prepend(Address.local("x"));
  route.prependRoute(named("y", "z"));
  assert.deepEqual(texts(route), ["0#a"]);
});

test("prependRoute puts all of a route in front, in its order", () => {
  assert.deepEqual(texts(named("c", "d").prependRoute(named("a", "b"))), ["0#a", "0#b", "0#c", "0#d"]);
  assert.deepEqual(texts(named("c").prependRoute(Route.empty)), ["0#c"]);
  assert.deepEqual(texts(Route.empty.prependRoute(named("a", "b"))), ["0#a", "0#b"]);
});

test("routes are equal if their addresses are, whatever they are kept as", () => {
  const route = named("a", "b");
  assert.ok(route.equals(named("b").prepend(Address.local("a"))));
  assert.ok(viewOf(route).view.equals(route));
  assert.ok(Route.empty.equals(route.rest().rest()));
  assert.equal(route.equals(named("a")), false);
  assert.equal(route.equals(named("a", "c")), false);
  assert.equal(route.equals(named("b", "a")), false);
  assert.equal(Route.of(Address.parse("1#a")).equals(named("a")), false);
});

test("a view changes with its buffer, and what keep gave does not", () => {
  for (const make of [
    (view: Route) => view,
    (view: Route) => view.rest(),
    (view: Route) => view.prepend(Address.local("x")),
    (view: Route) => view.prepend(Address.local("x")).prepend(Address.local("y")),
    (view: Route) => view.rest().prepend(Address.local("x")),
    (view: Route) => view.prependRoute(named("x", "y")),
  ]) {
    const { view, buffer } = viewOf(named("a", "b", "c"));
    const route = make(view);
    const before = route.toString();
    const kept = route.keep();
    buffer.fill(0x41);
    assert.equal(kept.toString(), before);
    assert.equal(kept.length, route.length);
    assert.equal(kept.byteLength, route.byteLength);
  }
});

test("the parts of a route that outlive a call are no views of its buffer", () => {
  const { view, buffer } = viewOf(named("a", "b", "c"));
  const { first, last } = view;
  const withoutLast = view.withoutLast();
  const addresses = view.addresses();
  buffer.fill(0x41);
  assert.equal(first.toString(), "0#a");
  assert.equal(last.toString(), "0#c");
  assert.equal(withoutLast.toString(), "0#a => 0#b");
  assert.deepEqual(addresses.map(String), ["0#a", "0#b", "0#c"]);
});

test("writeTo writes the wire form and nothing around it", () => {
  const route = viewOf(named("b", "c")).view.prepend(Address.parse("24#a"));
  const target = Buffer.alloc(route.byteLength + 4, 0xee);
  assert.equal(route.writeTo(target, 2), 2 + route.byteLength);
  assert.equal(target.toString("hex"), "eeee82181841618200416282004163eeee");
});

const anyAddress = fc
  .tuple(
    fc.constantFrom(0, 1, 24, 255),
    fc.oneof(fc.uint8Array({ maxLength: 30 }), fc.constant(new Uint8Array(300))),
  )
  .map(([type, value]) => new Address(type, value));

type Step =
  | { readonly do: "rest" | "withoutLast" | "keep" | "view" }
  | { readonly do: "prepend" | "prependRoute"; readonly with: readonly Address[] };

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constantFrom("rest", "withoutLast", "keep", "view") }),
  fc.record({ do: fc.constant("prepend"), with: fc.array(anyAddress, { minLength: 1, maxLength: 1 }) }),
  fc.record({ do: fc.constant("prependRoute"), with: fc.array(anyAddress, { maxLength: 3 }) }),
);

test("after any steps a route is the list of addresses that the same steps make", () => {
  fc.assert(
    fc.property(
      fc.array(anyAddress, { maxLength: 5 }),
      fc.array(anyStep, { maxLength: 12 }),
      (start, steps) => {
        let list: readonly Address[] = start;
        let route = Route.of(...start);
        for (const step of steps) {
          if (step.do === "prepend") route = route.prepend(step.with[0]!);
          else if (step.do === "prependRoute") route = route.prependRoute(Route.of(...step.with));
          else if (step.do === "keep") route = route.keep();
          else if (step.do === "view") route = viewOf(route).view;
          else if (route.isEmpty) continue;
          else route = step.do === "rest" ? route.rest() : route.withoutLast();
          if ("with" in step) list = [...step.with, ...list];
          else if (step.do === "rest") list = list.slice(1);
          else if (step.do === "withoutLast") list = list.slice(0, -1);

          const encoded = Buffer.concat(list.map((address) => address.encoded));
          assert.equal(route.length, list.length);
          assert.equal(route.byteLength, encoded.byteLength);
          assert.equal(route.isEmpty, list.length === 0);
          const target = Buffer.alloc(encoded.byteLength);
          route.writeTo(target, 0);
          assert.ok(target.equals(encoded));
          assert.ok(route.equals(Route.of(...list)));
          assert.deepEqual(texts(route), list.map(String));
          if (list.length === 0) continue;
          assert.equal(route.first.key, list[0]!.key);
          assert.ok(route.first.equals(list[0]!));
          assert.ok(route.last.equals(list.at(-1)!));
        }
      },
    ),
    { numRuns: 500 },
  );
});

/** The same first address in routes that are kept in different ways. */
const madeWays: readonly ((address: Address, rest: Route) => Route)[] = [
  (address, rest) => rest.prepend(address),
  (address, rest) => rest.prepend(address).keep(),
  (address, rest) => viewOf(rest.prepend(address)).view,
  (address, rest) => viewOf(rest.prepend(address).prepend(Address.local("before"))).view.rest(),
  (address, rest) => rest.prependRoute(Route.of(address)),
];

/** An equal address that is another object. */
function sameAs({ type, key }: Address): Address {
  return new Address(type, Buffer.from(type === 0 ? key : key.slice(1), "latin1"));
}

/** Addresses that are close to each other: of every length at which a head grows, and often equal. */
const anyNearAddress = fc
  .tuple(
    fc.constantFrom(0, 1, 23, 24, 255),
    fc.constantFrom(0, 1, 2, 23, 24, 255, 256, 65_535, 65_536),
    fc.constantFrom(0x40, 0x41, 0x58),
    fc.constantFrom(0x40, 0x41),
  )
  .map(([type, length, fill, last]) => {
    const value = Buffer.alloc(length, fill);
    if (length > 0) value[length - 1] = last;
    return new Address(type, value);
  });

test("equal first addresses have the same hash, however the route was made", () => {
  fc.assert(
    fc.property(anyNearAddress, fc.array(anyAddress, { maxLength: 3 }), (address, rest) => {
      const { hash } = sameAs(address);
      assert.equal(hash, hash | 0);
      for (const make of madeWays) assert.equal(make(address, Route.of(...rest)).firstHash, hash);
    }),
  );
});

test("the first address is another one exactly if their keys are equal, however the route was made", () => {
  fc.assert(
    fc.property(
      anyNearAddress,
      anyNearAddress,
      fc.array(anyAddress, { maxLength: 3 }),
      (address, other, rest) => {
        for (const make of madeWays) {
          const route = make(address, Route.of(...rest));
          assert.equal(route.firstIs(other), address.key === other.key);
          assert.equal(route.firstIs(sameAs(address)), true);
        }
      },
    ),
    { numRuns: 500 },
  );
});
