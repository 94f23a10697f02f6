import fc from "fast-check";
import { Address } from "../../src/model/address.js";
import { Message } from "../../src/model/message.js";
import { Route } from "../../src/model/route.js";
import type { PlainAddress, PlainMessage } from "./lax-cbor.js";

/** Bytes whose numbers lie on both sides of each length at which a head grows. */
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.constantFrom(0, 23, 24, 255, 256, 65_535, 65_536).map((length) => new Uint8Array(length).fill(0x61)),
);

const shortBytes = fc.oneof(
  { weight: 9, arbitrary: fc.uint8Array({ maxLength: 40 }) },
  { weight: 1, arbitrary: fc.constantFrom(255, 256, 300).map((length) => new Uint8Array(length).fill(0x62)) },
);

const plainAddress: fc.Arbitrary<PlainAddress> = fc.record(
  {
    type: fc.oneof(fc.constantFrom(0, 1, 23, 24, 255), fc.integer({ min: 0, max: 255 })),
    value: shortBytes,
  },
  { noNullPrototype: true },
);

const plainRoute = fc.oneof(
  { weight: 9, arbitrary: fc.array(plainAddress, { maxLength: 5 }) },
  { weight: 1, arbitrary: fc.array(plainAddress, { minLength: 20, maxLength: 30 }) },
);

export const plainMessage: fc.Arbitrary<PlainMessage> = fc.record(
  {
    onward: plainRoute,
    return: plainRoute,
    payload: bytes,
    trace: fc.option(fc.string({ unit: "grapheme", maxLength: 40 }), { nil: undefined }),
  },
  { noNullPrototype: true },
);

/** Decisions for laxMessage: all of them open, or most of them for the shortest form. */
export const choices = fc.oneof(
  fc.array(fc.nat(1000), { minLength: 1, maxLength: 60 }),
  fc.array(fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(1000) }), {
    minLength: 1,
    maxLength: 200,
  }),
);

export function messageOf({ onward, return: back, payload, trace }: PlainMessage): Message {
  const routeOf = (route: readonly PlainAddress[]): Route =>
    Route.of(...route.map(({ type, value }) => new Address(type, value)));
  return Message.of({
    onward: routeOf(onward),
    return: routeOf(back),
    payload: Buffer.from(payload),
    trace: trace === undefined ? undefined : Buffer.from(trace),
  });
}

export function plainOf({ onward, return: back, payload, trace }: Message): PlainMessage {
  const routeOf = (route: Route): PlainAddress[] =>
    route.addresses().map(({ type, key }) => ({
      type,
      value: Uint8Array.from(Buffer.from(type === 0 ? key : key.slice(1), "latin1")),
    }));
  return {
    onward: routeOf(onward),
    return: routeOf(back),
    payload: Uint8Array.from(payload),
    trace: trace?.toString(),
  };
}
