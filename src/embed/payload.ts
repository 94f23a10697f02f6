import { PortwayError } from "../base/errors.js";
import { decodeBareBytes, encodeBareBytes } from "../model/bare.js";

/**
 * How a payload stands in a message. `bare`: a BARE byte string, a length and then the bytes, as the services of a node,
 * `portway message send` and Ockam's workers have it. `raw`: the bytes alone.
 */
export type Encoding = "bare" | "raw";

/** Text stands for its UTF-8 bytes. */
export type Payload = string | Uint8Array;

export function encodePayload(payload: Payload, encoding: Encoding): Buffer {
  const bytes = typeof payload === "string" ? Buffer.from(payload, "utf8") : payload;
  if (!(bytes instanceof Uint8Array)) {
    throw new PortwayError("bad_argument", `a payload is a string or a Uint8Array, not ${typeof payload}`);
  }
  return encoding === "bare"
    ? encodeBareBytes(bytes)
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A view of `bytes`. Throws `malformed` if that is no BARE byte string and ought to be one. */
export function decodePayload(bytes: Uint8Array, encoding: Encoding): Uint8Array {
  return encoding === "bare" ? decodeBareBytes(bytes) : bytes;
}
