import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Chunk } from "../../../src/base/chunk.js";
import type { Segments } from "../../../src/base/socket.js";
import { handleRead, lastPiece } from "../../../src/base/turn.js";
import { type Backing, Message } from "../../../src/model/message.js";
import { Route } from "../../../src/model/route.js";
import { type FrameSink, FrameWriter } from "../../../src/transport/tcp/frame-writer.js";
import { decodeMessage } from "../../../src/wire/decode.js";
import { encodeMessage } from "../../../src/wire/encode.js";
import { lengthBytes } from "../../../src/wire/limits.js";

/** Takes writes at once or later, as the test says, and sees whether bytes change under it. */
class ScriptedSink implements FrameSink {
  readonly taken: Buffer[] = [];
  writes = 0;
  segments = 0;
  takesAtOnce: () => boolean = () => true;
  #pending: { readonly segments: readonly Buffer[]; readonly before: Buffer } | undefined;

  get isPending(): boolean {
    return this.#pending !== undefined;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.taken);
  }

  write(bytes: Buffer): boolean {
    return this.writeAll([bytes]);
  }

  writeAll(given: Segments): boolean {
    const segments = Array.from({ length: given.length }, (_, at) => given.at(at)!);
    assert.equal(this.#pending, undefined, "two writes at once");
    assert.ok(segments.every(({ byteLength }) => byteLength > 0));
    this.writes += 1;
    this.segments += segments.length;
    const before = Buffer.concat(segments);
    if (this.takesAtOnce()) {
      this.taken.push(before);
      return true;
    }
    this.#pending = { segments, before };
    return false;
  }

  /** The write that was not taken at once is finished now. */
  finish(): void {
    const pending = this.#pending!;
    this.#pending = undefined;
    const bytes = Buffer.concat(pending.segments);
    assert.ok(bytes.equals(pending.before), "bytes changed while they were being written");
    this.taken.push(bytes);
  }
}

/** Bytes that are overwritten as soon as nobody holds them. */
class FragileBacking implements Backing {
  readonly bytes: Buffer;
  holds = 1;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  hold(): void {
    assert.ok(this.holds > 0, "held after it was free");
    this.holds += 1;
  }

