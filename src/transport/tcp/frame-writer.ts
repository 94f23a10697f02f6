import { copyBytes, copyWords, maxWordLoopBytes, memoryOf } from "../../base/bytes.js";
import { Chunk, ChunkPool, copiedBehindBytes } from "../../base/chunk.js";
import { systemClock } from "../../base/clock.js";
import { RecycledList, releaseAll } from "../../base/recycled-list.js";
import type { Segments } from "../../base/socket.js";
import { afterRead, type Deferring } from "../../base/turn.js";
import type { Backing, Cargo, Message } from "../../model/message.js";
import { frameBytes, headBytes, tailBytes, writeHead, writeTail } from "../../wire/encode.js";

/** Payloads up to this size are copied next to their header; larger ones are referred to. */
const maxCopiedBytes = 16 * 1024;
const batchBytes = 128 * 1024;
/** Queued bytes that are not worth gathering more for. */
const enoughBytes = 64 * 1024;
/**
 * Messages that come within this time are close. A turn of the loop costs a lone message some microseconds; in a
 * process that is busy, which is when they come so close, a shared write saves more.
 */
const closeMs = 0.1;
/** Answers that come as close behind each other, each alone, are gathered for nothing no more often than this. */
const maxCloseOnesNeeded = 64;

const pool = new ChunkPool(batchBytes, 16);
/** Where a head is made that goes in front of a payload in place; longer ones do not. */
const scratch = memoryOf(Buffer.allocUnsafeSlow(1024));

/** What the writer needs of a ByteSocket. */
export interface FrameSink {
  /** True if all was taken and the bytes are free; false if they are used until the writer is told `written`. */
  write(bytes: Buffer): boolean;
  writeAll(segments: Segments): boolean;
}

/** What is in a write besides the segments: what has to be let go when it is done. */
interface Load {
  readonly held: RecycledList<Backing>;
  readonly batches: RecycledList<Chunk>;
  bytes: number;
}

function emptyLoad(): Load {
  return { held: new RecycledList(), batches: new RecycledList(), bytes: 0 };
}

/**
 * Turns messages into writes of one socket. What is queued in one call of the event loop leaves in one write. When
 * messages come close behind each other, what is queued in a turn of the loop is gathered from then on, until a turn
 * brings a message alone: a lone message waits for nothing, and many share a write.
 *
 * `emptied` is called whenever something has left.
 */
export class FrameWriter implements Deferring {
  readonly #socket: FrameSink;
  readonly #emptied: () => void;
  readonly #nowMs: () => number;
  /** Where small frames and headers are put one after the other; only while something is queued. */
  #batch: Chunk | undefined;
  #batchStart = 0;
  #batchEnd = 0;
  readonly #segments = new RecycledList<Buffer>();
  /** Frames that follow each other in memory, not a segment yet; what is in the batch and no segment comes behind. */
  #runMemory: Buffer | undefined;
  #runBacking: Backing | undefined;
  #runStart = 0;
  #runEnd = 0;
  #queued = emptyLoad();
  #inFlight: Load | undefined;
  #offeredBytes = 0;
  #flushDue: "no" | "soon" | "end of turn" = "no";
  #gathering = false;
  #gathered = 0;
  /** So many messages came close behind the one before them without a break. */
  #closeOnes = 0;
  /** So many must, before the next ones are gathered: more after each gathering that brought a message alone. */
  #closeOnesNeeded = 1;
  #lastMs = Number.NEGATIVE_INFINITY;
  #closed = false;

  constructor(socket: FrameSink, emptied: () => void, nowMs = systemClock.monotonicMs) {
    this.#socket = socket;
    this.#emptied = emptied;
    this.#nowMs = nowMs;
  }

  /** Bytes that the kernel has not taken. */
  get queuedBytes(): number {
    return this.#queued.bytes + (this.#inFlight?.bytes ?? 0);
  }

  /** Bytes that were given to the socket, ever. */
  get offeredBytes(): number {
    return this.#offeredBytes;
  }

