/** Gives the next of the decisions that a property test draws: an integer from 0 to `below` - 1. */
export type Choose = (below: number) => number;

/** Decisions out of a list, again from its beginning when it is used up. */
export function choicesFrom(list: readonly number[]): Choose {
  let at = 0;
  return (below) => (list.length === 0 ? 0 : list[at++ % list.length]! % below);
}

/** What a message says, without any class of ours. */
export interface PlainMessage {
  readonly onward: readonly PlainAddress[];
  readonly return: readonly PlainAddress[];
  readonly payload: Uint8Array;
  readonly trace: string | undefined;
}

export interface PlainAddress {
  readonly type: number;
  readonly value: Uint8Array;
}

/**
 * The CBOR of a message in one of the many forms that a decoder must accept: heads longer than needed, arrays that end
 * with a break, more elements than we know, null for no tracing, bytes behind the end. `choose` says which; with a
 * `choose` that always gives 0 it is the shortest form.
 */
export function laxMessage(message: PlainMessage, choose: Choose): Buffer {
  const elements = [
    laxArray(
      message.onward.map((address) => laxAddress(address, choose)),
      choose,
    ),
    laxArray(
      message.return.map((address) => laxAddress(address, choose)),
      choose,
    ),
    laxString(0x40, message.payload, choose),
  ];
  if (message.trace !== undefined) elements.push(laxString(0x60, Buffer.from(message.trace), choose));
  const extras = choose(4);
  if (extras > 0 && message.trace === undefined) elements.push(Buffer.of(0xf6));
  for (let left = extras; left > 1; left -= 1) elements.push(laxItem(choose, 4));
  return Buffer.concat([laxArray(elements, choose), Buffer.alloc(choose(3), 0xff)]);
}

function laxAddress({ type, value }: PlainAddress, choose: Choose): Buffer {
  const elements = [laxHead(0x00, type, choose), laxString(0x40, value, choose)];
  for (let left = choose(3); left > 0; left -= 1) elements.push(laxItem(choose, 2));
  return laxArray(elements, choose);
}

/** Any item, with others in it at most `depth` deep. */
function laxItem(choose: Choose, depth: number): Buffer {
  const inner = (count: number): Buffer[] => Array.from({ length: count }, () => laxItem(choose, depth - 1));
  switch (choose(depth > 0 ? 11 : 6)) {
    case 0:
      return laxHead(0x00, choose(1000), choose);
    case 1:
      return laxHead(0x20, choose(1000), choose);
    case 2:
      return laxString(0x40, Buffer.alloc(choose(40), 0xff), choose);
    case 3:
      return laxString(0x60, Buffer.alloc(choose(40), 0x61), choose);
    case 4:
      return Buffer.from([[0xf4], [0xf6], [0xf8, 0x20], [0xf9, 1, 2], [0xfa, 1, 2, 3, 4]][choose(5)]!);
    case 5:
      return Buffer.of(0x5f, 0x41, 0xff, 0x40, 0xff);
    case 6:
      return laxArray(inner(choose(4)), choose);
    case 7: {
      const pairs = choose(3);
      return Buffer.concat([laxHead(0xa0, pairs, choose), ...inner(pairs * 2)]);
    }
    case 8:
      return Buffer.concat([Buffer.of(0xbf), ...inner(choose(3) * 2), Buffer.of(0xff)]);
    case 9:
      return Buffer.concat([laxHead(0xc0, choose(300), choose), ...inner(1)]);
    default:
      return Buffer.of(0x7f, 0x61, 0x61, 0xff);
  }
}

function laxArray(elements: readonly Buffer[], choose: Choose): Buffer {
  return choose(3) === 1
    ? Buffer.concat([Buffer.of(0x9f), ...elements, Buffer.of(0xff)])
    : Buffer.concat([laxHead(0x80, elements.length, choose), ...elements]);
}

function laxString(majorType: number, bytes: Uint8Array, choose: Choose): Buffer {
  return Buffer.concat([laxHead(majorType, bytes.byteLength, choose), bytes]);
}

/** A head in the shortest form, or in one that `choose` made longer. */
function laxHead(majorType: number, value: number, choose: Choose): Buffer {
  const needed = value < 24 ? 0 : value < 0x100 ? 1 : value < 0x10000 ? 2 : 3;
  const given = Math.min(needed + [0, 0, 0, 1, 2, 3, 4][choose(7)]!, 4);
  const argument = Buffer.alloc(8);
  argument.writeBigUInt64BE(BigInt(value));
  if (given === 0) return Buffer.of(majorType | value);
  const size = 1 << (given - 1);
  return Buffer.concat([Buffer.of(majorType | (23 + given)), argument.subarray(8 - size)]);
}
