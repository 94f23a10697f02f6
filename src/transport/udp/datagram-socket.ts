import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import dns from "node:dns";
import { isIP } from "node:net";
import { deferred } from "../../base/signals.js";
import { bindError } from "../../base/socket-errors.js";
import type { SocketAddress } from "../../model/socket-address.js";
import type { SendDatagram } from "./datagram-queue.js";

/** Asked of the operating system, which gives what it allows: room for what comes while the event loop is busy. */
const receiveBufferBytes = 4 * 1024 * 1024;

export interface DatagramSocketUser {
  datagram(bytes: Buffer, from: RemoteInfo): void;
  /** For a connected socket: the far end refused, or can't be reached. */
  failed(error: NodeJS.ErrnoException): void;
}

/** A UDP socket. It is closed once everything that was handed to it has left. */
export class DatagramSocket {
  readonly local: SocketAddress;
  /** Of a connected socket. */
  readonly peer: SocketAddress | undefined;
  readonly #socket: Socket;
  #underWay = 0;
  #closing = false;

  private constructor(socket: Socket, user: DatagramSocketUser, peer?: SocketAddress) {
    this.#socket = socket;
    this.peer = peer;
    const { address, port } = socket.address();
    this.local = { host: address, port };
    try {
      socket.setRecvBufferSize(receiveBufferBytes);
    } catch {
      // The size that there is then has to do.
    }
    socket.on("message", (bytes, from) => {
      if (!this.#closing) user.datagram(bytes, from);
    });
    socket.removeAllListeners("error");
    socket.on("error", (error) => {
      if (!this.#closing) user.failed(error);
    });
  }

  /** Rejects with `address_in_use`, `address_not_available`, `port_privileged`. */
  static async bind(bind: SocketAddress, user: DatagramSocketUser): Promise<DatagramSocket> {
    try {
      const [address] = await addressesOf(bind.host);
      const socket = createSocket(typeFor(address));
      await settled(socket, (done) => socket.bind({ address, port: bind.port, exclusive: true }, done));
      return new DatagramSocket(socket, user);
    } catch (error) {
      throw bindError(error as NodeJS.ErrnoException, bind);
    }
  }

  /** A socket that hears from `peer`, an IP address, alone. Rejects with the error of the operating system. */
  static async connect(peer: SocketAddress, user: DatagramSocketUser): Promise<DatagramSocket> {
    const socket = createSocket(typeFor(peer.host));
    // A failure comes as what the callback is given, which the types do not say.
    await settled(socket, (done, failed) =>
      socket.connect(peer.port, peer.host, (error?: Error) => (error ? failed(error) : done())),
    );
    return new DatagramSocket(socket, user, peer);
  }

  /** Sends to the peer of a connected socket. */
  readonly send: SendDatagram = (datagram, done) => {
    this.#send(done, (sent) => this.#socket.send(datagram, sent));
  };

  sendTo({ host, port }: SocketAddress): SendDatagram {
    return (datagram, done) => this.#send(done, (sent) => this.#socket.send(datagram, port, host, sent));
  }

  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    if (this.#underWay === 0) this.#socket.close();
  }

  #send(done: (error: Error | null) => void, send: (sent: (error: Error | null) => void) => void): void {
    if (this.#closing) {
      done(null);
      return;
    }
    this.#underWay += 1;
    const sent = (error: Error | null): void => {
      this.#underWay -= 1;
      if (this.#closing && this.#underWay === 0) this.#socket.close();
      done(error);
    };
    try {
      send(sent);
    } catch (error) {
      // Node throws at once for what can't be sent at all.
      setImmediate(sent, error as Error);
    }
  }
}

async function settled(
  socket: Socket,
  begin: (done: () => void, failed: (error: Error) => void) => void,
): Promise<void> {
  const outcome = deferred<void>();
  socket.once("error", outcome.reject);
  try {
    begin(outcome.resolve, outcome.reject);
    await outcome.promise;
  } catch (error) {
    socket.removeAllListeners();
    socket.close();
    throw error;
  }
}

/** The IP addresses of a host, of which there is one at least. Rejects with the error of the look-up. */
export function addressesOf(host: string): Promise<[string, ...string[]]> {
  if (isIP(host) !== 0) return Promise.resolve([host]);
  const outcome = deferred<[string, ...string[]]>();
  dns.lookup(host, { all: true }, (error, found) => {
    const [first, ...others] = found?.map(({ address }) => address) ?? [];
    if (first === undefined) outcome.reject(error);
    else outcome.resolve([first, ...others]);
  });
  return outcome.promise;
}

function typeFor(address: string): "udp4" | "udp6" {
  return isIP(address) === 6 ? "udp6" : "udp4";
}