  /** Queues bytes that are no frame. */
  putBytes(bytes: Uint8Array): void {
    if (this.#closed) return;
    this.#room(bytes.length).bytes.set(bytes, this.#batchEnd);
    this.#commit(bytes.length);
    this.#schedule();
  }

  /** `size` are the bytes of its frame. */
  put(message: Message, size = frameBytes(message)): void {
    if (this.#closed) return;
    const { payloadBytes } = message;
    if (
      payloadBytes <= maxCopiedBytes ||
      (payloadBytes <= copiedBehindBytes && this.#inFlight !== undefined)
    ) {
      const room = this.#room(size);
      const at = writeHead(room, this.#batchEnd, message, size);
      this.#commit(writeTail(room.bytes, copyPayload(room, at, message.cargo), message) - this.#batchEnd);
    } else this.#putLarge(message, size);
    this.#schedule();
  }

  #putLarge(message: Message, size: number): void {
    const { backing, headRoomBytes } = message;
    const headSize = headBytes(message);
    if (
      backing !== undefined &&
      message.trace === undefined &&
      headSize <= headRoomBytes &&
      headSize <= scratch.bytes.length
    ) {
      this.#putInPlace(message, size, headSize, backing);
      return;
    }
    const head = this.#room(headSize);
    this.#commit(writeHead(head, this.#batchEnd, message, size) - this.#batchEnd);
    this.#endSegment();
    if (backing === undefined) this.#segments.push(Buffer.from(message.payload));
    else {
      backing.hold();
      this.#queued.held.push(backing);
      this.#segments.push(message.payload);
    }
    this.#queued.bytes += message.payloadBytes;
    if (message.trace === undefined) return;
    const tail = this.#room(tailBytes(message)).bytes;
    this.#commit(writeTail(tail, this.#batchEnd, message) - this.#batchEnd);
  }

  /** Writes the head where the message's old one lay. Frames that follow each other there leave as one segment. */
  #putInPlace(message: Message, size: number, headSize: number, backing: Backing): void {
    const { memory, payloadStart } = message.cargo;
    const start = payloadStart - headSize;
    // The routes may lie where the head goes: it is made elsewhere first.
    writeHead(scratch, 0, message, size);
    copyHead(message.cargo, start, headSize);
    backing.headStart = start;
    backing.hold();
    this.#queued.held.push(backing);
    this.#queued.bytes += size;
    if (memory === this.#runMemory && start === this.#runEnd && this.#batchEnd === this.#batchStart) {
      this.#runEnd += size;
      return;
    }
    this.#endSegment();
    this.#runMemory = memory;
    this.#runBacking = backing;
    this.#runStart = start;
    this.#runEnd = start + size;
  }

  /** Must be called when the socket has written what it did not take at once. */
  written(): void {
    this.free();
    this.flush();
    this.#emptied();
  }

  /** Writes what is queued, unless a write is under way. */
  flush(): void {
    const load = this.#queued;
    if (load.bytes === 0 || this.#inFlight !== undefined || this.#closed) return;
    this.#offeredBytes += load.bytes;
    const isTaken = load.bytes === this.#batchEnd ? this.#writeBatch() : this.#writeSegments();
    if (isTaken) {
      load.bytes = 0;
      this.#emptied();
      return;
    }
    this.#inFlight = load;
    this.#queued = emptyLoad();
  }

  /** All that is queued lies in the batch: small messages alone, which need no lists. */
  #writeBatch(): boolean {
    const batch = this.#batch!;
    const isTaken = this.#socket.write(batch.view(0, this.#batchEnd));
    this.#batch = undefined;
    this.#batchEnd = 0;
    if (isTaken) pool.giveBack(batch);
    else this.#queued.batches.push(batch);
    return isTaken;
  }

  #writeSegments(): boolean {
    this.#endBatch();
    const isTaken = this.#socket.writeAll(this.#segments);
    this.#segments.clear();
    if (isTaken) letGo(this.#queued);
    return isTaken;
  }

  /** Drops what is queued. A write that is under way keeps its bytes until `free`. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#endBatch();
    this.#segments.clear();
    this.#queued.bytes = 0;
    letGo(this.#queued);
  }

  /** The socket uses the bytes of the write that was under way no more. */
  free(): void {
    const done = this.#inFlight;
    this.#inFlight = undefined;
    if (done !== undefined) letGo(done);
  }

  /** Memory with room for `bytes` at `#batchEnd`. */
  #room(bytes: number): Chunk {
    if (this.#batch !== undefined) {
      if (this.#batch.bytes.length - this.#batchEnd >= bytes) return this.#batch;
      this.#endBatch();
    }
    this.#batch = bytes > batchBytes ? new Chunk(bytes) : pool.take();
    return this.#batch;
  }

  #commit(bytes: number): void {
    this.#batchEnd += bytes;
    this.#queued.bytes += bytes;
  }

  #endSegment(): void {
    if (this.#runMemory !== undefined) {
      const view = this.#runBacking?.view?.(this.#runStart, this.#runEnd);
      this.#segments.push(view ?? this.#runMemory.subarray(this.#runStart, this.#runEnd));
      this.#runMemory = undefined;
      this.#runBacking = undefined;
    }
    if (this.#batchEnd === this.#batchStart) return;
    this.#segments.push(this.#batch!.view(this.#batchStart, this.#batchEnd));
    this.#batchStart = this.#batchEnd;
  }

  #endBatch(): void {
    this.#endSegment();
    if (this.#batch === undefined) return;
    this.#queued.batches.push(this.#batch);
    this.#batch = undefined;
    this.#batchStart = 0;
    this.#batchEnd = 0;
  }

  #schedule(): void {
    this.#gathered += 1;
    const isLittle = this.#queued.bytes < enoughBytes;
    if (this.#flushDue === "soon" || (this.#flushDue === "end of turn" && isLittle)) return;
    if (this.#flushDue === "no") this.#gathered = 1;
    if (this.#flushDue === "no" && isLittle && this.#gathering) {
      this.#flushDue = "end of turn";
      setImmediate(flushGathered, this);
    } else {
      this.#flushDue = "soon";
      afterRead(this);
    }
  }

  /** The read that brought messages has been handled, or the turn has ended: they leave. */
  catchUp(): void {
    this.#flushDue = "no";
    this.flush();
    // Behind the write: no message waits for the clock.
    if (!this.#gathering) this.#lookHowClose();
  }

  /** Whether messages come close behind each other: then the next ones are gathered. */
  #lookHowClose(): void {
    const now = this.#nowMs();
    this.#closeOnes = now - this.#lastMs < closeMs ? this.#closeOnes + 1 : 0;
    this.#gathering = this.#closeOnes >= this.#closeOnesNeeded;
    this.#lastMs = now;
  }

  /** The end of the turn: a turn that brought one message alone ends the gathering. */
  static flushGathered(writer: FrameWriter): void {
    if (writer.#gathered > 1) writer.#closeOnesNeeded = 1;
    else {
      writer.#gathering = false;
      writer.#closeOnes = 0;
      writer.#closeOnesNeeded = Math.min(2 * writer.#closeOnesNeeded, maxCloseOnesNeeded);
    }
    writer.catchUp();
  }
}

const { flushGathered } = FrameWriter;

function copyPayload(target: Chunk, at: number, { memory, words, payloadStart, payloadEnd }: Cargo): number {
  if (words !== undefined && payloadEnd - payloadStart <= maxWordLoopBytes)
    return copyWords(target.words, at, words, payloadStart, payloadEnd);
  return copyBytes(target.bytes, at, memory, payloadStart, payloadEnd);
}

function copyHead({ memory, words }: Cargo, at: number, size: number): void {
  if (words !== undefined && size <= maxWordLoopBytes) copyWords(words, at, scratch.words, 0, size);
  else copyBytes(memory, at, scratch.bytes, 0, size);
}

function letGo({ held, batches }: Load): void {
  releaseAll(held);
  for (let at = 0; at < batches.length; at += 1) pool.giveBack(batches.at(at));
  batches.clear();
}