  release(): void {
    this.holds -= 1;
    assert.ok(this.holds >= 0, "released too often");
    if (this.holds === 0) this.bytes.fill(0xdd);
  }
}

const routes = { onward: Route.parse("a => b"), return: Route.parse("c") };

function messageOf(payload: Buffer, backing?: Backing, trace?: Buffer): Message {
  return Message.of({ ...routes, payload, backing, trace });
}

/** The last piece of a read brings a message. */
function putLast(writer: FrameWriter, message: Message): void {
  const read = (): void => {
    lastPiece();
    writer.put(message);
  };
  handleRead({ read }, 1);
}

/** Lets promises that are settled be seen. */
async function microtasks(): Promise<void> {
  for (let left = 5; left > 0; left -= 1) await null;
}

const anyMessage = fc.record({
  bytes: fc.oneof(
    { weight: 5, arbitrary: fc.integer({ min: 0, max: 400 }) },
    { weight: 3, arbitrary: fc.integer({ min: 1_000, max: 60_000 }) },
    { weight: 1, arbitrary: fc.constantFrom(16_384, 16_385, 131_072, 300_000) },
  ),
  isBacked: fc.boolean(),
  traceBytes: fc.constantFrom(undefined, 0, 2, 4_096),
  /** The last piece of a read brings it. */
  isLast: fc.boolean(),
  /** What happens after it: nothing, the turn of the loop ends, the write that is under way is finished. */
  next: fc.constantFrom("nothing", "nothing", "nothing", "turn", "finish"),
});

test("what is put comes out in order, untouched while written, and everything is let go of once", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyMessage, { maxLength: 60 }),
      fc.array(fc.boolean(), { minLength: 1, maxLength: 8 }),
      fc.boolean(),
      async (script, answers, closesEarly) => {
        const sink = new ScriptedSink();
        let asked = 0;
        sink.takesAtOnce = () => answers[asked++ % answers.length]!;
        let emptied = 0;
        const writer = new FrameWriter(sink, () => (emptied += 1));
        const backings: FragileBacking[] = [];
        const expected: Buffer[] = [];
        let queuedBytes = 0;
        for (const [at, { bytes, isBacked, traceBytes, isLast, next }] of script.entries()) {
          const payload = Buffer.alloc(bytes, at + 1);
          const trace = traceBytes === undefined ? undefined : Buffer.alloc(traceBytes, 0x20);
          const backing = isBacked ? new FragileBacking(payload) : undefined;
          const message = messageOf(payload, backing, trace);
          const frame = encodeMessage(message);
          expected.push(frame);
          if (isLast) putLast(writer, message);
          else writer.put(message);
          queuedBytes += frame.byteLength;
          // The call that delivered it is over.
          if (backing === undefined) payload.fill(0xcc);
          else {
            backings.push(backing);
            backing.release();
          }
          if (next === "turn") await new Promise(setImmediate);
          if (next === "finish" && sink.isPending) {
            sink.finish();
            writer.written();
          }
          const taken = sink.taken.reduce((sum, { byteLength }) => sum + byteLength, 0);
          assert.equal(writer.queuedBytes, queuedBytes - taken);
        }
        if (closesEarly) {
          const before = sink.bytes.byteLength;
          writer.close();
          const inFlight = sink.isPending;
          if (inFlight) sink.finish();
          writer.free();
          writer.put(messageOf(Buffer.from("late")));
          await new Promise(setImmediate);
          assert.ok(Buffer.concat(expected).subarray(0, sink.bytes.byteLength).equals(sink.bytes));
          assert.ok(inFlight || sink.bytes.byteLength === before);
        } else {
          await new Promise(setImmediate);
          for (; sink.isPending; await new Promise(setImmediate)) {
            sink.finish();
            writer.written();
          }
          assert.equal(writer.queuedBytes, 0);
          assert.ok(sink.bytes.equals(Buffer.concat(expected)));
          assert.equal(writer.offeredBytes, queuedBytes);
          assert.ok(script.length === 0 || emptied > 0);
        }
        assert.ok(backings.every(({ holds }) => holds === 0));
      },
    ),
    { numRuns: 200 },
  );
});

test("a write that is under way keeps its bytes after close, until free", async () => {
  const sink = new ScriptedSink();
  sink.takesAtOnce = () => false;
  const writer = new FrameWriter(sink, () => {});
  const [under, queued] = [1, 2].map((fill) => new FragileBacking(Buffer.alloc(20_000, fill)));
  writer.put(messageOf(Buffer.from("small")));
  writer.put(messageOf(under!.bytes, under));
  writer.flush();
  writer.put(messageOf(queued!.bytes, queued));
  under!.release();
  queued!.release();
  writer.close();
  assert.equal(queued!.holds, 0);
  assert.equal(under!.holds, 1);
  // Others use the pool meanwhile.
  const other = new FrameWriter(new ScriptedSink(), () => {});
  other.put(messageOf(Buffer.alloc(16_000, 9)));
  sink.finish();
  writer.free();
  writer.free();
  assert.equal(under!.holds, 0);
});

test("what waits behind a write is copied if it could keep much more than itself in memory", () => {
  const sink = new ScriptedSink();
  sink.takesAtOnce = () => false;
  const writer = new FrameWriter(sink, () => {});
  const [first, copied, kept] = [17_000, 40_000, 42_000].map(
    (bytes) => new FragileBacking(Buffer.alloc(bytes, 1)),
  );
  writer.put(messageOf(first!.bytes, first));
  writer.flush();
  writer.put(messageOf(copied!.bytes, copied));
  writer.put(messageOf(kept!.bytes, kept));
  assert.deepEqual([first!.holds, copied!.holds, kept!.holds], [2, 1, 2]);
});

test("what is put in one call leaves in one write when the call is over", async () => {
  const sink = new ScriptedSink();
  const writer = new FrameWriter(sink, () => {});
  for (let left = 100; left > 0; left -= 1) writer.put(messageOf(Buffer.from("hello")));
  assert.equal(sink.writes, 0);
  await microtasks();
  assert.equal(sink.writes, 1);
});

