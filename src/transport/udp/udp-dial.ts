import { randomBytes } from "node:crypto";
import { deferred } from "../../base/signals.js";
import { connectReason } from "../../base/socket-errors.js";
import type { SocketAddress } from "../../model/socket-address.js";
import { decodeDatagram, type Part } from "../../wire/datagram.js";
import { decodeNotice, type Notice, noticeIdBytes, refusalReasons } from "../../wire/notice.js";
import { connectFailed } from "../connect-failed.js";
import type { Attach, CloseReason, Connection } from "../transport.js";
import type { AssemblyBudget } from "./assembly-budget.js";
import { DatagramSocket, type DatagramSocketUser } from "./datagram-socket.js";
import { UdpConnection } from "./udp-connection.js";
import type { UdpOptions } from "./udp-options.js";

export interface UdpDialOptions {
  readonly limits: Required<UdpOptions>;
  readonly budget: AssemblyBudget;
  /** As it is called in errors. */
  readonly peer: SocketAddress;
  /** Its IP address, or the one of them that is tried. */
  readonly address: string;
  readonly attach: Attach;
  /** Called once, when nothing is left of it. */
  readonly gone: (dial: UdpDial) => void;
}

const noId = Buffer.alloc(noticeIdBytes);
/** When a question that was not answered is asked again; the last is asked on and on. */
const askAgainMs = [50, 100, 200];

/**
 * A peer that this node has chosen, on a socket of its own. It says hello: another Portway node answers and the
 * connection is known at both ends; a node that does not know notices takes that for a heartbeat and says nothing, and
 * is then taken as it is.
 */
export class UdpDial implements DatagramSocketUser {
  readonly #options: UdpDialOptions;
  readonly #outcome = deferred<Connection>();
  readonly #dialerId = randomBytes(noticeIdBytes);
  #listenerId: Buffer | undefined;
  #socket: DatagramSocket | undefined;
  #connection: UdpConnection | undefined;
  #isOpen = false;
  #ended = false;
  #asked = 0;
  #timer: Disposable | undefined;
  #silence: Disposable | undefined;

  constructor(options: UdpDialOptions) {
    this.#options = options;
    void this.#begin();
  }

  /** Resolves when the peer is ready or says nothing; rejects with `connect_failed`. */
  get outcome(): Promise<Connection> {
    return this.#outcome.promise;
  }

