import type { Chunk } from "../base/chunk.js";
import type { Backing } from "../model/message.js";
import { type AssemblyRoom, BegunMessage, freeChunk } from "./begun-message.js";
import { numberDistance, type Part } from "./datagram.js";

/** What became of parts and messages that were not simply handed on. */
export interface PartCounts {
  /** Parts of a message that is over: handed on, given up, or too far behind. */
  readonly late: number;
  /** Parts that came again. */
  readonly doubled: number;
  /** Parts that came before an earlier one of the same message. */
  readonly outOfOrder: number;
  /** Messages given up because one part contradicted another. */
  readonly broken: number;
  /** Messages given up because a part was missing when one of a much later message came. */
  readonly abandoned: number;
  /** Numbers of which nothing came: lost messages, or such as the peer has sent to others. */
  readonly skipped: number;
  /** Messages given up because they are larger than allowed. */
  readonly tooLarge: number;
  /** Messages given up because there was no memory for them. */
  readonly noRoom: number;
  /** Messages given up because nothing more came of them. */
  readonly expired: number;
}

/** A whole message's CBOR, at `start` to `end`. Whoever needs the bytes for longer than a call holds `backing`. */
export interface Assembled {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  readonly backing: Backing;
  /** To be called once, when whoever wants the bytes has had the time to hold them. */
  done(): void;
}

export interface AssemblerOptions {
  readonly maxMessageBytes: number;
  readonly room: AssemblyRoom;
  /** A message of which nothing came for so long is given up. */
  readonly expireAfterMs: number;
  /** After so long a silence any number is taken: the peer may have begun anew. */
  readonly resyncAfterMs: number;
}

/** How many messages of a peer may be begun at a time: those with so many numbers in a row. */
export const windowMessages = 5;

/** The bytes of a datagram: they belong to the message alone, and are not written to again. */
class DatagramBytes implements Backing {
  headStart: number | undefined;
  hold(): void {}
  release(): void {}
}

/** What is known of a number in the window: nothing, a begun message, or that its message is over. */
type Slot = BegunMessage | "nothing" | "over";

/**
 * Puts the messages of one peer together: those of five numbers in a row, their parts in any order. A part of a later
 * message moves the window on, and gives up what falls out of it. What is handed on is whole, and comes once; messages
 * come in the order in which they were completed.
 */
export class PartAssembler {
  readonly #options: AssemblerOptions;
  readonly #counts = {
    late: 0,
    doubled: 0,
    outOfOrder: 0,
    broken: 0,
    abandoned: 0,
    skipped: 0,
    tooLarge: 0,
    noRoom: 0,
    expired: 0,
  };
  /** The number that the window begins with; undefined before the first part. */
  #oldest: number | undefined;
  readonly #slots: Slot[] = new Array<Slot>(windowMessages).fill("nothing");
  /** How many of the slots hold a begun message: mostly none, and then there is nothing to look through. */
  #begun = 0;
  #lastMs = 0;

  constructor(options: AssemblerOptions) {
    this.#options = options;
  }

  get counts(): PartCounts {
    return { ...this.#counts };
  }

  /** Takes a part of `datagram`; gives the message that it completes. */
  push(datagram: Buffer, part: Part, nowMs: number): Assembled | undefined {
    const at = this.#enter(part.number, nowMs);
    if (at === undefined) return undefined;
    const { total, start, end } = part;
    const { maxMessageBytes, room } = this.#options;
    let begun = this.#slots[at]!;
    if (begun === "over") {
      this.#counts.late += 1;
      return undefined;
    }
    if (begun === "nothing") {
      if (total === 1 && end - start <= maxMessageBytes) {
        this.#slots[at] = "over";
        return { bytes: datagram, start, end, backing: new DatagramBytes(), done() {} };
      }
      begun = new BegunMessage(total, room, maxMessageBytes, nowMs);
      this.#slots[at] = begun;
      this.#begun += 1;
    }
    begun.lastMs = nowMs;
    const aside = begun.asideParts;
    const outcome = begun.add(datagram, part);
    if (begun.asideParts > aside) this.#counts.outOfOrder += 1;
    if (outcome === "kept") return undefined;
    if (outcome === "doubled") {
      this.#counts.doubled += 1;
      return undefined;
    }
    if (outcome !== "whole") {
      this.#giveUp(at, begun, outcome);
      return undefined;
    }
    this.#end(at);
    return assembled(begun.take(), room);
  }

  /** A message of this number has come another way. */
  pass(number: number, nowMs: number): void {
    const at = this.#enter(number, nowMs);
    if (at !== undefined && this.#slots[at] === "nothing") this.#slots[at] = "over";
  }

  /** Gives up messages of which nothing came for too long. */
  expire(nowMs: number): void {
    this.#giveUpAll("expired", ({ lastMs }) => nowMs - lastMs >= this.#options.expireAfterMs);
  }

  /** Gives up what is begun, for the sake of others who need the memory. */
  yield(): void {
    this.#giveUpAll("noRoom", () => true);
  }

  /** Lets go of everything. Nothing may be pushed afterwards. */
  close(): void {
    for (const slot of this.#slots) if (typeof slot !== "string") slot.drop();
    this.#slots.fill("over");
    this.#begun = 0;
  }

  /** Where in the window the number is, perhaps after that has moved on; undefined for one that is behind it. */
  #enter(number: number, nowMs: number): number | undefined {
    this.expire(nowMs);
    const isSilent = nowMs - this.#lastMs >= this.#options.resyncAfterMs;
    this.#oldest ??= number;
    let at = numberDistance(number, this.#oldest);
    if (at < 0) {
      if (!isSilent) {
        this.#counts.late += 1;
        return undefined;
      }
      this.#giveUpAll("abandoned", () => true);
      this.#slots.fill("nothing");
      this.#oldest = number;
      at = 0;
    } else if (at >= windowMessages) {
      const steps = at - windowMessages + 1;
      this.#moveOn(Math.min(steps, windowMessages));
      this.#counts.skipped += Math.max(0, steps - windowMessages);
      this.#oldest = (this.#oldest + steps) & 0xffff;
      at = windowMessages - 1;
    }
    this.#lastMs = nowMs;
    return at;
  }

  /** Lets the first `steps` numbers fall out of the window. */
  #moveOn(steps: number): void {
    for (let at = 0; at < steps; at += 1) {
      const slot = this.#slots[at]!;
      if (slot === "nothing") this.#counts.skipped += 1;
      else if (slot !== "over") this.#giveUp(at, slot, "abandoned");
    }
    for (let at = 0; at < windowMessages; at += 1) {
      this.#slots[at] = at + steps < windowMessages ? this.#slots[at + steps]! : "nothing";
    }
  }

  #giveUpAll(why: keyof PartCounts, which: (begun: BegunMessage) => boolean): void {
    if (this.#begun === 0) return;
    for (let at = 0; at < windowMessages; at += 1) {
      const slot = this.#slots[at]!;
      if (typeof slot !== "string" && which(slot)) this.#giveUp(at, slot, why);
    }
  }

  #giveUp(at: number, begun: BegunMessage, why: keyof PartCounts): void {
    this.#counts[why] += 1;
    begun.drop();
    this.#end(at);
  }

  #end(at: number): void {
    this.#slots[at] = "over";
    this.#begun -= 1;
  }
}

function assembled({ chunk, bytes }: { chunk: Chunk; bytes: number }, room: AssemblyRoom): Assembled {
  return { bytes: chunk.bytes, start: 0, end: bytes, backing: chunk, done: () => freeChunk(chunk, room) };
}
