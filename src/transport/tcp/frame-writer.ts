import { Chunk, ChunkPool } from "../../base/chunk.js";
import type { Backing, Message } from "../../model/message.js";
import { frameBytes, headBytes, tailBytes, writeHead, writeTail } from "../../wire/encode.js";

/** Payloads up to this size are copied next to their header; larger ones are referred to. */
const copyBytes = 16 * 1024;
const batchBytes = 128 * 1024;
/** Queued bytes that are not worth gathering more for. */
const enoughBytes = 64 * 1024;
/** Messages that follow each other closer than this are gathered until the end of the turn of the event loop. */
const closeMs = 0.03;

const pool = new ChunkPool(batchBytes, 16);
const now = Promise.resolve();

/** What the writer needs of a ByteSocket. */
export interface FrameSink {
  /** True if all was taken and the bytes are free; false if they are used until the writer is told `written`. */
  write(segments: readonly Buffer[]): boolean;
}

/** What is in a write besides the segments: what has to be let go when it is done. */
interface Load {
  readonly held: Backing[];
  readonly batches: Chunk[];
  bytes: number;
}

/**
 * Turns messages into writes of one socket. What is queued in one call of the event loop leaves in one write; when
 * messages follow each other closely, what is queued in one turn of the loop does.
 *
 * `emptied` is called whenever something has left.
 */
export class FrameWriter {
  readonly #socket: FrameSink;
  readonly #emptied: () => void;
  /** Where small frames and headers are put one after the other; only while something is queued. */
  #batch: Chunk | undefined;
  #batchStart = 0;
  #batchEnd = 0;
  #segments: Buffer[] = [];
  #queued: Load = { held: [], batches: [], bytes: 0 };
  #inFlight: Load | undefined;
  #offeredBytes = 0;
  #flushDue = false;
  #gathering = false;
  #gathered = 0;
  #lastFlushMs = 0;
  #closed = false;

  constructor(socket: FrameSink, emptied: () => void) {
    this.#socket = socket;
    this.#emptied = emptied;
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
    this.#room(bytes.byteLength).set(bytes, this.#batchEnd);
    this.#commit(bytes.byteLength);
    this.#schedule();
  }

  put(message: Message): void {
    if (this.#closed) return;
    const { payload } = message;
    if (payload.byteLength <= copyBytes) {
      const bytes = this.#room(frameBytes(message));
      const at = writeHead(bytes, this.#batchEnd, message);
      bytes.set(payload, at);
      this.#commit(writeTail(bytes, at + payload.byteLength, message) - this.#batchEnd);
    } else this.#putLarge(message);
    this.#schedule();
  }

  #putLarge(message: Message): void {
    const { payload, backing } = message;
    const head = this.#room(headBytes(message));
    this.#commit(writeHead(head, this.#batchEnd, message) - this.#batchEnd);
    this.#endSegment();
    if (backing === undefined) this.#segments.push(Buffer.from(payload));
    else {
      backing.hold();
      this.#queued.held.push(backing);
      this.#segments.push(payload);
    }
    this.#queued.bytes += payload.byteLength;
    if (message.trace === undefined) return;
    const tail = this.#room(tailBytes(message));
    this.#commit(writeTail(tail, this.#batchEnd, message) - this.#batchEnd);
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
    this.#endBatch();
    const segments = this.#segments;
    this.#segments = [];
    this.#offeredBytes += load.bytes;
    if (this.#socket.write(segments)) {
      load.bytes = 0;
      letGo(load);
      this.#emptied();
      return;
    }
    this.#inFlight = load;
    this.#queued = { held: [], batches: [], bytes: 0 };
  }

  /** Drops what is queued. A write that is under way keeps its bytes until `free`. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#endBatch();
    this.#segments = [];
    this.#queued.bytes = 0;
    letGo(this.#queued);
  }

  /** The socket uses the bytes of the write that was under way no more. */
  free(): void {
    const done = this.#inFlight;
    this.#inFlight = undefined;
    if (done !== undefined) letGo(done);
  }

  /** A buffer with room for `bytes` at `#batchEnd`. */
  #room(bytes: number): Buffer {
    if (this.#batch !== undefined) {
      if (this.#batch.bytes.byteLength - this.#batchEnd >= bytes) return this.#batch.bytes;
      this.#endBatch();
    }
    this.#batch = bytes > batchBytes ? new Chunk(bytes) : pool.take();
    return this.#batch.bytes;
  }

  #commit(bytes: number): void {
    this.#batchEnd += bytes;
    this.#queued.bytes += bytes;
  }

  #endSegment(): void {
    if (this.#batchEnd === this.#batchStart) return;
    this.#segments.push(this.#batch!.bytes.subarray(this.#batchStart, this.#batchEnd));
    this.#batchStart = this.#batchEnd;
  }

  #endBatch(): void {
    if (this.#batch === undefined) return;
    this.#endSegment();
    this.#queued.batches.push(this.#batch);
    this.#batch = undefined;
    this.#batchStart = 0;
    this.#batchEnd = 0;
  }

  #schedule(): void {
    this.#gathered += 1;
    if (this.#flushDue) return;
    this.#flushDue = true;
    this.#gathered = 1;
    const isLittle = this.#queued.bytes < enoughBytes;
    if (isLittle && !this.#gathering) {
      const time = performance.now();
      this.#gathering = time - this.#lastFlushMs < closeMs;
      this.#lastFlushMs = time;
    }
    if (this.#gathering && isLittle) setImmediate(flushGathered, this);
    else void now.then(this.#flushNow);
  }

  readonly #flushNow = (): void => {
    this.#flushDue = false;
    this.flush();
  };

  /** The end of the turn: a turn that brought one message alone ends the gathering. */
  static flushGathered(writer: FrameWriter): void {
    if (writer.#gathered === 1) writer.#gathering = false;
    writer.#flushNow();
  }
}

const { flushGathered } = FrameWriter;

function letGo({ held, batches }: Load): void {
  for (const backing of held) backing.release();
  for (const batch of batches) pool.giveBack(batch);
  held.length = 0;
  batches.length = 0;
}
