import { decodeBareBytes, encodeBareBytes } from "../model/bare.js";

/** No text of this protocol is longer, encoded. */
const maxTextBytes = 1024;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A payload of the relay protocol: a BARE string. */
export function encodeText(text: string): Buffer {
  return encodeBareBytes(Buffer.from(text, "utf8"));
}

/** The text of a payload; undefined if it is no BARE string or a longer one than any of the protocol. */
export function decodeText(payload: Uint8Array): string | undefined {
  if (payload.byteLength > maxTextBytes) return undefined;
  try {
    return utf8.decode(decodeBareBytes(payload));
  } catch {
    return undefined;
  }
}

/**
 * Our own texts, beyond those of Ockam: see PROTOCOL.md. Each ends with a line feed, which no name does, so that an
 * Ockam client, which takes any text that ends with its name for the confirmation, takes none of them for one.
 */
export const releaseText = "release\n";

/** Why a registration was refused. */
export type Refusal = "name_held" | "too_many" | "bad_name";

export function refusalText(refusal: Refusal): string {
  return `refused ${refusal}\n`;
}

/** The word for the reason in a refusal, which may be newer than this code; undefined if the text is none. */
export function refusalIn(text: string): string | undefined {
  return /^refused ([a-z_]{1,40})\n$/.exec(text)?.[1];
}

/** Asks the client behind a registration to send the same back. */
export function aliveText(nonce: string): string {
  return `alive ${nonce}\n`;
}

export function isAliveText(text: string): boolean {
  return /^alive [0-9a-f]{1,64}\n$/.test(text);
}
