import net from "node:net";
import { type WaitingBytes, waitingBytes } from "./kernel-queue.js";
import { bindError } from "./socket-errors.js";
import { handleRead } from "./turn.js";

/** Whoever uses a ByteSocket. The calls come in the turn of the event, and must not throw. */
export interface ByteSocketUser {
  /**
   * `length` bytes were read into the buffer that `readBuffer` gave last. They may be overwritten after `readBuffer`
   * has been asked again, which happens when this call returns.
   */
  read(length: number): void;
  /**
   * Where the next bytes go. Asked before the first read (more than once, and before the socket is connected) and
   * after each; it must not be empty.
   */
  readBuffer(): Buffer;
  /** The peer sends no more. */
  ended(): void;
  /** All that was written has left. Called only after a `write` that gave false. */
  written(): void;
  /** The socket is gone; nothing is called after this. `error` is undefined for an orderly end. */
  closed(error: Error | undefined): void;
}

/** What is written at once, in order. The list may be changed after the call; the bytes may not. */
export interface Segments {
  readonly length: number;
  at(index: number): Buffer | undefined;
}

export interface DialOptions {
  readonly host: string;
  readonly port: number;
  /** False: the operating system does not ask an idle peer whether it is there before `keepAlive` is called. */
  readonly keepAlive?: boolean;
  /** As in ByteServerOptions. */
  readonly plainSockets?: boolean;
}

/**
 * A TCP socket that reads into buffers of its user's choice and tells whether the kernel took a write at once. That is
 * what net.Socket's `onread` is for; an accepted connection has no such option, so its handle is given to a net.Socket
 * of ours before the server makes one. Where a Node version has no such handle, its sockets are read with events and
 * copied.
 */
export class ByteSocket {
  readonly #socket: net.Socket;
  #user: ByteSocketUser;
  readonly #reads: "onread" | "events";
  #closed = false;
  #gone = false;
  #busy = false;
  #error: Error | undefined;
  /** While an orderly end takes place. */
  #linger: NodeJS.Timeout | undefined;
  /** Where the next read goes. */
  #room: Buffer | undefined;
  /** From then on Node reads with the handle that it has. */
  #hasRead = false;

