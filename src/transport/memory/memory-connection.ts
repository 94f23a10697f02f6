import { PortwayError } from "../../base/errors.js";
import { Gate, type GateWaiter } from "../../base/gate.js";
import type { Backing, Message } from "../../model/message.js";
import type { SocketAddress } from "../../model/socket-address.js";
import { decodeMessage } from "../../wire/decode.js";
import { encodeMessage, frameBytes } from "../../wire/encode.js";
import { lengthBytes } from "../../wire/limits.js";
import type { CloseReason, Connection, ConnectionTraffic, ConnectionUser } from "../transport.js";
import type { MemoryOptions } from "./memory-options.js";

export interface MemoryConnectionOptions {
  readonly limits: Required<MemoryOptions>;
  readonly peer: SocketAddress;
  readonly local: SocketAddress;
  /** Called once. */
  readonly gone: (connection: MemoryConnection, reason: CloseReason) => void;
}

/**
 * A frame under way. When nobody uses it any more its bytes are overwritten, as a socket would overwrite them: who keeps
 * bytes without a hold sees it here first.
 */
class FrameInMemory implements Backing {
  readonly bytes: Buffer;
  readonly dueMs: number;
  #holds = 1;

  constructor(bytes: Buffer, dueMs: number) {
    this.bytes = bytes;
    this.dueMs = dueMs;
  }

  hold(): void {
    this.#holds += 1;
  }

  release(): void {
    this.#holds -= 1;
    if (this.#holds === 0) this.bytes.fill(0xdd);
  }
}

/** One end of a connection. What is sent lies in the inbox of the other end until that one's user takes it. */
export class MemoryConnection implements Connection, GateWaiter {
  readonly peer: SocketAddress;
  readonly local: SocketAddress;
  readonly #options: MemoryConnectionOptions;
  readonly #gate: Gate;
  readonly #inbox: FrameInMemory[] = [];
  #inboxBytes = 0;
  /** The other end sends no more: after what is in the inbox, this one ends. */
  #inboxEnded = false;
  #other!: MemoryConnection;
  #user: ConnectionUser | undefined;
  #blockedBy: Gate | undefined;
  #due: Disposable | undefined;
  #closed = false;
  #receivedMessages = 0;
  #receivedBytes = 0;
  #sentMessages = 0;
  #sentBytes = 0;

  private constructor(options: MemoryConnectionOptions) {
    this.#options = options;
    this.peer = options.peer;
    this.local = options.local;
    this.#gate = new Gate({
      stallTimeoutMs: options.limits.stallTimeoutMs,
      progress: () => this.#other.#receivedMessages,
      onStalled: () => {
        this.#other.#end("connection_failed");
        this.#end("stalled");
      },
    });
  }

  static pair(
    one: MemoryConnectionOptions,
    other: MemoryConnectionOptions,
  ): [MemoryConnection, MemoryConnection] {
    const ends: [MemoryConnection, MemoryConnection] = [
      new MemoryConnection(one),
      new MemoryConnection(other),
    ];
    ends[0].#other = ends[1];
    ends[1].#other = ends[0];
    return ends;
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
    return this.#closed ? 0 : this.#other.#inboxBytes;
  }

  /** What arrives goes to `user` from here on. */
  use(user: ConnectionUser): void {
    this.#user = user;
    this.#schedule();
  }

  send(message: Message): Gate | undefined {
    if (this.#closed) return undefined;
    const { maxFrameBytes, sendQueueBytes, clock, delayMs } = this.#options.limits;
    if (this.queuedBytes >= sendQueueBytes) return this.#gate;
    const bytes = frameBytes(message) - lengthBytes;
    if (bytes > maxFrameBytes) {
      const said = `the message needs a frame of ${bytes} bytes; at most ${maxFrameBytes}`;
      throw new PortwayError("frame_too_large", said, { bytes, max: maxFrameBytes });
    }
    this.#sentMessages += 1;
    this.#sentBytes += message.payloadBytes;
    this.#other.#arrive(new FrameInMemory(encodeMessage(message), clock.monotonicMs() + delayMs));
    return undefined;
  }

  close(): void {
    if (this.#closed) return;
    this.#other.#inboxEnded = true;
    this.#other.#schedule();
    this.#end("closed_here");
  }

  gateOpened(): void {
    this.#blockedBy = undefined;
    this.#deliver();
  }

  #arrive(frame: FrameInMemory): void {
    if (this.#closed) return;
    this.#inbox.push(frame);
    this.#inboxBytes += frame.bytes.byteLength;
    this.#schedule();
  }

  /** Sees to it that the inbox is looked at when its first frame is due. */
  #schedule(): void {
    if (this.#due !== undefined || this.#blockedBy !== undefined || this.#user === undefined || this.#closed)
      return;
    const first = this.#inbox[0];
    if (first === undefined && !this.#inboxEnded) return;
    const { clock, delayMs } = this.#options.limits;
    if (delayMs > 0 && first !== undefined) {
      this.#due = clock.after(Math.max(0, first.dueMs - clock.monotonicMs()), this.#deliver);
      return;
    }
    const immediate = setImmediate(this.#deliver);
    this.#due = { [Symbol.dispose]: () => clearImmediate(immediate) };
  }

  readonly #deliver = (): void => {
    this.#due = undefined;
    const { clock } = this.#options.limits;
    // What arrives while this runs waits for the next turn.
    for (let left = this.#inbox.length; left > 0 && !this.#closed; left -= 1) {
      const frame = this.#inbox[0]!;
      if (frame.dueMs > clock.monotonicMs()) break;
      const gate = this.#offer(frame);
      if (gate !== undefined) {
        this.#blockedBy = gate;
        gate.wait(this);
        break;
      }
    }
    if (this.#closed) return;
    if (this.#inboxEnded && this.#inbox.length === 0) this.#end("closed_by_peer");
    else this.#schedule();
  };

  /** Gives one frame to the user; takes it out of the inbox unless the answer is a gate. */
  #offer(frame: FrameInMemory): Gate | undefined {
    const { bytes } = frame;
    const user = this.#user!;
    const message = decodeMessage(bytes, lengthBytes, bytes.byteLength, frame, user.entrance);
    // An empty onward route is a heartbeat.
    frame.hold();
    const gate = message.onward.isEmpty ? undefined : user.received(message);
    frame.release();
    if (gate !== undefined || this.#closed) return gate;
    this.#receivedMessages += 1;
    this.#receivedBytes += message.payloadBytes;
    this.#inbox.shift();
    this.#inboxBytes -= bytes.byteLength;
    frame.release();
    this.#other.#left();
    return undefined;
  }

  /** The other end's user has taken something. */
  #left(): void {
    if (this.queuedBytes < this.#options.limits.sendQueueBytes) this.#gate.open();
  }

  #end(reason: CloseReason): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#due?.[Symbol.dispose]();
    this.#blockedBy?.leave(this);
    this.#blockedBy = undefined;
    for (const frame of this.#inbox.splice(0)) frame.release();
    this.#inboxBytes = 0;
    this.#gate.open();
    this.#options.gone(this, reason);
    this.#user?.closed(reason, undefined);
  }
}
