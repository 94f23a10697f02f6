import { createHmac, randomBytes } from "node:crypto";
import type { RemoteInfo } from "node:dgram";
import type { SocketAddress } from "../../model/socket-address.js";
import { decodeDatagram, type Part, splitMessage } from "../../wire/datagram.js";
import { decodeNotice, encodeNotice, type Notice, noticeIdBytes, refusalReasons } from "../../wire/notice.js";
import type { Attach, CloseReason, Listener, ListenerCounts } from "../transport.js";
import type { AssemblyBudget } from "./assembly-budget.js";
import { DatagramSocket, type DatagramSocketUser } from "./datagram-socket.js";
import { UdpConnection } from "./udp-connection.js";
import type { UdpOptions } from "./udp-options.js";

export interface UdpListenerOptions {
  readonly limits: Required<UdpOptions>;
  readonly budget: AssemblyBudget;
  readonly attach: Attach;
  /** False: there are too many already, in all listeners together. */
  readonly admit: () => boolean;
  readonly joined: () => void;
  readonly left: () => void;
  /** Called once, when the socket is closed. */
  readonly released: (listener: UdpListener) => void;
}

/** How long an answer to a challenge is taken: this, and up to as long again. */
const challengeMs = 15_000;
/** How many peers that have gone have their numbers remembered. */
const maxRememberedNumbers = 4_096;
/** A peer without proof that was silent for so long makes room for another. */
const unprovenIdleMs = 2_000;
/** How often is looked who was silent too long, in the time that they have. */
const looksPerIdle = 8;

const orderly: ReadonlySet<CloseReason> = new Set([
  "closed_here",
  "closed_by_peer",
  "connection_failed",
  "idle",
]);

/**
 * A bound socket and the peers that have come to it, told apart by their addresses. Closed, it takes no new ones; the
 * socket stays for those that it has.
 */
export class UdpListener implements Listener, DatagramSocketUser {
  readonly #options: UdpListenerOptions;
  readonly #peers = new Map<string, UdpConnection>();
  readonly #refused: Record<string, number> = {};
  readonly #secret = randomBytes(32);
  /** The next number for peers that were here: one that has kept count takes no lower one. */
  readonly #numbers = new Map<string, number>();
  #socket!: DatagramSocket;
  #attach: Attach;
  #timer: Disposable | undefined;
  #isOpen = true;
  #released = false;

  private constructor(options: UdpListenerOptions) {
    this.#options = options;
    this.#attach = options.attach;
  }

  /** Rejects with `address_in_use`, `address_not_available`, `port_privileged`. */
  static async bind(bind: SocketAddress, options: UdpListenerOptions): Promise<UdpListener> {
    const listener = new UdpListener(options);
    listener.#socket = await DatagramSocket.bind(bind, listener);
    return listener;
  }

  get bound(): SocketAddress {
    return this.#socket.local;
  }

