import type { Chunk } from "../../base/chunk.js";
import { PortwayError } from "../../base/errors.js";
import { Gate, type GateWaiter } from "../../base/gate.js";
import type { ByteSocket, ByteSocketUser } from "../../base/socket.js";
import { Message } from "../../model/message.js";
import { Route } from "../../model/route.js";
import type { SocketAddress } from "../../model/socket-address.js";
import { decodeMessage } from "../../wire/decode.js";
import { frameBytes } from "../../wire/encode.js";
import { lengthBytes, protocolVersion } from "../../wire/limits.js";
import { ReadRoutes } from "../../wire/route-memory.js";
import type { Attach, CloseReason, Connection, ConnectionTraffic, ConnectionUser } from "../transport.js";
import { FrameReader, type FrameReaderUser, type ReceiveBudget } from "./frame-reader.js";
import { FrameWriter } from "./frame-writer.js";
import type { TcpOptions } from "./tcp-options.js";

/** How long a closing connection may take to write what is queued. */
const lingerMs = 1_000;

const version = Uint8Array.of(protocolVersion);
const heartbeat = Message.of({ onward: Route.empty, return: Route.empty, payload: Buffer.alloc(0) });
/** A connection that is not read says so this often in the time that its peer's patience lasts. */
const heartbeatsPerStall = 4;
/**
 * How often one that does is given the time again. What is behind it may be slow and not dead, and a system tells of
 * room by the megabyte: a minute is enough for 25 KB/s.
 */
const maxSpared = 5;
/** Less than this in the time of a stall is as good as nothing to those who wait. */
const leastTakenBytes = 256 * 1024;

export interface TcpConnectionOptions {
  readonly limits: Required<TcpOptions>;
  readonly budget: ReceiveBudget;
  readonly attach: Attach;
  /** The peer's version byte has arrived: the connection is ready. */
  readonly ready: (connection: TcpConnection) => void;
  /** Called once, also for a connection that never became ready. */
  readonly gone: (connection: TcpConnection, reason: CloseReason, error: Error | undefined) => void;
}

/**
 * One socket between two nodes: the version byte each way, then frames.
 *
 * It is closed once nothing more goes in or out for its user, and finished once the socket is let go of; between the
 * two lies at most the time to write what is queued.
 */
export class TcpConnection implements Connection, ByteSocketUser, FrameReaderUser, GateWaiter {
  readonly #options: TcpConnectionOptions;
  readonly #reader: FrameReader;
  readonly #routes = new ReadRoutes();
  readonly #gate: Gate;
  #socket!: ByteSocket;
  #writer!: FrameWriter;
  #user: ConnectionUser | undefined;
  #blockedBy: Gate | undefined;
  #closed = false;
  #finished = false;
  #connected = false;
  #closeReason: CloseReason = "connection_failed";
  #timer: NodeJS.Timeout | undefined;
  #heartbeat: NodeJS.Timeout | undefined;
  /** Since the last heartbeat, or look whether one is due. */
  #hasWaited = false;
  #heartbeatMs = Number.NEGATIVE_INFINITY;
  /** How often the peer was spared since it had taken so many bytes. */
  #spared = { at: -1, times: 0 };
  #peer: SocketAddress = { host: "", port: 0 };
  #local: SocketAddress = { host: "", port: 0 };
  #receivedMessages = 0;
  #receivedBytes = 0;
  #sentMessages = 0;
  #sentBytes = 0;

