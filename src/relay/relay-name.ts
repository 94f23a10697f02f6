import { Address } from "../model/address.js";

/** In front of every name that a relay service gives out; a client never writes it. */
export const relayPrefix = "forward_to_";

/** The most bytes of a name, the prefix not counted. */
export const maxRelayNameBytes = 255;

/** What changes how the text around it is shown: names of others are shown to people. */
export const unfitCharacter = /[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]/u;

/** The word that a client registers under which wants a random name. */
export const anyName = "register";

/** The address of a relay service that clients of today use, and the other one, which means the same. */
export const staticRelayService = Address.local("static_forwarding_service");
export const relayService = Address.local("forwarding_service");

/** The address of the relay with this name. */
export function relayAddress(name: string): Address {
  return Address.local(relayPrefix + name);
}

/** What is wrong with a name, for a person; undefined if nothing is. */
export function relayNameProblem(name: string): string | undefined {
  if (name === "") return "it is empty";
  const bytes = Buffer.byteLength(name);
  if (bytes > maxRelayNameBytes) return `it has ${bytes} bytes; at most ${maxRelayNameBytes}`;
  if (/[/#]/.test(name)) return 'it has a "/" or a "#" in it';
  if (unfitCharacter.test(name)) return "it has a control character in it";
  return undefined;
}
