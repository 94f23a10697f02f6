import { ownCopy } from "../base/bytes.js";
import { Chunk } from "../base/chunk.js";
import { maxDatagramBytes, maxPartBytes, type Part } from "./datagram.js";

/** Memory for messages that are being put together. */
export interface AssemblyRoom {
  /** False: there is none; whoever asked gives up the message. */
  take(bytes: number): boolean;
  giveBack(bytes: number): void;
}

/**
 * What became of a part: it is kept, and completes its message or does not; it was there already; or it is the end of
 * its message, because it contradicts the others, because the message is too large, or because there is no memory.
 */
export type PartOutcome = "kept" | "whole" | "doubled" | "broken" | "tooLarge" | "noRoom";

const firstChunkBytes = 4 * maxPartBytes;
/** What a part that is set aside costs besides its bytes. */
const asideOverheadBytes = 256;
/** What a datagram has around its part, if there is no more in it than there must be. */
const aroundPartBytes = maxDatagramBytes - maxPartBytes;

/**
 * A message of which not all parts have come. Those that come in order are put behind each other in a chunk, which
 * doubles when it is full; those that come before an earlier one are set aside until that is there, without what else is
 * in their datagrams. So its memory grows with the bytes of the parts that have come, never on the word of an index or a
 * number of parts.
 */
export class BegunMessage {
  /** When a part of it last came. */
  lastMs: number;
  readonly #total: number;
  readonly #room: AssemblyRoom;
  readonly #maxBytes: number;
  #chunk: Chunk | undefined;
  #filled = 0;
  /** How many parts are in the chunk. */
  #placed = 0;
  /** Of each part but the last; undefined until one of them has come. */
  #partBytes: number | undefined;
  readonly #aside = new Map<number, Buffer>();

  constructor(total: number, room: AssemblyRoom, maxBytes: number, nowMs: number) {
    this.#total = total;
    this.#room = room;
    this.#maxBytes = maxBytes;
    this.lastMs = nowMs;
  }

  /** Parts that wait for an earlier one. */
  get asideParts(): number {
    return this.#aside.size;
  }

  add(datagram: Buffer, { index, total, start, end }: Part): PartOutcome {
    if (total !== this.#total) return "broken";
    if (index < total - 1) {
      const bytes = end - start;
      if (bytes === 0 || (this.#partBytes ?? bytes) !== bytes) return "broken";
      if ((total - 1) * bytes > this.#maxBytes) return "tooLarge";
      this.#partBytes = bytes;
    }
    const there = this.#there(index);
    if (there !== undefined) return there.compare(datagram, start, end) === 0 ? "doubled" : "broken";
    if (index > this.#placed) return this.#setAside(index, datagram.subarray(start, end));
    let outcome = this.#place(datagram, start, end);
    while (outcome === "kept") {
      const next = this.#aside.get(this.#placed);
      if (next === undefined) break;
      this.#aside.delete(this.#placed);
      outcome = this.#place(next, 0, next.length);
      this.#room.giveBack(next.length + asideOverheadBytes);
    }
    return outcome;
  }

  /** The memory of a whole message and how many bytes of it are the message's. Whoever takes it frees it with `freeChunk`. */
  take(): { readonly chunk: Chunk; readonly bytes: number } {
    const chunk = this.#chunk!;
    this.#chunk = undefined;
    return { chunk, bytes: this.#filled };
  }

  /** Lets go of what has come. Nothing may be added afterwards. */
  drop(): void {
    if (this.#chunk !== undefined) freeChunk(this.#chunk, this.#room);
    this.#chunk = undefined;
    for (const { length } of this.#aside.values()) this.#room.giveBack(length + asideOverheadBytes);
    this.#aside.clear();
  }

  /** The bytes of a part that has come. */
  #there(index: number): Buffer | undefined {
    if (index >= this.#placed) return this.#aside.get(index);
    const at = index * this.#partBytes!;
    return this.#chunk!.bytes.subarray(at, at + this.#partBytes!);
  }

  #setAside(index: number, part: Buffer): PartOutcome {
    if (!this.#room.take(part.length + asideOverheadBytes)) return "noRoom";
    this.#aside.set(index, alone(part));
    return "kept";
  }

  #place(from: Buffer, start: number, end: number): PartOutcome {
    const filled = this.#filled + end - start;
    if (filled > this.#maxBytes) return "tooLarge";
    const chunk = this.#chunkFor(filled);
    if (chunk === undefined) return "noRoom";
    from.copy(chunk.bytes, this.#filled, start, end);
    this.#filled = filled;
    this.#placed += 1;
    return this.#placed === this.#total ? "whole" : "kept";
  }

  /** The chunk with room for `bytes` bytes in all; undefined if there is no memory for it. */
  #chunkFor(bytes: number): Chunk | undefined {
    const chunk = this.#chunk;
    if (chunk !== undefined && bytes <= chunk.bytes.length) return chunk;
    const wanted = chunk === undefined ? firstChunkBytes : chunk.bytes.length * 2;
    const size = Math.min(this.#maxBytes, Math.max(bytes, wanted));
    if (!this.#room.take(size)) return undefined;
    const next = new Chunk(size);
    if (chunk !== undefined) {
      chunk.bytes.copy(next.bytes, 0, 0, this.#filled);
      freeChunk(chunk, this.#room);
    }
    this.#chunk = next;
    return next;
  }
}

/** The part in memory that holds little else: that of its datagram, unless more is in there. */
function alone(part: Buffer): Buffer {
  if (part.buffer.byteLength - part.length <= aroundPartBytes) return part;
  return ownCopy(part, 0, part.length);
}

/** Gives the memory of a chunk back once nobody holds it. */
export function freeChunk(chunk: Chunk, room: AssemblyRoom): void {
  chunk.freed(({ bytes }) => room.giveBack(bytes.length));
}
