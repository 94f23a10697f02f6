import { once } from "node:events";
import net from "node:net";
import type { RecordedFrame, RecordedSide } from "../../wire/recorded-vectors.js";
import { readFrame } from "./frame.js";

/** A TCP link to a port of 127.0.0.1 that can be cut, and that can keep what passes. */
export class Link implements AsyncDisposable {
  /** In the order of arrival, if it records. */
  readonly frames: RecordedFrame[] = [];
  readonly #target: number;
  readonly #records: boolean;
  readonly #sockets = new Set<net.Socket>();
  #server: net.Server | undefined;
  #port = 0;

  private constructor(target: number, records: boolean) {
    this.#target = target;
    this.#records = records;
  }

  /** `port` is where it listens; 0 takes any. */
  static async to(target: number, { records = false, port = 0 } = {}): Promise<Link> {
    const link = new Link(target, records);
    link.#port = port;
    await link.restore();
    return link;
  }

  get port(): number {
    return this.#port;
  }

  /** Ends what passes and refuses what comes. */
  async cut(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    for (const socket of this.#sockets) socket.destroy();
    if (server === undefined) return;
    server.close();
    await once(server, "close");
  }

  /** Keeps the connections and lets nothing pass: as a cable that was pulled. */
  silence(): void {
    for (const socket of this.#sockets) socket.unpipe().pause();
  }

  async restore(): Promise<void> {
    const server = net.createServer((dialer) => this.#join(dialer));
    server.listen(this.#port, "127.0.0.1");
    await once(server, "listening");
    this.#port = (server.address() as net.AddressInfo).port;
    this.#server = server;
  }

  #join(dialer: net.Socket): void {
    const listener = net.connect({ port: this.#target, host: "127.0.0.1" });
    for (const [socket, other] of [
      [dialer, listener],
      [listener, dialer],
    ] as const) {
      this.#sockets.add(socket);
      socket.setNoDelay().on("error", () => {});
      socket.once("close", () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
      if (this.#records) this.#record(socket, socket === dialer ? "dialer" : "listener");
      socket.pipe(other);
    }
  }

  #record(socket: net.Socket, from: RecordedSide): void {
    let rest = Buffer.alloc(0);
    let hasVersion = false;
    socket.on("data", (data) => {
      rest = Buffer.concat([rest, data]);
      if (!hasVersion) {
        this.frames.push({ from, version: rest.subarray(0, 1).toString("hex") });
        rest = rest.subarray(1);
        hasVersion = true;
      }
      while (rest.byteLength >= 4 && rest.byteLength >= 4 + rest.readUInt32BE()) {
        const frame = rest.subarray(0, 4 + rest.readUInt32BE());
        rest = rest.subarray(frame.byteLength);
        this.frames.push({ from, frame: frame.toString("hex"), decoded: readFrame(frame.subarray(4)) });
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cut();
  }
}