  /** Ends what there is, in order. */
  close(): void {
    if (this.#isOpen) this.#connection?.close();
    else this.fail("the node is being stopped");
  }

  /** Ends a dial that is not open yet. */
  fail(why: string, cause?: Error): void {
    if (this.#isOpen) return;
    this.#reject(why, cause);
    if (this.#connection === undefined) this.#end();
    else this.#connection.abandon("connection_failed", cause);
  }

  datagram(bytes: Buffer): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    let part: Part;
    try {
      part = decodeDatagram(bytes);
    } catch {
      return;
    }
    const notice = part.total === 1 ? decodeNotice(bytes, part.start, part.end) : undefined;
    if (notice !== undefined) {
      if (notice.dialerId.equals(this.#dialerId)) this.#noticed(connection, notice, part);
      return;
    }
    connection.heard(part);
    this.#ready(connection);
    connection.received(bytes, part);
  }

  failed(error: NodeJS.ErrnoException): void {
    if (!this.#isOpen) this.fail(connectReason(error), error);
    else if (endsFor(error)) this.#connection?.abandon("connection_failed", error);
  }

  async #begin(): Promise<void> {
    const { limits, budget, attach } = this.#options;
    const { clock } = limits;
    const peer = { host: this.#options.address, port: this.#options.peer.port };
    let socket: DatagramSocket;
    try {
      socket = await DatagramSocket.connect(peer, this);
    } catch (error) {
      this.fail(error instanceof Error ? connectReason(error) : String(error), error as Error);
      return;
    }
    if (this.#ended) {
      socket.close();
      return;
    }
    this.#socket = socket;
    this.#connection = new UdpConnection({
      limits,
      budget,
      peer: socket.peer ?? peer,
      local: socket.local,
      firstNumber: randomBytes(2).readUInt16BE(),
      isProven: true,
      send: socket.send,
      attach,
      endsFor,
      gone: (_connection, reason, error) => this.#gone(reason, error),
    });
    this.#ask();
    this.#timer = clock.after(askAgainMs[0]!, this.#tick);
    this.#silence = clock.after(limits.dialSilenceMs, () => {
      if (this.#connection !== undefined) this.#ready(this.#connection);
    });
  }

  #ready(connection: UdpConnection): void {
    if (this.#isOpen || this.#ended) return;
    this.#isOpen = true;
    this.#silence?.[Symbol.dispose]();
    connection.open();
    this.#outcome.resolve(connection);
  }

  #noticed(connection: UdpConnection, notice: Notice, part: Part): void {
    const { kind, listenerId } = notice;
    const isOurs = this.#listenerId?.equals(listenerId) === true;
    switch (kind) {
      case "challenge":
        if (this.#listenerId !== undefined && connection.ids !== undefined) return;
        connection.heard(part);
        connection.passNumber(part.number);
        this.#listenerId = listenerId;
        this.#say("confirm");
        return;
      case "welcome":
        if (!isOurs) return;
        connection.heard(part);
        connection.passNumber(part.number);
        connection.confirm({ dialerId: this.#dialerId, listenerId });
        this.#ready(connection);
        return;
      case "pong":
        if (!isOurs) return;
        connection.heard(part);
        connection.passNumber(part.number);
        return;
      case "goodbye":
        if (isOurs) connection.abandon("closed_by_peer");
        return;
      case "refusal":
        // One that names no connection refuses a hello; any other must name ours.
        if (!isOurs && !(listenerId.equals(noId) && connection.ids === undefined)) return;
        if (this.#isOpen) connection.abandon("closed_by_peer");
        else this.fail(refusalWords[notice.reason] ?? "it refuses");
        return;
      default:
    }
  }

  /** Asks again what was not answered; later, whether a silent peer lives. */
  readonly #tick = (): void => {
    const connection = this.#connection;
    if (connection === undefined || this.#ended) return;
    const { clock, keepaliveMs, silenceLimitMs } = this.#options.limits;
    connection.expire();
    const silentMs = clock.monotonicMs() - connection.lastHeardMs;
    const isKnown = connection.ids !== undefined;
    if (isKnown && silentMs >= silenceLimitMs) {
      const said = `no sign of life for ${Math.round(silentMs / 1000)} s`;
      connection.abandon("connection_failed", new Error(said));
      return;
    }
    this.#asked += 1;
    if (!isKnown || silentMs >= keepaliveMs) this.#ask();
    const nextMs = isKnown ? keepaliveMs / 4 : (askAgainMs[this.#asked] ?? keepaliveMs);
    this.#timer = clock.after(nextMs, this.#tick);
  };

  #ask(): void {
    if (this.#connection?.ids !== undefined) this.#say("ping");
    else this.#say(this.#listenerId === undefined ? "hello" : "confirm");
  }

  #say(kind: "hello" | "confirm" | "ping"): void {
    this.#connection?.notify({
      kind,
      reason: 0,
      dialerId: this.#dialerId,
      listenerId: this.#listenerId ?? noId,
    });
  }

  #gone(reason: CloseReason, error: Error | undefined): void {
    const why = error === undefined ? reason.replaceAll("_", " ") : connectReason(error);
    if (!this.#isOpen) this.#reject(why, error);
    this.#end();
  }

  #reject(why: string, cause: Error | undefined): void {
    this.#outcome.promise.catch(() => {});
    this.#outcome.reject(connectFailed(this.#options.peer, why, cause));
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#timer?.[Symbol.dispose]();
    this.#silence?.[Symbol.dispose]();
    this.#socket?.close();
    this.#options.gone(this);
  }
}

/** Errors that say that what is sent does not get there, now and as long as nothing is changed. */
const final: ReadonlySet<string | undefined> = new Set([
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EACCES",
  "EPERM",
  "EADDRNOTAVAIL",
]);

function endsFor({ code }: NodeJS.ErrnoException): boolean {
  return final.has(code);
}

const refusalWords: Readonly<Record<number, string>> = {
  [refusalReasons.tooMany]: "it has too many connections",
  [refusalReasons.unknown]: "it does not know this connection",
  [refusalReasons.closed]: "nothing listens there any more",
};
