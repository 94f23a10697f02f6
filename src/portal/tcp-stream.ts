import { memoryOf } from "../base/bytes.js";
import { type Chunk, ChunkPool, copiedBehindBytes } from "../base/chunk.js";
import { RecycledList, releaseAll } from "../base/recycled-list.js";
import { type AcceptedSocket, ByteSocket, type ByteSocketUser } from "../base/socket.js";
import { afterRead, type Deferring, lastPiece } from "../base/turn.js";
import type { Backing } from "../model/message.js";
import type { SocketAddress } from "../model/socket-address.js";
import { localQueues } from "./local-queues.js";
import type { LocalStream, LocalStreamUser } from "./local-stream.js";
import { maxDataBytes, maxPayloadHeadBytes } from "./portal-message.js";

/** Room in front of data for the heads of a payload and a frame. */
const headRoomBytes = 512;

/** Quiet sockets all read into one buffer: an idle connection owns none. What is read there is copied when sent on. */
const shared = memoryOf(Buffer.allocUnsafeSlow(16 * 1024));
const sharedRoom = shared.bytes.subarray(headRoomBytes);
/**
 * A read that fills the shared buffer earns the socket a chunk of its own, which takes three messages in one read; a
 * small read gives it back.
 */
const messagesPerRead = 3;
const ownReadBytes = messagesPerRead * maxDataBytes;
/** The heads of the messages behind the first get their room by moving data; with so much, three fill two segments. */
const defaultGapBytes = 135;
const pool = new ChunkPool(ownReadBytes + messagesPerRead * headRoomBytes, 64);
/** A smaller read than this gives it back. */
const smallReadBytes = 16 * 1024;
/**
 * A chunk is kept through a pause, which may last for days, and while what is in it waits: from so many on, each read
 * that does not fill one gives it back, and beyond the second number there are none. What is read into the shared buffer
 * is copied when it has to wait.
 */
const manyChunks = 256;
const maxChunks = 512;
/** What a piece of data costs beside its bytes while it is queued. */
const pieceBytes = 256;
/** About what a write under way keeps in memory of what else was read with its first bytes. */
const heldChunkBytes = 128 * 1024;

/** What is shown to users, one after the other. */
const place = { memory: shared, at: 0, length: 0, roomBytes: 0 };

/** A local stream over a TCP socket. */
export class TcpStream implements LocalStream, ByteSocketUser, Deferring {
  readonly #user: LocalStreamUser;
  #socket!: ByteSocket;
  #own: Chunk | undefined;
  readonly #segments = new RecycledList<Buffer>();
  #held = new RecycledList<Backing>();
  #inFlight: RecycledList<Backing> | undefined;
  #inFlightBytes = 0;
  #queuedBytes = 0;
  /** What counts of them in `localQueues`. */
  #counted = 0;
  #written = 0;
  #flushDue = false;
  #reading = false;
  #lastLength = 0;
  #ending = false;
  #closed = false;

  private constructor(user: LocalStreamUser) {
    this.#user = user;
  }

  static accepted(accepted: AcceptedSocket, user: LocalStreamUser): TcpStream {
    const stream = new TcpStream(user);
    stream.#socket = ByteSocket.accepted(accepted, stream, false);
    return stream;
  }

  /** Connects; `connected` is called once it has, a failure comes as the user's `closed`. */
  static dial(
    { host, port }: SocketAddress,
    user: LocalStreamUser,
    connected: () => void,
    plainSockets = false,
  ): TcpStream {
    const stream = new TcpStream(user);
    stream.#socket = ByteSocket.dial({ host, port, keepAlive: false, plainSockets }, stream, connected);
    return stream;
  }

  get queuedBytes(): number {
    return this.#queuedBytes + this.#segments.length * pieceBytes + this.#inFlightBytes;
  }

  get progress(): number {
    return this.#written - this.#socket.progress;
  }

