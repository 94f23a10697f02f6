import type { RecordedAddress, RecordedMessage, RecordedPart } from "../../wire/recorded-vectors.js";

type Item = number | Buffer | string | Item[];

/** Reads the CBOR of a frame without any code of the product. Throws at what neither Ockam nor we write. */
export function readFrame(body: Buffer): RecordedMessage {
  const message = readItem(body);
  if (!Array.isArray(message) || message.length < 3 || message.length > 4) {
    throw new Error(`no message: ${body.toString("hex")}`);
  }
  const [onward, back, payload, tracing = null] = message;
  return {
    onwardRoute: addresses(onward!),
    returnRoute: addresses(back!),
    payloadHex: (payload as Buffer).toString("hex"),
    tracing: tracing as string | null,
  };
}

/** Reads a datagram in the same way. */
export function readDatagram(bytes: Buffer): RecordedPart {
  const datagram = readItem(bytes);
  if (!Array.isArray(datagram) || datagram.length !== 5 || datagram[0] !== 1) {
    throw new Error(`no datagram: ${bytes.toString("hex")}`);
  }
  const [, number, index, total, part] = datagram as [number, number, number, number, Buffer];
  return { number, index, total, partHex: part.toString("hex") };
}

function readItem(bytes: Buffer): Item {
  let at = 0;
  const item = (): Item => {
    const head = bytes.readUInt8(at++);
    const [major, short] = [head >> 5, head & 31];
    let argument = short;
    if (short >= 24) {
      const width = 2 ** (short - 24);
      if (width > 4) throw new Error(`a head of ${width} bytes at ${at} of ${bytes.toString("hex")}`);
      argument = bytes.readUIntBE(at, width);
      at += width;
    }
    if (major === 0) return argument;
    if (major === 4) return Array.from({ length: argument }, item);
    if (major !== 2 && major !== 3)
      throw new Error(`major type ${major} at ${at} of ${bytes.toString("hex")}`);
    const string = bytes.subarray(at, at + argument);
    if (string.byteLength < argument) throw new Error(`a string ends too early: ${bytes.toString("hex")}`);
    at += argument;
    return major === 2 ? string : string.toString();
  };
  const read = item();
  if (at !== bytes.byteLength) throw new Error(`more than one item: ${bytes.toString("hex")}`);
  return read;
}

function addresses(route: Item): RecordedAddress[] {
  return (route as [number, Buffer][]).map(([type, value]) => ({ type, value: value.toString() }));
}
