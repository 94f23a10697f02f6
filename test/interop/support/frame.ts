import type { RecordedAddress, RecordedMessage } from "../../wire/recorded-vectors.js";

type Item = number | Buffer | string | Item[];

/** Reads the CBOR of a frame without any code of the product. Throws at what neither Ockam nor we write. */
export function readFrame(body: Buffer): RecordedMessage {
  let at = 0;
  const item = (): Item => {
    const head = body.readUInt8(at++);
    const [major, short] = [head >> 5, head & 31];
    let argument = short;
    if (short >= 24) {
      const bytes = 2 ** (short - 24);
      if (bytes > 4) throw new Error(`a head of ${bytes} bytes at ${at} of ${body.toString("hex")}`);
      argument = body.readUIntBE(at, bytes);
      at += bytes;
    }
    if (major === 0) return argument;
    if (major === 4) return Array.from({ length: argument }, item);
    if (major !== 2 && major !== 3)
      throw new Error(`major type ${major} at ${at} of ${body.toString("hex")}`);
    const bytes = body.subarray(at, at + argument);
    if (bytes.byteLength < argument) throw new Error(`a string that ends too early: ${body.toString("hex")}`);
    at += argument;
    return major === 2 ? bytes : bytes.toString();
  };
  const message = item();
  if (!Array.isArray(message) || at !== body.byteLength || message.length < 3 || message.length > 4) {
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

function addresses(route: Item): RecordedAddress[] {
  return (route as [number, Buffer][]).map(([type, value]) => ({ type, value: value.toString() }));
}