  constructor(options: TcpConnectionOptions) {
    const { limits, budget } = options;
    this.#options = options;
    this.#reader = new FrameReader({
      maxFrameBytes: limits.maxFrameBytes,
      budget,
      user: this,
    });
    this.#gate = new Gate({
      stallTimeoutMs: limits.stallTimeoutMs,
      progress: () => this.#takenBytes,
      watch: () => this.#watchPeer(),
      onStalled: () => this.#end("stalled", undefined),
    });
  }

  /** The socket that calls this connection; must come first. */
  adopt(socket: ByteSocket): void {
    this.#socket = socket;
    this.#writer = new FrameWriter(socket, () => this.#emptied());
  }

  /** True once the socket was connected. */
  get isConnected(): boolean {
    return this.#connected;
  }

  /**
   * The socket is connected: our version byte leaves, the peer's is waited for. Without `handshakeTimeoutMs` the
   * caller sees to it that the wait ends.
   */
  start(handshakeTimeoutMs?: number): void {
    const socket = this.#socket;
    this.#connected = true;
    this.#peer = socket.peer ?? this.#peer;
    this.#local = socket.local ?? this.#local;
    if (handshakeTimeoutMs !== undefined) {
      this.#timer = setTimeout(() => this.#end("handshake_timeout", undefined), handshakeTimeoutMs);
    }
    this.#writer.putBytes(version);
    socket.resume();
  }

  get peer(): SocketAddress {
    return this.#peer;
  }

  get local(): SocketAddress {
    return this.#local;
  }

  get traffic(): ConnectionTraffic {
    return {
      receivedMessages: this.#receivedMessages,
      receivedBytes: this.#receivedBytes,
      sentMessages: this.#sentMessages,
      sentBytes: this.#sentBytes,
    };
  }

  get queuedBytes(): number {
    return this.#closed ? 0 : this.#writer.queuedBytes;
  }

  watchTaking(): () => Promise<boolean> {
    const between = this.#lookInside();
    return async () => {
      const { isUnderWay = false, takenBytes = 0 } = (await between()) ?? {};
      return isUnderWay && takenBytes > 0;
    };
  }

  /**
   * Looks into the system now and when it is asked: what the peer's system has acknowledged in between, at least; whether
   * there is more; and whether more has come that we have not read. Undefined where that is not told.
   */
  #lookInside() {
    const look = async () => {
      const takenBefore = this.#takenBytes;
      const waiting = await this.#socket.waiting();
      if (waiting === undefined) return undefined;
      const { unacknowledged, unread } = waiting;
      return {
        atLeast: takenBefore - unacknowledged,
        atMost: this.#takenBytes - unacknowledged,
        unacknowledged,
        unread,
      };
    };
    const before = look();
    return async () => {
      const [then, now] = [await before, await look()];
      if (then === undefined || now === undefined) return undefined;
      return {
        takenBytes: now.atLeast - then.atMost,
        isUnderWay: now.unacknowledged > 0,
        hasCome: now.unread > then.unread,
      };
    };
  }

  /** Bytes that the kernel has taken, ever. */
  get #takenBytes(): number {
    return this.#writer.offeredBytes - this.#socket.progress;
  }

  send(message: Message): Gate | undefined {
    if (this.#closed) return undefined;
    const { maxFrameBytes, sendQueueBytes } = this.#options.limits;
    if (this.#writer.queuedBytes >= sendQueueBytes) return this.#gate;
    const size = frameBytes(message);
    const bytes = size - lengthBytes;
    if (bytes > maxFrameBytes) {
      const said = `the message needs a frame of ${bytes} bytes; at most ${maxFrameBytes}`;
      throw new PortwayError("frame_too_large", said, { bytes, max: maxFrameBytes });
    }
    this.#sentMessages += 1;
    this.#sentBytes += message.payloadBytes;
    this.#writer.put(message, size);
    return undefined;
  }

  /** Ends at once; what is queued is lost. */
  abandon(reason: CloseReason): void {
    this.#end(reason, undefined);
  }

  close(): void {
    if (this.#closed) return;
    if (this.#user === undefined) {
      this.#end("closed_here", undefined);
      return;
    }
    this.#closed = true;
    this.#closeReason = "closed_here";
    this.#stopReading();
    this.#writer.flush();
    // From here on what is sent is lost, so nobody has to wait for room.
    this.#gate.open();
    if (this.#writer.queuedBytes === 0) this.#finish(true, undefined);
    else this.#timer = setTimeout(() => this.#finish(false, undefined), lingerMs);
  }

  readBuffer(): Buffer {
    const fault = this.#reader.makeRoom();
    if (fault !== undefined) this.#end(fault, undefined);
    return this.#reader.room;
  }

  read(length: number): void {
    this.#reader.filled(length);
    if (this.#user === undefined && !this.#handshake()) return;
    if (this.#closed) return;
    const fault = this.#reader.cut();
    if (fault !== undefined) this.#end(fault, undefined);
    else if (this.#reader.isWaiting) this.#wait();
  }

  written(): void {
    this.#writer.written();
    if (this.#closed && this.#writer.queuedBytes === 0) this.#finish(true, undefined);
  }

  ended(): void {
    this.#end("closed_by_peer", undefined);
  }

  closed(error: Error | undefined): void {
    if (this.#closed) this.#finish(false, undefined);
    else this.#end(error === undefined ? "closed_by_peer" : "connection_failed", error);
  }

  gateOpened(): void {
    this.#blockedBy = undefined;
    if (this.#closed) return;
    this.#reader.again();
    if (this.#closed) return;
    if (this.#reader.isWaiting) this.#wait();
    else this.#socket.resume();
  }

  #wait(): void {
    this.#socket.pause();
    const { stallTimeoutMs } = this.#options.limits;
    // Whoever waits for us must not take us for dead because somebody behind us is.
    this.#hasWaited = true;
    this.#heartbeat ??= setInterval(() => this.#beat(), stallTimeoutMs / heartbeatsPerStall);
    this.#blockedBy!.wait(this);
  }

  /**
   * Looks for what a full queue does not show. A peer that reads in large steps takes something all the same. And where
   * we do not read it ourselves, because what came from it waits for the same queue, it is heard if something arrives.
   */
  #watchPeer(): () => Promise<boolean> {
    const between = this.#lookInside();
    return async () => {
      const seen = await between();
      if (seen?.hasCome) this.#heartbeatMs = performance.now();
      if (seen === undefined || seen.takenBytes < leastTakenBytes) return this.#isSpared();
      this.#spared = { at: this.#takenBytes, times: 0 };
      return true;
    };
  }

  /** A peer that takes nothing but says that it lives is spared, so often each time that it has taken something. */
  #isSpared(): boolean {
    const at = this.#takenBytes;
    if (at !== this.#spared.at) this.#spared = { at, times: 0 };
    const isSilent = performance.now() - this.#heartbeatMs > this.#options.limits.stallTimeoutMs;
    if (isSilent || this.#spared.times === maxSpared) return false;
    this.#spared.times += 1;
    return true;
  }

  /** Also where it goes on for a moment now and then: what is taken so slowly shows late at the other end. */
  #beat(): void {
    if (this.#hasWaited) this.#writer.put(heartbeat);
    else this.#stopHeartbeat();
    this.#hasWaited = this.#blockedBy !== undefined;
  }

  #stopHeartbeat(): void {
    clearInterval(this.#heartbeat);
    this.#heartbeat = undefined;
  }

  /** True once the peer's version byte is in and right. */
  #handshake(): boolean {
    const version = this.#reader.takeByte();
    if (version === undefined) return false;
    if (version !== protocolVersion) {
      this.#end("bad_version", undefined);
      return false;
    }
    clearTimeout(this.#timer);
    this.#user = this.#options.attach(this);
    this.#options.ready(this);
    return true;
  }

  frame(chunk: Chunk, start: number, end: number): boolean {
    if (this.#closed) return true;
    const user = this.#user!;
    let message: Message;
    try {
      const { bytes, words } = chunk;
      message = decodeMessage(bytes, start, end, chunk, user.entrance, this.#routes, words);
    } catch (error) {
      this.#end("malformed", error instanceof Error ? error : undefined);
      return true;
    }
    // An empty onward route is a heartbeat.
    const isHeartbeat = message.onward.isEmpty;
    if (isHeartbeat) this.#heartbeatMs = performance.now();
    const gate = isHeartbeat ? undefined : user.received(message);
    if (gate !== undefined) {
      this.#blockedBy = gate;
      return false;
    }
    this.#receivedMessages += 1;
    this.#receivedBytes += message.payloadBytes;
    return true;
  }

  outOfRoom(): void {
    this.#end("receive_budget_exhausted", undefined);
  }

  #emptied(): void {
    if (this.#writer.queuedBytes < this.#options.limits.sendQueueBytes) this.#gate.open();
  }

  #end(reason: CloseReason, error: Error | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#closeReason = reason;
    this.#stopReading();
    this.#finish(false, error);
  }

  #stopReading(): void {
    clearTimeout(this.#timer);
    this.#stopHeartbeat();
    this.#socket.pause();
    this.#blockedBy?.leave(this);
    this.#blockedBy = undefined;
  }

  /** The last step: lets go of everything and tells whoever has to know. */
  #finish(orderly: boolean, error: Error | undefined): void {
    if (this.#finished) return;
    this.#finished = true;
    clearTimeout(this.#timer);
    const writer = this.#writer;
    writer.close();
    this.#socket.release(orderly, () => writer.free());
    this.#reader.close();
    this.#gate.open();
    this.#options.gone(this, this.#closeReason, error);
    this.#user?.closed(this.#closeReason, error);
  }
}