  private constructor(
    user: ByteSocketUser,
    make: (onread: net.OnReadOpts) => net.Socket,
    reads: "onread" | "events",
  ) {
    this.#user = user;
    this.#reads = reads;
    this.#socket = make({
      // What is run for each read is a method: V8 knows what that refers to, and looks it up in a function that each socket
      // has one of.
      buffer: () => this.#nextRoom(),
      callback: (length) => this.#onRead(length),
    });
    this.#socket.on("end", () => {
      if (this.#linger !== undefined) this.#socket.destroy();
      else if (!this.#closed) this.#user.ended();
    });
    this.#socket.on("error", (error) => {
      this.#error = error;
    });
    this.#socket.on("close", () => this.#ended());
    if (reads === "events") this.#socket.on("data", (bytes: Buffer) => this.#copyIn(bytes));
  }

  /** A socket that connects; `connected` is called once it has, unless it was closed. A failure comes as `closed`. */
  static dial(
    options: DialOptions,
    user: ByteSocketUser,
    connected: (socket: ByteSocket) => void,
  ): ByteSocket {
    const reads = options.plainSockets === true ? "events" : "onread";
    const socket = new ByteSocket(
      user,
      (onread) =>
        net.connect({
          host: options.host,
          port: options.port,
          noDelay: true,
          keepAlive: options.keepAlive !== false,
          keepAliveInitialDelay: keepAliveMs,
          autoSelectFamily: true,
          ...constants,
          onread: (reads === "onread" ? onread : undefined) as net.OnReadOpts,
        }),
      reads,
    );
    socket.#socket.pause();
    socket.#socket.once("connect", () => {
      if (!socket.#closed) connected(socket);
    });
    return socket;
  }

  /** Makes a socket of what a server accepted. It reads nothing until `resume`. `keepAlive` is as in DialOptions. */
  static accepted(accepted: AcceptedSocket, user: ByteSocketUser, keepAlive = true): ByteSocket {
    const socket =
      accepted.handle === undefined
        ? new ByteSocket(user, () => accepted.socket!, "events")
        : new ByteSocket(user, (onread) => socketOfHandle(accepted.handle!, onread), "onread");
    socket.#socket.setNoDelay(true);
    if (keepAlive) socket.keepAlive();
    return socket;
  }

  /** Closes what was accepted at once, without making a socket of it. */
  static refuse({ handle, socket }: AcceptedSocket): void {
    if (socket !== undefined) socket.destroy();
    else (handle as { close(): void }).close();
  }

  /** True from a `write` that gave false until `written`. */
  get isBusy(): boolean {
    return this.#busy;
  }

  /** `ip:port` of the peer; undefined once it is gone. */
  get peer(): { readonly host: string; readonly port: number } | undefined {
    const { remoteAddress, remotePort } = this.#socket;
    return remoteAddress === undefined ? undefined : { host: remoteAddress, port: remotePort ?? 0 };
  }

  get local(): { readonly host: string; readonly port: number } | undefined {
    const { localAddress, localPort } = this.#socket;
    return localAddress === undefined ? undefined : { host: localAddress, port: localPort ?? 0 };
  }

  /**
   * Bytes of the write under way that the kernel has not taken. (The queue of the handle tells it to the byte; without
   * it, a write counts whole until it is finished.)
   */
  get progress(): number {
    return this.#handle?.writeQueueSize ?? this.#socket.writableLength;
  }

  /** What waits in the kernel; undefined where that is not told. */
  waiting(): Promise<WaitingBytes | undefined> {
    const fd = this.#handle?.fd ?? -1;
    return fd < 0 ? Promise.resolve(undefined) : waitingBytes(fd);
  }

  resume(): void {
    if (!this.#closed) this.#socket.resume();
  }

  pause(): void {
    if (!this.#closed) this.#socket.pause();
  }

  /**
   * True if the kernel took everything: the bytes may be overwritten at once. False if not: they must stay as they are
   * until `written` (or `closed`), and no other write may begin before that. What is written to a socket that is gone is
   * lost.
   */
  write(bytes: Buffer): boolean {
    if (this.#closed) return true;
    this.#socket.write(bytes);
    return this.#isTaken();
  }

  /** The same for segments, which leave in order. */
  writeAll(segments: Segments): boolean {
    const { length } = segments;
    if (length === 1) return this.write(segments.at(0)!);
    if (this.#closed) return true;
    const socket = this.#socket;
    socket.cork();
    for (let at = 0; at < length; at += 1) socket.write(segments.at(at)!);
    socket.uncork();
    return this.#isTaken();
  }

  #isTaken(): boolean {
    const socket = this.#socket;
    this.#busy = socket.writableLength > 0;
    // A callback costs each write a turn of Node's queue of ticks. Few writes have to be waited for: behind those stands
    // one of no bytes that has a callback.
    if (this.#busy) socket.write(nothing, this.#onWritten);
    return !this.#busy;
  }

  /** From now on the operating system asks an idle peer whether it is there. */
  keepAlive(): void {
    if (!this.#closed) this.#socket.setKeepAlive(true, keepAliveMs);
  }

  /** Ends both directions now. `closed` is not called. */
  destroy(): void {
    if (this.#closed) return;
    this.#leave();
    this.#socket.destroy();
  }

  /**
   * The user goes; `closed` is not called, and no buffer of its is read into. An orderly end, asked for after the last
   * write has left, gets a second to take place where the peer may still send, and more while the peer's system takes
   * what ours has: a peer that sends to a closed socket is answered with a reset, and what ours has is lost.
   *
   * `freed` is called when the bytes of a write under way are used no more.
   */
  release(orderly: boolean, freed?: () => void): void {
    const socket = this.#socket;
    if (this.#gone) freed?.();
    else if (freed !== undefined) socket.once("close", freed);
    if (this.#closed) return;
    if (!orderly || socket.readableEnded) {
      this.destroy();
      return;
    }
    this.#leave();
    socket.end();
    this.#lingerOn();
    // Where the next bytes go was settled after the last read: that buffer is the user's, who may give it to another.
    if (this.#reads === "onread") this.#handle?.useUserBuffer?.(discarded);
    socket.resume();
  }

  /** At the last look the peer's system had yet to take `left` bytes. */
  #lingerOn(left = 0, looks = 0): void {
    this.#linger = setTimeout(async () => {
      const now = (await this.waiting())?.unacknowledged ?? 0;
      if (this.#gone) return;
      // A peer whose system had no room is slow: it gets time for what that took last, too.
      if (now !== left) this.#lingerOn(now, idleLooks);
      else if (looks > 0) this.#lingerOn(now, looks - 1);
      else this.#socket.destroy();
    }, orderlyEndMs).unref();
  }

  /** Ends both directions with a reset, so that the peer knows that it did not get everything. `closed` is not called. */
  reset(): void {
    if (this.#closed) return;
    this.#leave();
    // A socket that is still connecting would first wait until it is.
    if (this.#socket.connecting) {
      this.#socket.destroy();
      return;
    }
    // By itself it waits for the write under way, which may never finish, and sends an orderly end before the reset;
    // a destroy in the same turn skips both.
    this.#socket.resetAndDestroy();
    this.#socket.destroy();
  }

  get #handle(): SocketHandle | null | undefined {
    // Sockets that are read with events are those that use documented interfaces alone.
    if (this.#reads === "events") return undefined;
    return (this.#socket as unknown as { readonly _handle?: SocketHandle | null })._handle;
  }

  readonly #onWritten = (error?: Error | null): void => {
    // After an error `closed` comes, and the bytes of the write are still with it.
    if (!this.#busy || (error !== undefined && error !== null) || this.#socket.writableLength > 0) return;
    this.#busy = false;
    if (!this.#closed) this.#user.written();
  };

  #ended(): void {
    this.#gone = true;
    clearTimeout(this.#linger);
    if (this.#closed) return;
    const user = this.#user;
    this.#leave();
    user.closed(this.#error);
  }

  /** V8 finds out late that a closed socket is garbage: what stood on it should not wait for that. */
  #leave(): void {
    this.#closed = true;
    this.#user = nobody;
  }

  #nextRoom(): Buffer {
    const buffer = this.#closed ? discarded : this.#user.readBuffer();
    // Each address of a name is dialed with a new handle, which has no buffer yet.
    if (buffer === this.#room && this.#hasRead) return sameAgain;
    this.#room = buffer;
    return buffer;
  }

  #onRead(length: number): boolean {
    this.#hasRead = true;
    if (!this.#closed) handleRead(this.#user, length);
    return true;
  }

  #copyIn(bytes: Buffer): void {
    for (let at = 0; at < bytes.byteLength && !this.#closed; ) {
      if (this.#socket.isPaused()) {
        this.#socket.unshift(bytes.subarray(at));
        return;
      }
      const room = this.#user.readBuffer();
      const size = Math.min(room.byteLength, bytes.byteLength - at);
      bytes.copy(room, 0, at, at + size);
      at += size;
      handleRead(this.#user, size);
    }
  }
}

/** Node goes on with the buffer that it has if it is not given one; to take over the same anew costs it 0.5 us. */
const sameAgain = undefined as unknown as Buffer;

const nothing = Buffer.alloc(0);

const keepAliveMs = 15_000;
const orderlyEndMs = 1_000;
/** A peer whose system takes nothing more at so many looks in a row is given up; or it has taken all. */
const idleLooks = 10;

const nobody: ByteSocketUser = {
  read() {},
  readBuffer: () => discarded,
  ended() {},
  written() {},
  closed() {},
};

/** Where the bytes go that nobody wants any more. */
const discarded = Buffer.allocUnsafeSlow(64 * 1024);

/** What the handles of Node's sockets can do beyond what is documented. */
interface SocketHandle {
  readonly writeQueueSize?: number;
  readonly fd?: number;
  useUserBuffer?(buffer: Buffer): void;
}

/** What a ByteServer accepted: a handle where Node gives one, else a paused socket. */
export interface AcceptedSocket {
  readonly handle?: object;
  readonly socket?: net.Socket;
}

/**
 * What net.Socket sets in a copy of its options, whatever they say. Where they say it, the copy keeps its shape, and V8
 * makes a socket in a tenth of the time.
 */
const constants = {
  allowHalfOpen: true,
  emitClose: false,
  autoDestroy: true,
  decodeStrings: false,
  // Nobody hears `drain`; a write above this would get ready to say it.
  writableHighWaterMark: 2 ** 30,
};

function socketOfHandle(handle: object, onread: net.OnReadOpts): net.Socket {
  const options = { handle, manualStart: true, pauseOnCreate: true, onread, ...constants };
  return new net.Socket(options as net.SocketConstructorOpts);
}

interface ServerHandle {
  onconnection?: (error: number, handle: object | undefined) => void;
}

export interface ByteServerOptions {
  readonly host: string;
  readonly port: number;
  readonly backlog?: number;
  /** True uses documented interfaces of Node alone: accepted sockets are then read with events. */
  readonly plainSockets?: boolean;
}

/** Listens on a TCP address and hands out what it accepts. */
export class ByteServer {
  readonly #server: net.Server;
  readonly host: string;
  readonly port: number;

  private constructor(server: net.Server) {
    this.#server = server;
    const address = server.address() as net.AddressInfo;
    this.host = address.address;
    this.port = address.port;
  }

  /** Rejects with `address_in_use`, `port_privileged` or `address_not_available` if the address can't be bound. */
  static listen(options: ByteServerOptions, accept: (accepted: AcceptedSocket) => void): Promise<ByteServer> {
    const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true });
    server.on("connection", (socket) => accept({ socket }));
    return new Promise((resolve, reject) => {
      const failed = (error: NodeJS.ErrnoException): void => reject(bindError(error, options));
      server.once("error", failed);
      server.listen({ host: options.host, port: options.port, backlog: options.backlog ?? 4096 }, () => {
        server.off("error", failed);
        // An error of a bound server is one failed accept: it must not reach the process.
        server.on("error", () => {});
        const handle = (server as unknown as { _handle?: ServerHandle })._handle;
        if (options.plainSockets !== true && typeof handle?.onconnection === "function") {
          handle.onconnection = (error, client) => {
            if (error === 0 && client !== undefined) accept({ handle: client });
          };
        }
        resolve(new ByteServer(server));
      });
    });
  }

  /** Accepts no more. What was accepted is not touched. */
  close(): void {
    this.#server.close();
  }
}
