import { Address } from "../../model/address.js";
import type { Message } from "../../model/message.js";
import { maxPartBytes } from "../../wire/datagram.js";
import { frameBytes } from "../../wire/encode.js";
import { lengthBytes } from "../../wire/limits.js";

/** What a datagram counts besides the part in it, in either direction: the most that its head may have. */
const datagramHeadBytes = 15;

/**
 * Whether a peer receives where it says it is. The address of a datagram can be forged: until the peer has sent back what
 * was only sent to that address, no more goes there than has come from there.
 */
export class AddressProof {
  #isProven: boolean;
  /** In front of return routes: a message that comes along it has been received there. */
  #asked: Address | undefined;
  #heardBytes = 0;
  #saidBytes = 0;

  constructor(isProven: boolean) {
    this.#isProven = isProven;
  }

  get isProven(): boolean {
    return this.#isProven;
  }

  /** The peer has shown it in another way. */
  confirm(): void {
    this.#isProven = true;
  }

  heard(partBytes: number): void {
    this.#heardBytes += partBytes + datagramHeadBytes;
  }

  said(bodyBytes: number): void {
    this.#saidBytes += countOf(bodyBytes);
  }

  /** Whether bodies of so many bytes may be said, one after another. */
  allows(...bodyBytes: readonly number[]): boolean {
    if (this.#isProven) return true;
    return bodyBytes.reduce((sum, bytes) => sum + countOf(bytes), 0) <= this.#heardBytes - this.#saidBytes;
  }

  /** The message that may be said: perhaps with a request to show it, perhaps as it is; undefined if neither may. */
  asking(message: Message): Message | undefined {
    if (this.#isProven) return message;
    if (!message.return.isEmpty) {
      this.#asked ??= Address.random();
      const asking = message.withRoutes(message.onward, message.return.prepend(this.#asked));
      if (this.allows(bodyBytes(asking))) return asking;
    }
    return this.allows(bodyBytes(message)) ? message : undefined;
  }

  /** The message without what was asked for, if that is in it; undefined if it was nothing else. */
  shown(message: Message): Message | undefined {
    if (this.#asked === undefined || !message.onward.firstIs(this.#asked)) return message;
    this.#isProven = true;
    const onward = message.onward.rest();
    return onward.isEmpty ? undefined : message.withRoutes(onward, message.return);
  }
}

/** Bytes of a message's CBOR. */
export function bodyBytes(message: Message): number {
  return frameBytes(message) - lengthBytes;
}

/** What the datagrams of a body count. */
function countOf(bytes: number): number {
  return bytes + Math.max(1, Math.ceil(bytes / maxPartBytes)) * datagramHeadBytes;
}