test("what the last piece of a read brings leaves at once, behind what waits and one write at a time", () => {
  const sink = new ScriptedSink();
  const writer = new FrameWriter(sink, () => {});
  const [one, two, three, four] = ["one", "two", "three", "four"].map((text) => messageOf(Buffer.from(text)));
  putLast(writer, one!);
  assert.equal(sink.writes, 1);
  writer.put(two!);
  sink.takesAtOnce = () => false;
  putLast(writer, three!);
  assert.equal(sink.writes, 2, "with what waited");
  putLast(writer, four!);
  assert.equal(sink.writes, 2, "a write is under way");
  sink.takesAtOnce = () => true;
  sink.finish();
  writer.written();
  assert.deepEqual(sink.bytes, Buffer.concat([one!, two!, three!, four!].map(encodeMessage)));
  assert.equal(writer.queuedBytes, 0);
});

test("a message that left at once and was not all taken stays as it is until it is", () => {
  const sinks = [1, 2, 3].map(() => new ScriptedSink());
  const messages = sinks.map((_, at) => messageOf(Buffer.alloc(100, at)));
  const writers = sinks.map((sink) => new FrameWriter(sink, () => {}));
  for (const [at, sink] of sinks.entries()) {
    sink.takesAtOnce = () => false;
    putLast(writers[at]!, messages[at]!);
    assert.equal(writers[at]!.queuedBytes, encodeMessage(messages[at]!).length);
  }
  for (const [at, sink] of sinks.entries()) {
    sink.finish();
    writers[at]!.written();
    assert.equal(writers[at]!.queuedBytes, 0);
    assert.deepEqual(sink.bytes, encodeMessage(messages[at]!));
  }
});

/** A writer, what it writes, and the time that it goes by. */
function createClocked() {
  const sink = new ScriptedSink();
  const clock = { nowMs: 0 };
  const writer = new FrameWriter(
    sink,
    () => {},
    () => clock.nowMs,
  );
  return { sink, writer, clock };
}

test("a lone message does not wait for the end of the turn", async () => {
  const { sink, writer, clock } = createClocked();
  for (let sent = 1; sent < 20; sent += 1) {
    clock.nowMs += 1;
    writer.put(messageOf(Buffer.from("hello")));
    await microtasks();
    assert.equal(sink.writes, sent);
    await new Promise(setImmediate);
  }
});

test("messages that come close leave in one write a turn, until they come alone", async () => {
  const { sink, writer, clock } = createClocked();
  const put = async (): Promise<void> => {
    writer.put(messageOf(Buffer.from("hello")));
    await microtasks();
  };
  await put();
  assert.equal(sink.writes, 1, "the first is alone");
  await put();
  assert.equal(sink.writes, 2, "the second tells that they come close");
  for (let left = 10; left > 0; left -= 1) await put();
  assert.equal(sink.writes, 2, "the others are gathered");
  await new Promise(setImmediate);
  assert.equal(sink.writes, 3);
  clock.nowMs += 1;
  await put();
  assert.equal(sink.writes, 3, "still gathering");
  await new Promise(setImmediate);
  assert.equal(sink.writes, 4);
  for (const writes of [5, 6]) {
    await put();
    assert.equal(sink.writes, writes, "a turn with one message has ended the gathering");
  }
  await put();
  assert.equal(sink.writes, 6, "two came close");
});

test("messages that come close but alone are gathered in vain ever less often, until several come", async () => {
  const { sink, writer, clock } = createClocked();
  /** How many of `count` messages, each in a turn of its own, waited for its end. */
  const waited = async (count: number): Promise<number> => {
    let late = 0;
    for (let left = count; left > 0; left -= 1) {
      const { writes } = sink;
      clock.nowMs += 0.05;
      writer.put(messageOf(Buffer.from("hello")));
      await microtasks();
      if (sink.writes === writes) late += 1;
      await new Promise(setImmediate);
    }
    return late;
  };
  const first = await waited(200);
  assert.ok(first > 3 && first < 10, `${first} of the first`);
  const next = await waited(650);
  assert.ok(next > 5 && next <= 11, `${next} of the next`);
  const pair = async (): Promise<void> => {
    for (const each of ["a", "b"]) {
      writer.put(messageOf(Buffer.from(each)));
      await microtasks();
    }
    await new Promise(setImmediate);
  };
  for (let left = 40; left > 0; left -= 1) await pair();
  const { writes } = sink;
  for (let left = 10; left > 0; left -= 1) await pair();
  assert.equal(sink.writes, writes + 10, "those that come by two are gathered");
});

