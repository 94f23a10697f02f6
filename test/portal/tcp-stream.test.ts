import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import net from "node:net";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import type { Memory } from "../../src/base/bytes.js";
import { deferred } from "../../src/base/signals.js";
import { type AcceptedSocket, ByteServer, type Segments } from "../../src/base/socket.js";
import { afterRead, handleRead, lastPiece } from "../../src/base/turn.js";
import { type Backing, Message } from "../../src/model/message.js";
import { Route } from "../../src/model/route.js";
import { localQueues } from "../../src/portal/local-queues.js";
import type { DataPlace, LocalStreamUser } from "../../src/portal/local-stream.js";
import { maxDataBytes, payloadInPlace } from "../../src/portal/portal-message.js";
import { TcpStream } from "../../src/portal/tcp-stream.js";
import { FrameWriter } from "../../src/transport/tcp/frame-writer.js";
import { LinkEnd, LinkedStream, localQueueBytes } from "../support/linked-stream.js";

const timeout = 60_000;
const mib = 1024 * 1024;
const pattern = randomBytes(mib);
/** The room in front of data that begins a buffer. */
const firstRoomBytes = 512;
/** That in front of what was read behind the first message, if no head was written in front of that one. */
const laterRoomBytes = 135;

type Data = (place: DataPlace, backing: Backing | undefined) => boolean;

/** A stream to a plain socket of Node. */
async function connect(t: TestContext, data: Data, user: Partial<LocalStreamUser> = {}) {
  const accepted = deferred<AcceptedSocket>();
  const server = await ByteServer.listen({ host: "127.0.0.1", port: 0 }, accepted.resolve);
  t.after(() => server.close());
  const peer = net.connect({ host: server.host, port: server.port, allowHalfOpen: true });
  const whole = { data, ended() {}, drained() {}, closed() {}, ...user };
  const stream = TcpStream.accepted(await accepted.promise, whole);
  if (peer.connecting) await once(peer, "connect");
  peer.on("error", () => {});
  t.after(() => {
    stream.reset();
    peer.destroy();
  });
  return { stream, peer };
}

/** Gives what `data` answers until all of `sent` has come through a stream. */
async function through(t: TestContext, sent: Buffer, data: Data): Promise<void> {
  let left = sent.length;
  const all = deferred<void>();
  const { stream, peer } = await connect(t, (place, backing) => {
    left -= place.length;
    const more = data(place, backing);
    if (left === 0) all.resolve();
    return more;
  });
  peer.write(sent);
  stream.resume();
  await all.promise;
}

const copyOf = ({ memory, at, length }: DataPlace): Buffer =>
  Buffer.from(memory.bytes.subarray(at, at + length));

test("bulk data lies in one buffer with the room that each head took, and leaves as one piece", {
  timeout,
}, async (t) => {
  const writes: { readonly pieces: number; readonly bytes: number }[] = [];
  const sink = {
    write: (bytes: Buffer): boolean => sink.writeAll([bytes]),
    writeAll(segments: Segments): boolean {
      const pieces = Array.from({ length: segments.length }, (_, at) => segments.at(at)!);
      writes.push({ pieces: pieces.length, bytes: Buffer.concat(pieces).length });
      return true;
    },
  };
  const writer = new FrameWriter(sink, () => {});
  const route = Route.parse("0123456789abcdef0123456789abcdef => 0123456789abcdef0123456789abcdef");
  const back = Route.parse("fedcba9876543210fedcba9876543210");
  let before: { readonly memory: Memory; readonly end: number; readonly headBytes: number } | undefined;
  let followed = 0;
  await through(t, Buffer.concat([pattern, pattern, pattern, pattern]), (place, backing) => {
    const { memory, at, length, roomBytes } = place;
    if (memory === before?.memory && at !== firstRoomBytes) {
      followed += 1;
      assert.deepEqual([roomBytes, at], [before.headBytes, before.end + before.headBytes]);
    } else assert.deepEqual([roomBytes, at], [firstRoomBytes, firstRoomBytes]);
    writer.put(new Message(payloadInPlace(memory, at, length, roomBytes, backing), route, back));
    const headBytes = at - (backing?.headStart ?? at);
    before = { memory, end: at + length, headBytes };
    return true;
  });
  assert.ok(followed > 0, "no message came behind another");
  const three = writes.filter(({ bytes }) => bytes > 3 * maxDataBytes);
  assert.ok(
    three.some(({ pieces }) => pieces === 1),
    `no three messages left as one piece: ${JSON.stringify(writes)}`,
  );
});

