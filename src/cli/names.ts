import { PortwayError } from "../base/errors.js";
import { maxAddressBytes } from "../model/address.js";

const maxNameLength = 63;

/** The last part of a resource name: `web` of `nodes/n1/inlets/web`. */
export function idOf(resourceName: string): string {
  return resourceName.slice(resourceName.lastIndexOf("/") + 1);
}

/** The node of a resource name: `n1` of `nodes/n1/inlets/web`. */
export function nodeOf(resourceName: string): string {
  return resourceName.split("/")[1] ?? "";
}

/** The name of a node as a person gives it, `n1` or `/node/n1`. Throws `bad_name`. */
export function parseNodeId(text: string): string {
  return parseName(addressValue(text), "a node");
}

/** Throws `bad_name`, saying what the name is of. What begins with `-` is a flag on a command line, or standard input. */
export function parseName(text: string, of: string): string {
  if (/^[A-Za-z0-9_][A-Za-z0-9_-]*$/.test(text) && text.length <= maxNameLength) return text;
  throw new PortwayError(
    "bad_name",
    `"${text}" can't be the name of ${of}: expected 1 to ${maxNameLength} letters, digits, "_" or "-", the first no "-"`,
    { given: text },
  );
}

/** `x` of `x`, `/node/x`, `/service/x`, `/worker/x` and `0#x`, as people copy them from what a command printed. */
export function addressValue(text: string): string {
  return /^\/?(?:node|service|worker)\/([^/]+)$/.exec(text)?.[1] ?? /^0#(.+)$/.exec(text)?.[1] ?? text;
}

/** A worker address as a person gives it. Throws `bad_address`. */
export function parseWorkerAddress(text: string): string {
  const address = addressValue(text);
  if (/^[^/#\s]+$/.test(address) && Buffer.byteLength(address) <= maxAddressBytes) return address;
  throw new PortwayError(
    "bad_address",
    `"${text}" can't be the address of a worker: expected a word of at most ${maxAddressBytes} bytes without "/" and "#", or /service/WORD`,
    { given: text },
  );
}

/** Whether a relay can be registered under it. */
export function isRelayAddress(text: string): boolean {
  return text !== "" && !/[/#]/.test(text) && Buffer.byteLength(text) <= maxAddressBytes;
}
