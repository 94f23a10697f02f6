import { once } from "node:events";
import net from "node:net";
import type { Chunk } from "../../src/base/chunk.js";
import { Gate, type GateWaiter } from "../../src/base/gate.js";
import { deferred } from "../../src/base/signals.js";
import {
  type AcceptedSocket,
  ByteServer,
  ByteSocket,
  type ByteSocketUser,
  type Segments,
} from "../../src/base/socket.js";
import { Address } from "../../src/model/address.js";
import { type Backing, type Cargo, Message } from "../../src/model/message.js";
import { Route } from "../../src/model/route.js";
import type { DataPlace, LocalStreamUser } from "../../src/portal/local-stream.js";
import { decodePortalMessage, payloadInPlace } from "../../src/portal/portal-message.js";
import { TcpStream } from "../../src/portal/tcp-stream.js";
import { FrameReader, ReceiveBudget } from "../../src/transport/tcp/frame-reader.js";
import { FrameWriter } from "../../src/transport/tcp/frame-writer.js";
import { decodeMessage } from "../../src/wire/decode.js";

/** With so much queued for a program no more is taken. */
export const localQueueBytes = 200_000;

/** One end of a socket that carries frames between streams; without a router between. */
export class LinkEnd implements ByteSocketUser, GateWaiter {
  readonly streams = new Map<number, LinkedStream>();
  readonly #queueBytes: number;
  readonly #isLate: () => boolean;
  readonly #reader = new FrameReader({
    maxFrameBytes: 1024 * 1024,
    budget: new ReceiveBudget(0),
    user: { frame: (chunk, start, end) => this.#frame(chunk, start, end) },
  });
  #socket!: ByteSocket;
  #writer!: FrameWriter;
  #blockedBy: Gate | undefined;
  readonly #gate = new Gate({ stallTimeoutMs: 60_000, progress: () => 0, onStalled() {} });

  private constructor(queueBytes: number, isLate: () => boolean) {
    this.#queueBytes = queueBytes;
    this.#isLate = isLate;
  }

  /**
   * Two ends that are connected, of which each takes messages while fewer than `queueBytes` are queued. `isLate` is
   * asked before each write whether it takes place in the next turn only, from where the bytes lie.
   */
  static async pair(queueBytes: number, isLate: () => boolean) {
    const accepted = deferred<AcceptedSocket>();
    const server = await ByteServer.listen({ host: "127.0.0.1", port: 0 }, accepted.resolve);
    const ends = [new LinkEnd(queueBytes, isLate), new LinkEnd(queueBytes, isLate)] as const;
    const connected = deferred<ByteSocket>();
    ends[0].#use(ByteSocket.dial({ host: server.host, port: server.port }, ends[0], connected.resolve));
    ends[1].#use(ByteSocket.accepted(await accepted.promise, ends[1]));
    await connected.promise;
    for (const end of ends) end.#socket.resume();
    return {
      ends,
      async [Symbol.asyncDispose]() {
        server.close();
        for (const end of ends) await end.#close();
      },
    };
  }

  #use(socket: ByteSocket): void {
    this.#socket = socket;
    const sink = {
      write: (bytes: Buffer) => this.#write([bytes]),
      writeAll: (segments: Segments) => this.#write(segments),
    };
    this.#writer = new FrameWriter(sink, () => {
      if (this.#writer.queuedBytes < this.#queueBytes) this.#gate.open();
    });
  }

  #write(segments: Segments): boolean {
    if (!this.#isLate()) return this.#socket.writeAll(segments);
    const kept = Array.from({ length: segments.length }, (_, at) => segments.at(at)!);
    setImmediate(() => {
      if (this.#socket.writeAll(kept)) this.#writer.written();
    });
    return false;
  }

  async #close(): Promise<void> {
    for (const { stream, program } of this.streams.values()) {
      stream.reset();
      program.destroy();
    }
    const freed = deferred<void>();
    this.#writer.close();
    this.#socket.release(false, () => {
      this.#writer.free();
      freed.resolve();
    });
    this.#reader.close();
    await freed.promise;
  }

  /** Gives the gate to wait at if the queue is full: the message was not taken. */
  send(message: Message): Gate | undefined {
    if (this.#writer.queuedBytes >= this.#queueBytes) return this.#gate;
    this.#writer.put(message);
    return undefined;
  }

  #frame(chunk: Chunk, start: number, end: number): boolean {
    const message = decodeMessage(chunk.bytes, start, end, chunk);
    const gate = this.streams.get(Number(message.onward.last.text))!.handle(message);
    this.#blockedBy = gate;
    return gate === undefined;
  }

  gateOpened(): void {
    this.#reader.again();
    if (this.#reader.isWaiting) this.#blockedBy!.wait(this);
    else this.#socket.resume();
  }

  readBuffer(): Buffer {
    this.#reader.makeRoom();
    return this.#reader.room;
  }

  read(length: number): void {
    this.#reader.filled(length);
    this.#reader.cut();
    if (!this.#reader.isWaiting) return;
    this.#socket.pause();
    this.#blockedBy!.wait(this);
  }

  written(): void {
    this.#writer.written();
  }

  ended(): void {}
  closed(): void {}
}

/** A stream at one end of a link, to the stream of the same number at the other end. */
export class LinkedStream implements LocalStreamUser, GateWaiter {
  readonly program: net.Socket;
  stream!: TcpStream;
  readonly #end: LinkEnd;
  readonly #routes: readonly Route[];
  #sent = 0;
  #unsent: { readonly message: Message; readonly backing: Backing | undefined }[] = [];
  readonly #gate = new Gate({ stallTimeoutMs: 60_000, progress: () => 0, onStalled() {} });

  private constructor(end: LinkEnd, id: number, headBytes: readonly number[], program: net.Socket) {
    this.#end = end;
    this.program = program;
    this.#routes = headBytes.map((bytes) =>
      Route.of(Address.local("x".repeat(bytes)), Address.local(String(id))),
    );
  }

  /** The program at one end is a plain socket; the heads of messages have the lengths in `headBytes`, in turn. */
  static async connect(end: LinkEnd, id: number, headBytes: readonly number[]): Promise<LinkedStream> {
    const accepted = deferred<AcceptedSocket>();
    const server = await ByteServer.listen({ host: "127.0.0.1", port: 0 }, accepted.resolve);
    const program = net.connect({ host: server.host, port: server.port, allowHalfOpen: true });
    const made = new LinkedStream(end, id, headBytes, program);
    made.stream = TcpStream.accepted(await accepted.promise, made);
    if (program.connecting) await once(program, "connect");
    server.close();
    end.streams.set(id, made);
    made.stream.resume();
    return made;
  }

  data({ memory, at, length, roomBytes }: DataPlace, backing: Backing | undefined): boolean {
    return this.#send(payloadInPlace(memory, at, length, roomBytes, backing));
  }

  ended(): void {}

  drained(): void {
    if (this.stream.queuedBytes < localQueueBytes) this.#gate.open();
  }

  closed(): void {}

  /** A message from the other stream; gives the gate to wait at if the program has not taken enough yet. */
  handle({ cargo, backing }: Message): Gate | undefined {
    const { memory, payloadStart, payloadEnd } = cargo;
    if (this.stream.queuedBytes >= localQueueBytes) return this.#gate;
    const said = decodePortalMessage(memory, payloadStart, payloadEnd);
    if (said.kind === "payload") this.stream.write(said.data, backing);
    return undefined;
  }

  /** What is not taken is kept, and the program is not read meanwhile: as a session does. */
  #send(cargo: Cargo): boolean {
    const { backing } = cargo;
    const onward = this.#routes[this.#sent++ % this.#routes.length]!;
    const message = new Message(cargo, onward, Route.empty);
    if (this.#unsent.length === 0) {
      const gate = this.#end.send(message);
      if (gate === undefined) return true;
      gate.wait(this);
    }
    backing?.hold();
    const kept =
      backing === undefined
        ? Message.of({ onward, return: Route.empty, payload: Buffer.from(message.payload) })
        : message;
    this.#unsent.push({ message: kept, backing });
    return false;
  }

  gateOpened(): void {
    while (this.#unsent.length > 0) {
      const { message, backing } = this.#unsent[0]!;
      const gate = this.#end.send(message);
      if (gate !== undefined) {
        gate.wait(this);
        return;
      }
      this.#unsent.shift();
      backing?.release();
    }
    this.stream.resume();
  }
}