test("a read brings up to three full messages, whether or not heads are written in front of them", {
  timeout,
}, async (t) => {
  const held: Backing[] = [];
  const inMemory = new Map<Memory, number>();
  await through(t, Buffer.concat([pattern, pattern, pattern, pattern]), ({ memory, roomBytes }, backing) => {
    assert.ok(roomBytes === firstRoomBytes || roomBytes === laterRoomBytes, `room of ${roomBytes} bytes`);
    if (backing === undefined) return true;
    backing.hold();
    held.push(backing);
    inMemory.set(memory, (inMemory.get(memory) ?? 0) + 1);
    return true;
  });
  for (const backing of held) backing.release();
  const most = Math.max(...inMemory.values());
  assert.ok(most >= 3, `at most ${most} messages in a buffer`);
});

test("much that waits in many streams lies in at most 512 buffers of their own, and the rest in the shared one", {
  timeout,
}, async (t) => {
  const size = 300_000;
  const held: Backing[] = [];
  const settled: Promise<void>[] = [];
  for (let count = 520; count > 0; count -= 1) {
    const done = deferred<void>();
    settled.push(done.promise);
    let left = size;
    const { stream, peer } = await connect(t, ({ length }, backing) => {
      left -= length;
      if (backing === undefined) {
        if (left === 0) done.resolve();
        return true;
      }
      backing.hold();
      held.push(backing);
      done.resolve();
      return false;
    });
    peer.write(pattern.subarray(0, size));
    stream.resume();
  }
  await Promise.all(settled);
  for (const backing of held) backing.release();
  // A stream that stands still may have taken the one for its next read already.
  const used = new Set(held).size;
  assert.ok(used >= 256 && used <= 512, `${used}`);
});

test("what is read behind the message at which a stream is closed goes nowhere", { timeout }, async (t) => {
  const reset = deferred<void>();
  let later = 0;
  let isReset = false;
  const { stream, peer } = await connect(t, ({ length }) => {
    if (isReset) later += 1;
    if (length < maxDataBytes || isReset) return true;
    isReset = true;
    stream.reset();
    reset.resolve();
    return false;
  });
  peer.write(Buffer.concat([pattern, pattern]));
  stream.resume();
  await reset.promise;
  assert.equal(later, 0);
});

/** What a test does with data that comes. */
const anyTaking = fc.record({
  /** How many messages later it is let go of; -1: it is not held. */
  holdsFor: fc.integer({ min: -1, max: 6 }),
  /** How many bytes in front of it a head takes, if there is room for it; 0: none is written there. */
  headBytes: fc.constantFrom(0, 4, 60, 130, 300, 512),
  /** The head is written when it is let go of, as when there was no room on the way. */
  isLate: fc.boolean(),
  pauses: fc.boolean(),
});

test("what is said to be free in front of data may be overwritten, as long as the data is held", {
  timeout,
}, async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyTaking, { minLength: 1, maxLength: 12 }), async (takings) => {
      let at = 0;
      const came = createHash("sha256");
      const held: {
        readonly expected: Buffer;
        readonly release: (expected: Buffer) => void;
        left: number;
      }[] = [];
      let resume = (): void => {};
      const sent = Buffer.concat([pattern, pattern.subarray(0, mib / 2)]);
      let left = sent.length;
      const all = deferred<void>();
      const { stream, peer } = await connect(t, (place, backing) => {
        const taking = takings[at++ % takings.length]!;
        const { memory, at: start, length, roomBytes } = place;
        const expected = copyOf(place);
        came.update(expected);
        const overwrite = (): void => {
          memory.bytes.fill(0xee, start - roomBytes, start);
          if (backing !== undefined && taking.headBytes > 0 && taking.headBytes <= roomBytes)
            backing.headStart = start - taking.headBytes;
        };
        if (!taking.isLate || taking.holdsFor < 0) overwrite();
        for (const each of held) each.left -= 1;
        while (held.length > 0 && held[0]!.left <= 0) {
          const first = held.shift()!;
          first.release(first.expected);
        }
        if (backing !== undefined && taking.holdsFor >= 0) {
          backing.hold();
          held.push({
            expected,
            left: taking.holdsFor,
            release: (bytes) => {
              if (taking.isLate) overwrite();
              assert.ok(
                memory.bytes.subarray(start, start + length).equals(bytes),
                "held data was overwritten",
              );
              backing.release();
            },
          });
        }
        left -= length;
        if (left === 0) all.resolve();
        else if (taking.pauses) setImmediate(() => resume());
        return !taking.pauses;
      });
      resume = () => stream.resume();
      peer.write(sent);
      stream.resume();
      await all.promise;
      for (const { release, expected } of held) release(expected);
      assert.equal(came.digest("hex"), createHash("sha256").update(sent).digest("hex"));
      stream.reset();
      peer.destroy();
    }),
    { numRuns: 40 },
  );
});

