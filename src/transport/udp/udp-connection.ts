import { PortwayError } from "../../base/errors.js";
import { Gate, type GateWaiter } from "../../base/gate.js";
import type { Message } from "../../model/message.js";
import type { SocketAddress } from "../../model/socket-address.js";
import { nextNumber, type Part, splitMessage } from "../../wire/datagram.js";
import { decodeMessage } from "../../wire/decode.js";
import { encodeMessage } from "../../wire/encode.js";
import { lengthBytes } from "../../wire/limits.js";
import { encodeNotice, type Notice } from "../../wire/notice.js";
import { type Assembled, PartAssembler } from "../../wire/parts.js";
import type { Attach, CloseReason, Connection, ConnectionTraffic, ConnectionUser } from "../transport.js";
import { AddressProof, bodyBytes } from "./address-proof.js";
import type { AssemblyBudget, BudgetHolder } from "./assembly-budget.js";
import { DatagramQueue, type SendDatagram } from "./datagram-queue.js";
import type { UdpOptions } from "./udp-options.js";

/** How long a closing connection may take to send what is queued. */
const lingerMs = 1_000;
/** A stride is a third of the circle of numbers, less a few: two of them go past whatever a peer has kept count to. */
const strideNumbers = 20_000;
/** A message that everyone drops: two empty routes, and nothing. */
const heartbeat = Buffer.from([0x83, 0x80, 0x80, 0x40]);

/** The ids of a connection of which both ends know that it is one. */
export interface ConnectionIds {
  readonly dialerId: Buffer;
  readonly listenerId: Buffer;
}

export interface UdpConnectionOptions {
  readonly limits: Required<UdpOptions>;
  readonly budget: AssemblyBudget;
  readonly peer: SocketAddress;
  readonly local: SocketAddress;
  /** Of the first message sent. */
  readonly firstNumber: number;
  /** True for a peer that was dialed: someone on this node has named it. */
  readonly isProven: boolean;
  readonly send: SendDatagram;
  readonly attach: Attach;
  /** The operating system says that nothing gets there. True: that ends the connection. */
  readonly endsFor: (error: NodeJS.ErrnoException) => boolean;
  /** Called once. */
  readonly gone: (connection: UdpConnection, reason: CloseReason, error: Error | undefined) => void;
}

interface Waiting {
  readonly message: Message;
  readonly assembled: Assembled;
}

/** All that is shared with one peer over UDP: there is no more to a connection than what the two ends remember. */
export class UdpConnection implements Connection, BudgetHolder, GateWaiter {
  readonly peer: SocketAddress;
  readonly local: SocketAddress;
  readonly #options: UdpConnectionOptions;
  readonly #assembler: PartAssembler;
  readonly #queue: DatagramQueue;
  readonly #gate: Gate;
  readonly #proof: AddressProof;
  #ids: ConnectionIds | undefined;
  #number: number;
  #stridesLeft = 2;
  #user: ConnectionUser | undefined;
  #blockedBy: Gate | undefined;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #closed = false;
  #finished = false;
  #closeReason: CloseReason = "closed_here";
  #linger: Disposable | undefined;
  #lastHeardMs: number;
  #malformed = 0;
  #notTaken = 0;
  #unproven = 0;
  #notSent = 0;
  #receivedMessages = 0;
  #receivedBytes = 0;
  #sentMessages = 0;
  #sentBytes = 0;

