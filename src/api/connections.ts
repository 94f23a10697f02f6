import { constants, type ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import { PortwayError } from "../base/errors.js";
import type { Log } from "../base/log.js";
import { Roster } from "../base/roster.js";
import { deferred } from "../base/signals.js";
import type { Principal } from "./authorizer.js";
import { toConnectError } from "./errors.js";
import { type Exchange, pathOf } from "./exchange.js";
import type { ApiLimits } from "./limits.js";

/** One open socket of a listener. */
export interface Connection {
  readonly socket: Socket;
  readonly openedMs: number;
  /** Set once it is known that it speaks HTTP/2. */
  session: ServerHttp2Session | undefined;
  /** Of a client certificate or the Unix socket. */
  principal: Principal | undefined;
  certificateError: string | undefined;
  /** One of its calls was let in. */
  isTrusted: boolean;
  readonly calls: Roster<Call>;
  /** Pipelined requests that are none yet, because as many calls run as may at the same time. */
  readonly held: Exchange[];
  idleSinceMs: number;
  readonly probe: Probe;
}

/** Questions to an HTTP/2 client that it has to answer. */
interface Probe {
  /** What had arrived at the last one, answers since then included. */
  bytesRead: number;
  askedMs: number;
  unanswered: number;
  /** When no question was in the queue. */
  emptyMs: number;
}

export interface Call {
  readonly connection: Connection;
  readonly exchange: Exchange;
  readonly startedMs: number;
  /** How hard was tried to end it: its caller was told why, and its stream was reset. */
  cut: "not" | "told" | "reset";
  toldMs: number;
  /** Its request may go on for as long as the caller likes: a stream whose first message was let in. */
  isOpenEnded: boolean;
  /** What waited to be sent at the last look and what had been handed over, and since when both have been the same. */
  waitingBytes: number;
  sentPieces: number;
  waitingSinceMs: number;
}

type WhyCut = "the request does not end" | "the response is not taken";

const sweepMs = 1000;
/** For the answers to calls that did not finish in time. */
const lastAnswersMs = 500;
/** For the answer to a call that is cut: over HTTP/1.1, it waits a second for the end of the body. */
const tellMs = 2_500;
/** Of a frame that acknowledges settings. */
const acknowledgementBytes = 9;
/** An answer may stand behind much that a client sends. */
const askAgainMs = 5_000;

/**
 * The open connections and running calls of a server. Looks at them once a second and ends what a client holds without
 * using it: a request whose body does not come, a response that is not taken, a connection without calls, a session that
 * a breach of HTTP/2 has ended.
 * (HTTP/1.1 connections between two requests also have Node's own timeout.)
 */
export class Connections implements Disposable {
  readonly #limits: Required<ApiLimits>;
  readonly #log: Log;
  readonly #open = new Map<Socket, Connection>();
  readonly #calls = new Roster<Call>();
  readonly #timer: NodeJS.Timeout;
  #isClosing = false;
  readonly #empty = deferred<void>();

  constructor(limits: Required<ApiLimits>, log: Log) {
    this.#limits = limits;
    this.#log = log;
    // Behind what this turn of the loop still writes: what is queued then can't leave.
    this.#timer = setInterval(() => setImmediate(() => this.#sweep(performance.now())), sweepMs);
    this.#timer.unref();
  }

  add(socket: Socket, principal: Principal | undefined): Connection {
    const now = performance.now();
    const connection: Connection = {
      socket,
      openedMs: now,
      session: undefined,
      principal,
      certificateError: undefined,
      isTrusted: principal !== undefined,
      calls: new Roster(),
      held: [],
      idleSinceMs: now,
      probe: { bytesRead: 0, askedMs: now, unanswered: 0, emptyMs: now },
    };
    this.#open.set(socket, connection);
    socket.once("close", () => {
      this.#open.delete(socket);
      for (const { exchange } of connection.calls.items()) {
        // Node tells it to the one response that is being sent, not to those of pipelined requests behind it.
        if (exchange.stream !== undefined) continue;
        const { response } = exchange.open();
        if (response.socket === null) response.emit("close");
      }
      this.#settle();
    });
    return connection;
  }

  /** The call is running until its exchange is over; `ended` is told. */
  begin(connection: Connection, exchange: Exchange, ended?: () => void): Call {
    const call: Call = {
      connection,
      exchange,
      startedMs: performance.now(),
      cut: "not",
      toldMs: 0,
      isOpenEnded: false,
      waitingBytes: 0,
      sentPieces: 0,
      waitingSinceMs: 0,
    };
    const running = this.#calls.add(call);
    const runningHere = connection.calls.add(call);
    exchange.onClose(() => {
      ended?.();
      running[Symbol.dispose]();
      this.#settle();
      runningHere[Symbol.dispose]();
      if (connection.calls.size > 0) return;
      connection.idleSinceMs = performance.now();
      if (this.#isClosing && connection.session === undefined) connection.socket.destroySoon();
    });
    return call;
  }

  /**
   * Lets running calls finish for up to `graceMs`, then tells the callers of those that are left (UNAVAILABLE, DRAINING)
   * and ends every connection. Afterwards nothing is open or running.
   */
  async close(graceMs: number): Promise<void> {
    this.#isClosing = true;
    for (const { session, socket, calls } of this.#open.values()) {
      // A session that is asked to close says so to its client and ends with its last stream.
      if (session !== undefined) session.close();
      else if (calls.size === 0) socket.destroy();
    }
    this.#settle();
    let timer = setTimeout(() => {
      const reason = toConnectError(
        new PortwayError("draining", "the daemon ended before the call was done"),
      );
      for (const { exchange } of this.#calls.items()) exchange.serving?.abort(reason);
      timer = setTimeout(() => {
        for (const connection of this.#open.values()) end(connection);
      }, lastAnswersMs);
    }, graceMs);
    await this.#empty.promise;
    clearTimeout(timer);
  }

  #settle(): void {
    if (this.#isClosing && this.#open.size === 0 && this.#calls.size === 0) this.#empty.resolve();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #sweep(now: number): void {
    for (const call of this.#calls.items()) {
      if (call.exchange.dismiss()) continue;
      const why = this.#whyEnd(call, now);
      if (why === undefined || (call.cut === "told" && now - call.toldMs < tellMs)) continue;
      if (call.cut === "not") this.#log.info("call.cut", { why, path: pathOf(call.exchange) });
      this.#cut(call, why, now);
    }
    for (const connection of this.#open.values()) {
      const { session, calls, isTrusted, openedMs, idleSinceMs } = connection;
      if (session !== undefined && isOver(session, connection, now, this.#limits.stallTimeoutMs)) {
        this.#log.debug("connection.ended", { why: "a breach of the protocol" });
        end(connection);
        continue;
      }
      if (calls.size > 0) continue;
      const isStranger = !isTrusted && now - openedMs > this.#limits.unauthenticatedTimeoutMs;
      if (isStranger || session?.closed) {
        // What was said to be closed and has no call is closed by now, unless Node no longer reads from it: after some
        // kinds of good-bye it misses that the client has gone.
        this.#log.debug("connection.ended", { why: isStranger ? "unauthenticated" : "closed" });
        end(connection);
      } else if (session !== undefined && now - idleSinceMs > this.#limits.idleTimeoutMs) {
        this.#log.debug("connection.ended", { why: "idle" });
        session.close();
      }
    }
  }

  /** Each time by harder means, for what is still there a moment later does not end by itself. */
  #cut(call: Call, why: WhyCut, now: number): void {
    const { stream, serving } = call.exchange;
    if (call.cut === "not" && why === "the request does not end" && serving !== undefined) {
      call.cut = "told";
      call.toldMs = now;
      const said = `the request did not arrive within ${this.#limits.requestTimeoutMs / 1000} s`;
      serving.abort(toConnectError(new PortwayError("timed_out", said)));
    } else if (call.cut !== "reset" && stream !== undefined) {
      call.cut = "reset";
      stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    } else {
      end(call.connection);
    }
  }

  #whyEnd(call: Call, now: number): WhyCut | undefined {
    const ageMs = now - call.startedMs;
    if (ageMs > this.#limits.requestTimeoutMs && !call.isOpenEnded && !call.exchange.hasArrived) {
      return "the request does not end";
    }
    const { waitingBytes, sentPieces } = call.exchange;
    // Pieces are of one length: a client that takes one after the other always has as much before it.
    if (waitingBytes === 0 || waitingBytes !== call.waitingBytes || sentPieces !== call.sentPieces) {
      call.waitingBytes = waitingBytes;
      call.sentPieces = sentPieces;
      call.waitingSinceMs = now;
      return undefined;
    }
    return now - call.waitingSinceMs > this.#limits.stallTimeoutMs ? "the response is not taken" : undefined;
  }
}

/**
 * Whether a breach of the protocol has ended the session. Node says nothing of most of them: it neither reads nor writes
 * any more, and so misses that the client has gone. Whenever something has arrived, the client is asked to acknowledge
 * settings in which nothing changes (a ping does not leave behind a client's good-bye); a question that stays in the
 * queue of a session that has nothing else to write, or takes too long to, shows the end. Who does not answer is asked
 * again later.
 */
function isOver(
  session: ServerHttp2Session,
  { probe, socket, calls }: Connection,
  now: number,
  stallTimeoutMs: number,
): boolean {
  if (session.destroyed) return false;
  if (probe.unanswered > 0 && session.state.outboundQueueSize) {
    const isWaiting = calls.items().some(({ exchange }) => exchange.waitingBytes > 0);
    return !isWaiting || now - probe.emptyMs > stallTimeoutMs;
  }
  probe.emptyMs = now;
  if (probe.bytesRead === socket.bytesRead) return false;
  if (probe.unanswered > 0 && now - probe.askedMs < askAgainMs) return false;
  probe.bytesRead = socket.bytesRead;
  probe.askedMs = now;
  probe.unanswered += 1;
  session.settings({}, () => {
    probe.unanswered -= 1;
    probe.bytesRead += acknowledgementBytes;
  });
  return false;
}

function end({ session, socket }: Connection): void {
  session?.destroy();
  socket.destroy();
}