test("a stream does not keep more pieces than it keeps bytes", { timeout }, async (t) => {
  const { stream, peer } = await connect(t, () => true);
  const large = Buffer.alloc(16 * mib);
  stream.write(large, undefined);
  await new Promise(setImmediate);
  const before = stream.queuedBytes;
  assert.ok(before >= large.length, "the write is under way");
  for (let left = 1_000; left > 0; left -= 1) stream.write(Buffer.of(7), undefined);
  assert.ok(stream.queuedBytes - before > 100_000, `${stream.queuedBytes - before} bytes for 1000 pieces`);
  stream.write(Buffer.alloc(0), undefined);
  let bytes = 0;
  peer.on("data", (data: Buffer) => {
    bytes += data.length;
  });
  stream.end();
  await once(peer, "end");
  assert.equal(bytes, large.length + 1_000);
  assert.equal(stream.queuedBytes, 0);
});

test("a stream says that there is room again, even if all that filled it left at once", {
  timeout,
}, async (t) => {
  const room = deferred<void>();
  const { stream } = await connect(t, () => true, { drained: room.resolve });
  stream.write(Buffer.alloc(40_000), undefined);
  assert.ok(stream.queuedBytes >= 40_000, "it is full for some");
  await room.promise;
  assert.equal(stream.queuedBytes, 0);
});

class CountedBacking implements Backing {
  holds = 0;
  /** Nobody holds it any more. */
  readonly free = deferred<void>();

  hold(): void {
    this.holds += 1;
  }

  release(): void {
    this.holds -= 1;
    if (this.holds === 0) this.free.resolve();
  }
}

/** A stream with a write under way, to a program that does not read. */
async function busyStream(t: TestContext) {
  const { stream, peer } = await connect(t, () => true);
  peer.pause();
  const backing = new CountedBacking();
  stream.write(Buffer.alloc(16 * mib), backing);
  await new Promise(setImmediate);
  return { stream, peer, backing };
}

test("a stream that is reset while it writes lets go of what it held, once the bytes are free", {
  timeout,
}, async (t) => {
  const { stream, backing } = await busyStream(t);
  stream.write(Buffer.alloc(maxDataBytes), backing);
  assert.equal(backing.holds, 2);
  stream.reset();
  assert.equal(backing.holds, 1, "what was not given to the system is free at once");
  await backing.free.promise;
  stream.write(Buffer.alloc(20_000), backing);
  assert.equal(backing.holds, 0);
});

test("what waits behind a write is copied if it could keep much more than itself in memory", {
  timeout,
}, async (t) => {
  const { stream, backing } = await busyStream(t);
  stream.write(Buffer.alloc(39_000), backing);
  assert.equal(backing.holds, 1);
  stream.write(Buffer.alloc(maxDataBytes), backing);
  assert.equal(backing.holds, 2);
});

test("what waits for a program counts for the process, with the memory that it holds, until it has left or is given up", {
  timeout,
}, async (t) => {
  const before = localQueues.bytes;
  for (const how of ["taken", "given up"] as const) {
    const { stream, peer, backing } = await busyStream(t);
    const inFlight = localQueues.bytes - before;
    assert.ok(inFlight >= stream.queuedBytes + 128 * 1024, `${inFlight} of ${stream.queuedBytes}`);
    stream.write(Buffer.alloc(1_000), backing);
    assert.ok(localQueues.bytes - before >= inFlight + 1_000);
    if (how === "taken") {
      peer.resume();
      while (stream.queuedBytes > 0) await once(peer, "data");
    } else stream.reset();
    assert.equal(localQueues.bytes, before, how);
  }
});

