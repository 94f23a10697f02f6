import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import type { RecordedDatagram, RecordedMessage, RecordedSide } from "../../wire/recorded-vectors.js";
import { readDatagram, readFrame } from "./frame.js";

/** A UDP link to a port of 127.0.0.1, for one who dials, that keeps what passes. */
export class UdpLink implements AsyncDisposable {
  readonly datagrams: RecordedDatagram[] = [];
  readonly #near = createSocket("udp4");
  readonly #far = createSocket("udp4");

  private constructor() {}

  static async to(target: number): Promise<UdpLink> {
    const link = new UdpLink();
    await Promise.all([bound(link.#near), bound(link.#far)]);
    let dialer = 0;
    link.#near.on("message", (bytes, { port }) => {
      dialer = port;
      link.#pass("dialer", bytes, link.#far, target);
    });
    link.#far.on("message", (bytes) => link.#pass("listener", bytes, link.#near, dialer));
    return link;
  }

  get port(): number {
    return this.#near.address().port;
  }

  /** The messages whose parts have passed, in the order of their last ones. */
  messages(): { readonly from: RecordedSide; readonly number: number; readonly decoded: RecordedMessage }[] {
    return this.datagrams.flatMap(({ from, number, index, total }) => {
      if (index < total - 1) return [];
      const parts = this.datagrams.filter((each) => each.from === from && each.number === number);
      const body = Buffer.concat(parts.map(({ partHex }) => Buffer.from(partHex, "hex")));
      return [{ from, number, decoded: readFrame(body) }];
    });
  }

  #pass(from: RecordedSide, bytes: Buffer, by: Socket, port: number): void {
    this.datagrams.push({ from, datagram: bytes.toString("hex"), ...readDatagram(bytes) });
    by.send(bytes, port, "127.0.0.1");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#near.close();
    this.#far.close();
  }
}

async function bound(socket: Socket): Promise<void> {
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
}
