import { Allowance } from "../../base/allowance.js";
import type { Clock } from "../../base/clock.js";

/** Hands a datagram to the socket; `done` is called when the operating system has taken or refused it. */
export type SendDatagram = (datagram: Buffer, done: (error: Error | null) => void) => void;

export interface DatagramQueueOptions {
  readonly clock: Clock;
  readonly datagramsPerMs: number;
  readonly burstDatagrams: number;
  readonly send: SendDatagram;
  /** Datagrams have left. */
  readonly progressed: () => void;
  /** The operating system refused one, which is lost. */
  readonly refused: (error: NodeJS.ErrnoException) => void;
}

/** How many datagrams may be with the socket and not yet taken by the operating system. */
const maxUnderWay = 64;
/** How long nothing is sent after the operating system had no room. */
const noRoomPauseMs = 10;

const noRoom: ReadonlySet<string | undefined> = new Set(["ENOBUFS", "EAGAIN", "ENOMEM"]);

/**
 * The datagrams of one connection, in order, let go at a steady pace: nothing on this wire tells a sender that it is too
 * fast, and a large message sent at once would overflow the receiver's socket.
 */
export class DatagramQueue {
  readonly #options: DatagramQueueOptions;
  #datagrams: Buffer[] = [];
  #at = 0;
  #queuedBytes = 0;
  #sent = 0;
  #underWay = 0;
  readonly #allowance: Allowance;
  #timer: Disposable | undefined;
  #closed = false;

  constructor(options: DatagramQueueOptions) {
    this.#options = options;
    const { clock, burstDatagrams, datagramsPerMs } = options;
    this.#allowance = new Allowance(clock, burstDatagrams, datagramsPerMs);
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  get isEmpty(): boolean {
    return this.#at === this.#datagrams.length;
  }

  /** Datagrams that were handed to the socket. */
  get sent(): number {
    return this.#sent;
  }

  put(datagrams: readonly Buffer[]): void {
    if (this.#closed) return;
    for (const datagram of datagrams) {
      this.#datagrams.push(datagram);
      this.#queuedBytes += datagram.length;
    }
    if (this.#timer === undefined) this.#pump();
  }

  /** What is queued is dropped. */
  close(): void {
    this.#closed = true;
    this.#stopTimer();
    this.#datagrams = [];
    this.#at = 0;
    this.#queuedBytes = 0;
  }

  #pump(): void {
    const { send, progressed } = this.#options;
    const before = this.#sent;
    const most = before + Math.floor(this.#allowance.left);
    while (!this.isEmpty && this.#sent < most && this.#underWay < maxUnderWay) {
      const datagram = this.#datagrams[this.#at]!;
      this.#at += 1;
      this.#queuedBytes -= datagram.length;
      this.#underWay += 1;
      this.#sent += 1;
      send(datagram, this.#done);
    }
    this.#allowance.use(this.#sent - before);
    if (this.isEmpty) {
      this.#datagrams = [];
      this.#at = 0;
    } else {
      if (this.#at > 1_024) {
        this.#datagrams = this.#datagrams.slice(this.#at);
        this.#at = 0;
      }
      this.#pumpAfter(1);
    }
    if (this.#sent > before) progressed();
  }

  #pumpAfter(delayMs: number): void {
    if (this.#closed) return;
    this.#stopTimer();
    this.#timer = this.#options.clock.after(delayMs, () => {
      this.#timer = undefined;
      this.#pump();
    });
  }

  #stopTimer(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
  }

  readonly #done = (error: NodeJS.ErrnoException | null): void => {
    this.#underWay -= 1;
    if (error === null || this.#closed) return;
    if (noRoom.has(error.code)) this.#pumpAfter(noRoomPauseMs);
    this.#options.refused(error);
  };
}