test("where all streams together keep too much, a piece is copied, so that no stream holds what lies beside it", {
  timeout,
}, async (t) => {
  const { stream } = await connect(t, () => true);
  const backing = new CountedBacking();
  const others = 256 * mib;
  localQueues.changed(others);
  t.after(() => localQueues.changed(-others));
  stream.write(Buffer.alloc(39_000), backing);
  assert.equal(backing.holds, 0);
});

test("lone pieces leave at once, and the one that is not all taken is held until it has left", {
  timeout,
}, async (t) => {
  let drained = 0;
  const { stream, peer } = await connect(t, () => true, { drained: () => (drained += 1) });
  const backing = new CountedBacking();
  const sent: Buffer[] = [];
  const read = (): void => {
    const at = (sent.length * 997) % (mib - 10_000);
    const piece = pattern.subarray(at, at + 10_000);
    sent.push(piece);
    lastPiece();
    stream.write(piece, backing);
  };
  while (stream.queuedBytes === 0) handleRead({ read }, 1);
  assert.equal(stream.queuedBytes, 10_000 + 256, "the piece, and what it costs to keep");
  assert.equal(drained, sent.length - 1, "each that left made room");
  assert.equal(backing.holds, 1);
  handleRead({ read }, 1);
  assert.ok(stream.queuedBytes > 20_000, "it waits behind what is under way");
  const expected = Buffer.concat(sent);
  const got: Buffer[] = [];
  let left = expected.length;
  const all = deferred<void>();
  peer.on("data", (data: Buffer) => {
    got.push(data);
    left -= data.length;
    if (left === 0) all.resolve();
  });
  await all.promise;
  await backing.free.promise;
  assert.ok(Buffer.concat(got).equals(expected));
  assert.equal(backing.holds, 0);
  assert.equal(stream.queuedBytes, 0);
});

/** A stream that has ended with more in its queue than the system takes while the program does not read. */
async function endBehindQueue(t: TestContext) {
  const closed = deferred<Error | undefined>();
  const { stream, peer } = await connect(t, () => true, { closed: closed.resolve });
  const backing = new CountedBacking();
  stream.write(Buffer.alloc(64 * mib, 7), backing);
  stream.end();
  assert.ok(stream.queuedBytes > 0, "the system took everything");
  return { stream, peer, backing, closed };
}

test("a program gets all of a stream that has ended, and then the stream is closed", {
  timeout,
}, async (t) => {
  const { stream, peer, backing, closed } = await endBehindQueue(t);
  let left = 64 * mib;
  peer.on("data", (data: Buffer) => (left -= data.length));
  const ended = once(peer, "end");
  assert.equal(await closed.promise, undefined);
  assert.equal(stream.queuedBytes, 0);
  await Promise.all([ended, backing.free.promise]);
  assert.equal(left, 0);
});

test("a program that goes before it has all of a stream that has ended closes it", { timeout }, async (t) => {
  const { peer, backing, closed } = await endBehindQueue(t);
  peer.resetAndDestroy();
  assert.ok((await closed.promise) instanceof Error);
  await backing.free.promise;
});

test("a reset of a stream that has ended is not taken for its end", { timeout }, async (t) => {
  const { stream, peer, backing } = await endBehindQueue(t);
  stream.reset();
  assert.equal(stream.queuedBytes, 0);
  await backing.free.promise;
  // What a reset socket answers, and one that has ended in order does not.
  peer.write("still there?");
  const [error] = (await once(peer, "error")) as [NodeJS.ErrnoException];
  assert.match(error.code ?? "", /^(ECONNRESET|EPIPE)$/);
});

/** Sends so many bytes in pieces, with pauses, as `sizes` say; gives their hash. */
async function send(socket: net.Socket, total: number, sizes: readonly number[], pauses: readonly boolean[]) {
  const hash = createHash("sha256");
  for (let left = total, turn = 0; left > 0; turn += 1) {
    const size = Math.min(left, sizes[turn % sizes.length]!);
    const from = (turn * 65_537) % (pattern.length - size + 1);
    const piece = pattern.subarray(from, from + size);
    left -= size;
    hash.update(piece);
    if (!socket.write(piece)) await once(socket, "drain");
    if (pauses[turn % pauses.length]!) await new Promise(setImmediate);
  }
  return hash.digest("hex");
}