  constructor(options: UdpConnectionOptions) {
    const { limits, budget, peer, local, firstNumber, isProven, send } = options;
    this.#options = options;
    this.peer = peer;
    this.local = local;
    this.#number = firstNumber;
    this.#proof = new AddressProof(isProven);
    this.#lastHeardMs = limits.clock.monotonicMs();
    this.#assembler = new PartAssembler({
      maxMessageBytes: limits.maxFrameBytes,
      room: budget.roomFor(this),
      expireAfterMs: limits.assemblyTimeoutMs,
      resyncAfterMs: limits.resyncAfterMs,
    });
    this.#queue = new DatagramQueue({
      ...limits,
      send,
      progressed: () => this.#progressed(),
      refused: (error) => {
        this.#notSent += 1;
        if (options.endsFor(error)) this.abandon("connection_failed", error);
      },
    });
    this.#gate = new Gate({
      stallTimeoutMs: limits.stallTimeoutMs,
      progress: () => this.#queue.sent,
      onStalled: () => this.abandon("stalled"),
    });
  }

  /** It has shown that it receives where it says it is. */
  get isProven(): boolean {
    return this.#proof.isProven;
  }

  /** Undefined while the peer has not said that it knows notices. */
  get ids(): ConnectionIds | undefined {
    return this.#ids;
  }

  get lastHeardMs(): number {
    return this.#lastHeardMs;
  }

  /** The number of the next message. */
  get number(): number {
    return this.#number;
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
    return this.#closed ? 0 : this.#queue.queuedBytes;
  }

  get lost(): Readonly<Record<string, number>> {
    const counts = {
      ...this.#assembler.counts,
      malformed: this.#malformed,
      notTaken: this.#notTaken,
      unproven: this.#unproven,
      notSent: this.#notSent,
    };
    return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
  }

  /** Ready for messages: its user is attached, once. */
  open(): void {
    if (this.#closed || this.#user !== undefined) return;
    this.#user = this.#options.attach(this);
  }

  /** Both ends know of each other: the peer receives what is sent to it. */
  confirm(ids: ConnectionIds): void {
    this.#ids = ids;
    this.#proof.confirm();
  }

  isCalled({ dialerId, listenerId }: ConnectionIds): boolean {
    const ids = this.#ids;
    return ids?.dialerId.equals(dialerId) === true && ids.listenerId.equals(listenerId);
  }

  send(message: Message): Gate | undefined {
    if (this.#closed) return undefined;
    const { maxFrameBytes, sendQueueBytes } = this.#options.limits;
    if (this.#queue.queuedBytes >= sendQueueBytes) return this.#gate;
    const bytes = bodyBytes(message);
    if (bytes > maxFrameBytes) {
      const said = `the message needs a frame of ${bytes} bytes; at most ${maxFrameBytes}`;
      throw new PortwayError("frame_too_large", said, { bytes, max: maxFrameBytes });
    }
    const allowed = this.#proof.asking(message);
    if (allowed === undefined) {
      this.#unproven += 1;
      return undefined;
    }
    this.#sentMessages += 1;
    this.#sentBytes += message.payloadBytes;
    this.#putInStep(allowed);
    return undefined;
  }

  /** Says something about the connection, in its turn among the messages. */
  notify(notice: Notice): void {
    const body = encodeNotice(notice);
    if (this.#proof.allows(body.length)) this.#put(body);
    else this.#unproven += 1;
  }

  /** A datagram came from the peer. */
  heard({ start, end }: Part): void {
    this.#lastHeardMs = this.#options.limits.clock.monotonicMs();
    this.#proof.heard(end - start);
  }

  /** A notice came in the message with this number. */
  passNumber(number: number): void {
    this.#assembler.pass(number, this.#lastHeardMs);
  }

  received(datagram: Buffer, part: Part): void {
    if (this.#closed) return;
    const assembled = this.#assembler.push(datagram, part, this.#lastHeardMs);
    if (assembled === undefined) return;
    this.#take(assembled);
  }

  yieldRoom(): void {
    this.#assembler.yield();
  }

  /** Lets go of a message of which nothing more comes. */
  expire(): void {
    this.#assembler.expire(this.#options.limits.clock.monotonicMs());
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stopReading();
    if (this.#ids !== undefined) this.notify({ kind: "goodbye", reason: 0, ...this.#ids });
    if (this.#finished) return;
    if (this.#queue.isEmpty) this.#finish(undefined);
    else this.#linger = this.#options.limits.clock.after(lingerMs, () => this.#finish(undefined));
  }

  /** Ends at once; what is queued is lost. */
  abandon(reason: CloseReason, error?: Error): void {
    if (this.#closed) {
      // A peer that is gone gets nothing any more of what was queued.
      this.#finish(undefined);
      return;
    }
    this.#closed = true;
    this.#closeReason = reason;
    this.#stopReading();
    this.#finish(error);
  }

  gateOpened(): void {
    this.#blockedBy = undefined;
    while (this.#waiting.length > 0 && !this.#closed) {
      // Not among those that wait while it is offered: its user may close this, which lets go of them.
      const first = this.#waiting.shift()!;
      const { message, assembled } = first;
      if (!this.#offer(message)) {
        this.#waiting.unshift(first);
        return;
      }
      this.#waitingBytes -= assembled.bytes.length;
      assembled.backing.release();
      assembled.done();
    }
  }

  #take(assembled: Assembled): void {
    this.open();
    // Whoever was attached may have closed this.
    const message = this.#user === undefined || this.#closed ? undefined : this.#read(assembled, this.#user);
    if (message === undefined) {
      assembled.done();
      return;
    }
    const { backing, bytes } = assembled;
    backing.hold();
    if (this.#waiting.length === 0 && this.#offer(message)) {
      backing.release();
      assembled.done();
    } else if (!this.#closed && this.#waitingBytes + bytes.length <= this.#options.limits.receiveQueueBytes) {
      this.#waiting.push({ message, assembled });
      this.#waitingBytes += bytes.length;
    } else {
      this.#notTaken += 1;
      backing.release();
      assembled.done();
    }
  }

  /** The message, unless it is none, is a heartbeat, or was only the proof. */
  #read({ bytes, start, end, backing }: Assembled, user: ConnectionUser): Message | undefined {
    let message: Message;
    try {
      message = decodeMessage(bytes as Buffer, start, end, backing, user.entrance);
    } catch {
      this.#malformed += 1;
      return undefined;
    }
    if (message.onward.isEmpty) return undefined;
    return this.#proof.shown(message);
  }

  /** False: it was not taken. */
  #offer(message: Message): boolean {
    const gate = this.#user!.received(message);
    if (gate !== undefined) {
      if (this.#closed) return true;
      this.#blockedBy = gate;
      gate.wait(this);
      return false;
    }
    this.#receivedMessages += 1;
    this.#receivedBytes += message.payloadBytes;
    return true;
  }

  /**
   * A node of another make may have kept count of an earlier connection from here, perhaps of a process that is gone, and
   * passes over what is behind that. It never forgets; so the first numbers stride around the circle, with heartbeats as
   * far as they may be sent, else with messages.
   */
  #putInStep(message: Message): void {
    if (this.#ids !== undefined) this.#stridesLeft = 0;
    while (this.#stridesLeft > 0 && this.#proof.allows(heartbeat.length, bodyBytes(message))) {
      this.#put(heartbeat);
      this.#stride();
    }
    this.#put(encodeMessage(message).subarray(lengthBytes));
    if (this.#stridesLeft > 0) this.#stride();
  }

  #stride(): void {
    this.#stridesLeft -= 1;
    this.#number = (this.#number + strideNumbers - 1) & 0xffff;
  }

  #put(body: Buffer): void {
    const datagrams = splitMessage(body, this.#number);
    this.#number = nextNumber(this.#number);
    this.#proof.said(body.length);
    this.#queue.put(datagrams);
  }

  #progressed(): void {
    if (this.#finished) return;
    if (!this.#closed) {
      if (this.#queue.queuedBytes < this.#options.limits.sendQueueBytes) this.#gate.open();
    } else if (this.#queue.isEmpty) this.#finish(undefined);
  }

  #stopReading(): void {
    this.#blockedBy?.leave(this);
    this.#blockedBy = undefined;
    for (const { assembled } of this.#waiting.splice(0)) {
      this.#notTaken += 1;
      assembled.backing.release();
      assembled.done();
    }
    this.#assembler.close();
  }

  /** The last step: lets go of everything and tells whoever has to know. */
  #finish(error: Error | undefined): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#linger?.[Symbol.dispose]();
    this.#queue.close();
    this.#gate.open();
    this.#options.gone(this, this.#closeReason, error);
    this.#user?.closed(this.#closeReason, error);
  }
}