test("what is gathered leaves at the end of the call once it is much, and what follows at the end of the turn", async () => {
  const { sink, writer } = createClocked();
  const expected: Buffer[] = [];
  const put = async (...bytes: readonly number[]): Promise<void> => {
    for (const size of bytes) {
      const message = messageOf(Buffer.alloc(size, expected.length));
      expected.push(encodeMessage(message));
      writer.put(message);
    }
    await microtasks();
  };
  await put(5);
  await put(5);
  assert.equal(sink.writes, 2, "they come close");
  await put(5);
  assert.equal(sink.writes, 2, "it gathers");
  await put(16_000, 16_000, 16_000, 16_000, 16_000);
  assert.equal(sink.writes, 3, "that is much");
  await put(5);
  await put(5);
  assert.equal(sink.writes, 3, "it gathers again");
  await new Promise(setImmediate);
  assert.equal(sink.writes, 4);
  assert.ok(sink.bytes.equals(Buffer.concat(expected)));
  // The same while the socket does not take what it is given.
  sink.takesAtOnce = () => false;
  await put(5, 16_000, 16_000, 16_000, 16_000, 16_000);
  await put(5);
  await put(16_000, 16_000, 16_000, 16_000, 16_000);
  await new Promise(setImmediate);
  assert.equal(sink.writes, 5);
  sink.takesAtOnce = () => true;
  sink.finish();
  writer.written();
  assert.equal(sink.writes, 6);
  assert.equal(writer.queuedBytes, 0);
  assert.ok(sink.bytes.equals(Buffer.concat(expected)));
});

test("a header that fits into no batch is written nevertheless", async () => {
  const sink = new ScriptedSink();
  const writer = new FrameWriter(sink, () => {});
  const long = Route.parse(Array.from({ length: 100 }, () => "x".repeat(200)).join("=>"));
  const huge = [long, long, long, long, long, long, long].reduce((all, route) => all.prependRoute(route));
  assert.ok(huge.byteLength > 128 * 1024);
  const messages = [Buffer.from("hello"), Buffer.alloc(20_000, 1)].map((payload) =>
    Message.of({ onward: huge, return: huge, payload }),
  );
  for (const message of messages) writer.put(message);
  await microtasks();
  assert.ok(sink.bytes.equals(Buffer.concat(messages.map(encodeMessage))));
});

test("a large message with room in front of its payload leaves as one piece, with its neighbours in memory", async () => {
  const sink = new ScriptedSink();
  const writer = new FrameWriter(sink, () => {});
  const route = Route.parse("0123456789abcdef0123456789abcdef => hop");
  const payload = Buffer.alloc(20_000, 7);
  const arrived = [1, 2, 3].map((fill) =>
    encodeMessage(Message.of({ onward: route, return: route, payload: payload.fill(fill) })),
  );
  const chunk = new Chunk(arrived.reduce((sum, frame) => sum + frame.byteLength, 0));
  Buffer.concat(arrived).copy(chunk.bytes);
  const expected: Buffer[] = [];
  let at = 0;
  for (const frame of arrived) {
    const message = decodeMessage(chunk.bytes, at + lengthBytes, at + frame.byteLength, chunk);
    // The next hop: as long as the one before, so that the frames keep their size.
    const onward = Route.parse("fedcba9876543210fedcba9876543210 => hop");
    const passed = message.withRoutes(onward, message.return);
    expected.push(encodeMessage(passed));
    writer.put(passed);
    at += frame.byteLength;
  }
  writer.put(messageOf(Buffer.from("small")));
  expected.push(encodeMessage(messageOf(Buffer.from("small"))));
  await microtasks();
  assert.ok(sink.bytes.equals(Buffer.concat(expected)));
  assert.equal(sink.segments, 2);
  assert.equal(chunk.isHeld, false);
});