/** Reads so many bytes, with pauses; gives the hash. */
async function receive(socket: net.Socket, total: number, pauses: readonly boolean[]) {
  const hash = createHash("sha256");
  const all = deferred<void>();
  let left = total;
  let turn = 0;
  socket.on("data", (data: Buffer) => {
    hash.update(data);
    left -= data.length;
    if (left <= 0) all.resolve();
    if (!pauses[turn++ % pauses.length]!) return;
    socket.pause();
    setImmediate(() => setImmediate(() => socket.resume()));
  });
  await all.promise;
  return hash.digest("hex");
}

const anySizes = fc.array(
  fc.oneof(fc.integer({ min: 1, max: 500 }), fc.integer({ min: 10_000, max: 200_000 }), fc.constant(mib)),
  { minLength: 1, maxLength: 10 },
);
const anyPauses = fc.array(fc.boolean(), { minLength: 1, maxLength: 10 });

test("through streams, frames and sockets all bytes come out both ways, whatever the sizes, heads and pauses", {
  timeout,
}, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        total: fc.integer({ min: mib, max: 3 * mib }),
        streams: fc.integer({ min: 1, max: 4 }),
        sizes: anySizes,
        sends: anyPauses,
        receives: anyPauses,
        /** Bytes of the address that each message's route begins with: one after the other. */
        heads: fc.array(fc.constantFrom(1, 32, 100, 300, 480, 600, 1_500), { minLength: 1, maxLength: 6 }),
        queueBytes: fc.constantFrom(1, 100_000, 500_000),
        /** Which writes of the link are under way for a while. */
        late: anyPauses,
      }),
      async ({ total, streams, sizes, sends, receives, heads, queueBytes, late }) => {
        let writes = 0;
        await using link = await LinkEnd.pair(queueBytes, () => late[writes++ % late.length]!);
        // What is small has too many pieces to send a lot of it.
        const mean = sizes.reduce((sum, size) => sum + size, 0) / sizes.length;
        const bytes = Math.ceil(Math.min(total, mean * 2_000) / streams);
        const ends = await Promise.all(
          Array.from({ length: streams }, async (_, id) => {
            const [near, far] = await Promise.all(
              link.ends.map((end) => LinkedStream.connect(end, id, heads)),
            );
            return [near!.program, far!.program] as const;
          }),
        );
        await Promise.all(
          ends.map(async ([near, far]) => {
            const [sent, back, cameBack, came] = await Promise.all([
              send(near, bytes, sizes, sends),
              send(far, bytes, sizes, receives),
              receive(near, bytes, sends),
              receive(far, bytes, receives),
            ]);
            assert.equal(came, sent);
            assert.equal(cameBack, back);
          }),
        );
      },
    ),
    { numRuns: 30 },
  );
});

test("programs that read nothing for a long time get all bytes in the end", { timeout }, async () => {
  const bytes = 24 * mib;
  await using link = await LinkEnd.pair(500_000, () => false);
  const heads = [32, 100, 600];
  const [near, far] = await Promise.all(link.ends.map((end) => LinkedStream.connect(end, 1, heads)));
  const sizes = [1_000, 300_000, 70_000];
  const sent = Promise.all([near!, far!].map(({ program }) => send(program, bytes, sizes, [false])));
  for (const { stream } of [near!, far!]) {
    // What is queued still after a turn is what the system does not take.
    for (let turns = 0; turns < 3; turns = stream.queuedBytes >= localQueueBytes ? turns + 1 : 0)
      await new Promise(setImmediate);
  }
  const came = await Promise.all(
    [far!, near!].map(({ program }) => receive(program, bytes, [false, false, true])),
  );
  assert.deepEqual(came, await sent);
});

test("what a lone piece of data puts off is done before its handling ends", { timeout }, async (t) => {
  const order: string[] = [];
  await through(t, Buffer.from("hello"), () => {
    afterRead({ catchUp: () => order.push("done") });
    order.push("handled");
    return true;
  });
  assert.deepEqual(order, ["done", "handled"]);
});