  get counts(): ListenerCounts {
    return { openConnections: this.#peers.size, refused: { ...this.#refused } };
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Takes new peers again, which are attached with `attach`. Must not be asked once the socket was released. */
  reopen(attach: Attach): void {
    this.#isOpen = true;
    this.#attach = attach;
  }

  close(): void {
    this.#isOpen = false;
    this.#releaseIfUnused();
  }

  closePeers(): void {
    for (const peer of [...this.#peers.values()]) peer.close();
  }

  datagram(bytes: Buffer, from: RemoteInfo): void {
    if (from.port === 0) return;
    const key = `${from.address} ${from.port}`;
    let part: Part;
    try {
      part = decodeDatagram(bytes);
    } catch {
      this.#refuse("malformed");
      return;
    }
    const known = this.#peers.get(key);
    known?.heard(part);
    const notice = part.total === 1 ? decodeNotice(bytes, part.start, part.end) : undefined;
    if (notice !== undefined) {
      known?.passNumber(part.number);
      this.#noticed(key, { host: from.address, port: from.port }, known, notice, part);
      return;
    }
    if (known === undefined && this.#refusal(this.#isStale, true) !== undefined) return;
    const peer = known ?? this.#newPeer(key, { host: from.address, port: from.port });
    if (known === undefined) peer.heard(part);
    peer.received(bytes, part);
  }

  /** An error of the socket that belongs to no send: nothing can be told from it about any peer. */
  failed(): void {
    this.#refuse("socket_error");
  }

  #noticed(
    key: string,
    from: SocketAddress,
    known: UdpConnection | undefined,
    notice: Notice,
    part: Part,
  ): void {
    const { kind, dialerId, listenerId } = notice;
    const isKnown = known?.isCalled(notice) === true;
    switch (kind) {
      case "hello": {
        const refusal = known === undefined ? this.#refusal((peer) => !peer.isProven, false) : undefined;
        if (refusal !== undefined)
          this.#answer(key, from, known, { ...notice, kind: "refusal", reason: refusal });
        else {
          const ours = this.#challenge(key, dialerId, 0);
          this.#answer(key, from, known, { kind: "challenge", reason: 0, dialerId, listenerId: ours });
        }
        return;
      }
      case "confirm": {
        const isHere = [0, 1].some((ago) => this.#challenge(key, dialerId, ago).equals(listenerId));
        if (isKnown) known.notify({ ...notice, kind: "welcome", reason: 0 });
        else if (isHere) this.#welcome(key, from, known, notice, part);
        return;
      }
      case "ping":
        if (isKnown) known.notify({ ...notice, kind: "pong", reason: 0 });
        else {
          const reason = refusalReasons.unknown;
          this.#answer(key, from, known, { ...notice, kind: "refusal", reason });
        }
        return;
      case "goodbye":
        if (isKnown) known.abandon("closed_by_peer");
        return;
      default:
    }
  }

  /** The peer has shown that it receives where it says it is. */
  #welcome(
    key: string,
    from: SocketAddress,
    known: UdpConnection | undefined,
    notice: Notice,
    part: Part,
  ): void {
    // Whoever was there under this address has begun anew.
    if (known?.ids !== undefined) known.abandon("closed_by_peer");
    const stays = known !== undefined && this.#peers.get(key) === known;
    const refusal = stays ? undefined : this.#refusal((peer) => !peer.isProven, true);
    if (refusal !== undefined) {
      this.#answer(key, from, undefined, { ...notice, kind: "refusal", reason: refusal });
      return;
    }
    const peer = stays ? known : this.#newPeer(key, from);
    if (peer !== known) peer.heard(part);
    peer.confirm({ dialerId: notice.dialerId, listenerId: notice.listenerId });
    peer.notify({ ...notice, kind: "welcome", reason: 0 });
    peer.open();
  }

  /** Why a new peer can't come, if so. One that `yields` makes room for it, if need be and if `now` says so. */
  #refusal(yields: (peer: UdpConnection) => boolean, now: boolean): number | undefined {
    if (!this.#isOpen) return refusalReasons.closed;
    const { admit } = this.#options;
    if (admit()) return undefined;
    let stalest: UdpConnection | undefined;
    for (const peer of this.#peers.values()) {
      if (yields(peer) && (stalest === undefined || peer.lastHeardMs < stalest.lastHeardMs)) stalest = peer;
    }
    if (now) stalest?.abandon("idle");
    if (now ? admit() : stalest !== undefined) return undefined;
    this.#refuse("too_many_connections");
    return refusalReasons.tooMany;
  }

  /** Without proof and silent: it yields to a peer that has no proof either. */
  readonly #isStale = (peer: UdpConnection): boolean =>
    !peer.isProven && this.#options.limits.clock.monotonicMs() - peer.lastHeardMs >= unprovenIdleMs;

  #newPeer(key: string, peer: SocketAddress): UdpConnection {
    const { limits, budget } = this.#options;
    const connection = new UdpConnection({
      limits,
      budget,
      peer,
      local: this.bound,
      firstNumber: this.#numberFor(key),
      isProven: false,
      send: this.#socket.sendTo(peer),
      attach: this.#attach,
      endsFor: () => false,
      gone: (gone, reason) => this.#gone(key, gone, reason),
    });
    this.#options.joined();
    this.#peers.set(key, connection);
    this.#timer ??= this.#lookLater();
    return connection;
  }

  #gone(key: string, gone: UdpConnection, reason: CloseReason): void {
    if (this.#peers.get(key) !== gone) return;
    this.#peers.delete(key);
    this.#remember(key, gone.number);
    this.#options.left();
    if (!orderly.has(reason)) this.#refuse(reason);
    this.#releaseIfUnused();
  }

  #lookLater(): Disposable {
    const { clock, peerIdleMs } = this.#options.limits;
    return clock.after(peerIdleMs / looksPerIdle, () => {
      this.#timer = undefined;
      const nowMs = clock.monotonicMs();
      for (const peer of [...this.#peers.values()]) {
        if (nowMs - peer.lastHeardMs >= peerIdleMs) peer.abandon("idle");
        else peer.expire();
      }
      if (this.#peers.size > 0) this.#timer ??= this.#lookLater();
    });
  }

  /** To a peer in its turn; to somebody unknown without remembering anything, and never more than was asked with. */
  #answer(key: string, to: SocketAddress, known: UdpConnection | undefined, notice: Notice): void {
    if (known !== undefined) {
      known.notify(notice);
      return;
    }
    // The number before the first of those that the peer may get later: one that keeps count takes no lower one.
    const number = (this.#numberFor(key) - 1) & 0xffff;
    const [datagram] = splitMessage(encodeNotice(notice), number);
    this.#socket.sendTo(to)(datagram!, () => {});
  }

  #numberFor(key: string): number {
    return this.#numbers.get(key) ?? this.#mac(`number ${key}`).readUInt16BE();
  }

  #remember(key: string, number: number): void {
    this.#numbers.delete(key);
    this.#numbers.set(key, number);
    if (this.#numbers.size <= maxRememberedNumbers) return;
    for (const oldest of this.#numbers.keys()) {
      this.#numbers.delete(oldest);
      return;
    }
  }

  /** What only somebody can know who receives at this address. */
  #challenge(key: string, dialerId: Buffer, ago: number): Buffer {
    const period = Math.floor(this.#options.limits.clock.monotonicMs() / challengeMs) - ago;
    const mac = this.#mac(`challenge ${key} ${dialerId.toString("hex")} ${period}`);
    return Buffer.from(mac.subarray(0, noticeIdBytes));
  }

  #mac(text: string): Buffer {
    return createHmac("sha256", this.#secret).update(text).digest();
  }

  #refuse(reason: string): void {
    this.#refused[reason] = (this.#refused[reason] ?? 0) + 1;
  }

  #releaseIfUnused(): void {
    if (this.#isOpen || this.#peers.size > 0 || this.#released) return;
    this.#released = true;
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    this.#socket.close();
    this.#options.released(this);
  }
}