  resume(): void {
    if (this.#reading || this.#closed || this.#ending) return;
    this.#reading = true;
    this.#socket.resume();
  }

  keepAlive(): void {
    if (!this.#closed) this.#socket.keepAlive();
  }

  write(data: Buffer, backing: Backing | undefined): void {
    if (this.#closed || this.#ending || data.length === 0) return;
    const { isBusy } = this.#socket;
    if (backing === undefined || (data.length < copiedBehindBytes && (isBusy || localQueues.areFull))) {
      this.#segments.push(Buffer.from(data));
    } else {
      backing.hold();
      this.#held.push(backing);
      this.#segments.push(data);
    }
    this.#queuedBytes += data.length;
    if (isBusy) this.#count();
    if (this.#flushDue) return;
    this.#flushDue = true;
    afterRead(this);
  }

  end(): void {
    if (this.#closed || this.#ending) return;
    this.#ending = true;
    this.#flush();
    if (this.queuedBytes === 0) this.#finish();
    else this.#stopReading();
  }

  reset(): void {
    if (this.#closed) return;
    this.#socket.reset();
    this.#letGo();
  }

  // ---- the socket calls

  readBuffer(): Buffer {
    if (!this.#closed) this.#chooseBuffer();
    return this.#own?.view(headRoomBytes, headRoomBytes + ownReadBytes) ?? sharedRoom;
  }

  read(length: number): void {
    if (this.#closed || this.#ending) return;
    this.#lastLength = length;
    const own = this.#own;
    // Whoever takes the data may end this stream before it holds the chunk.
    own?.hold();
    const more = this.#handOn(own, length);
    own?.release();
    if (!more && !this.#closed) this.#stopReading();
  }

  #handOn(own: Chunk | undefined, length: number): boolean {
    const first = Math.min(length, maxDataBytes);
    if (own !== undefined) own.headStart = undefined;
    let more = this.#piece(own, headRoomBytes, first, headRoomBytes, first === length);
    if (own === undefined || first === length) return more;
    // With just the room that the first one's head took they leave as one. Where no head was written, or a long one,
    // this tells nothing.
    const headBytes = headRoomBytes - (own.headStart ?? headRoomBytes);
    const gapBytes = headBytes >= maxPayloadHeadBytes ? headBytes : defaultGapBytes;
    makeGaps(own.bytes, length, gapBytes);
    for (let done = first, at = headRoomBytes + first; done < length && !this.#closed; ) {
      const size = Math.min(length - done, maxDataBytes);
      at += gapBytes;
      done += size;
      if (!this.#piece(own, at, size, gapBytes, done === length)) more = false;
      at += size;
    }
    return more;
  }

  #piece(own: Chunk | undefined, at: number, length: number, roomBytes: number, isLast: boolean): boolean {
    place.memory = own ?? shared;
    place.at = at;
    place.length = length;
    place.roomBytes = roomBytes;
    if (isLast) lastPiece();
    return this.#user.data(place, own);
  }

  written(): void {
    if (this.#inFlight !== undefined) releaseAll(this.#inFlight);
    this.#inFlight = undefined;
    this.#inFlightBytes = 0;
    this.#count();
    this.#flush();
    if (this.#closed) return;
    if (!this.#ending) this.#user.drained();
    else if (this.queuedBytes === 0) this.#finish();
  }

  ended(): void {
    if (!this.#closed && !this.#ending) this.#user.ended();
  }

  closed(error: Error | undefined): void {
    if (this.#closed) return;
    this.#letGo();
    this.#user.closed(error);
  }

  // ----

  /** Decides where the next read goes; what the last one brought has been handled, and perhaps written. */
  #chooseBuffer(): void {
    const own = this.#own;
    const lastLength = this.#lastLength;
    const isLeft = pool.taken < maxChunks;
    if (own === undefined) {
      if (lastLength === sharedRoom.length && isLeft) this.#own = pool.take();
      return;
    }
    if (lastLength < (pool.taken > manyChunks ? ownReadBytes : smallReadBytes)) this.#own = undefined;
    else if (own.isHeld) this.#own = isLeft ? pool.take() : undefined;
    else return;
    pool.giveBack(own);
  }

  #stopReading(): void {
    this.#reading = false;
    this.#socket.pause();
  }

  /** What was written in the read that has been handled leaves. */
  catchUp(): void {
    this.#flushDue = false;
    this.#flush();
    // What filled the queue before it was written may have left at once: nobody else tells those who wait for room.
    if (this.#inFlight === undefined && !this.#closed && !this.#ending) this.#user.drained();
  }

  #flush(): void {
    if (this.#queuedBytes === 0 || this.#inFlight !== undefined || this.#closed) return;
    const held = this.#held;
    const queuedBytes = this.queuedBytes;
    this.#written += this.#queuedBytes;
    this.#queuedBytes = 0;
    const isTaken = this.#socket.writeAll(this.#segments);
    this.#segments.clear();
    if (isTaken) {
      releaseAll(held);
      return;
    }
    this.#held = new RecycledList();
    this.#inFlight = held;
    this.#inFlightBytes = queuedBytes;
    this.#count();
  }

  /** A write that the system did not take counts, with the memory that it holds, and so does what waits behind it. */
  #count(): void {
    const inFlight = this.#inFlight;
    let counts = 0;
    if (inFlight !== undefined) counts = this.queuedBytes + (inFlight.length > 0 ? heldChunkBytes : 0);
    localQueues.changed(counts - this.#counted);
    this.#counted = counts;
  }

  #finish(): void {
    this.#socket.release(true);
    this.#letGo();
    this.#user.closed(undefined);
  }

  #letGo(): void {
    this.#closed = true;
    const inFlight = this.#inFlight;
    if (inFlight !== undefined) {
      // A write that is under way still reads its bytes.
      this.#socket.release(false, () => releaseAll(inFlight));
    }
    releaseAll(this.#held);
    this.#segments.clear();
    this.#inFlight = undefined;
    this.#queuedBytes = 0;
    this.#inFlightBytes = 0;
    this.#count();
    if (this.#own !== undefined) pool.giveBack(this.#own);
    this.#own = undefined;
  }
}

/** Moves the messages behind the first, of a read of `length` bytes, so that each has `gapBytes` in front of it. */
function makeGaps(bytes: Buffer, length: number, gapBytes: number): void {
  for (let at = (Math.ceil(length / maxDataBytes) - 1) * maxDataBytes; at > 0; at -= maxDataBytes) {
    const from = headRoomBytes + at;
    const to = from + (at / maxDataBytes) * gapBytes;
    bytes.copyWithin(to, from, headRoomBytes + Math.min(length, at + maxDataBytes));
  }
}
