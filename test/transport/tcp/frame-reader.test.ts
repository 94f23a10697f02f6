import assert from "node:assert/strict";
import { test } from "node:test";
import type { Chunk } from "../../../src/base/chunk.js";
import { afterRead, handleRead } from "../../../src/base/turn.js";
import {
  FrameReader,
  type FrameReaderFault,
  ReceiveBudget,
} from "../../../src/transport/tcp/frame-reader.js";

const KiB = 1024;
const MiB = 1024 * KiB;
const maxFrameBytes = 16 * MiB;

/** A frame's length and as much of its bytes as there are. */
function frameOf(announced: number, bytes = announced, fill = 1): Buffer {
  const frame = Buffer.alloc(4 + bytes, fill);
  frame.writeUInt32BE(announced);
  return frame;
}

interface Frame {
  readonly chunk: Chunk;
  readonly start: number;
  readonly end: number;
}

function makeReader(budget = new ReceiveBudget(64 * MiB), take: (frame: Frame) => boolean = () => true) {
  const frames: Frame[] = [];
  const reader = new FrameReader({
    maxFrameBytes,
    budget,
    user: {
      frame(chunk, start, end) {
        const frame = { chunk, start, end };
        if (!take(frame)) return false;
        frames.push(frame);
        return true;
      },
    },
  });
  return { reader, frames, budget };
}

/** Puts bytes into the reader as a socket would: as many as there is room for, then a cut. */
function feed(
  reader: FrameReader,
  bytes: Buffer,
  pieceBytes = bytes.byteLength,
): FrameReaderFault | undefined {
  for (let at = 0; at < bytes.byteLength; ) {
    const fault = reader.makeRoom();
    if (fault !== undefined) return fault;
    const { room } = reader;
    assert.ok(room.byteLength > 0, "there is no room for the next read");
    const size = Math.min(room.byteLength, pieceBytes, bytes.byteLength - at);
    bytes.copy(room, 0, at, at + size);
    at += size;
    reader.filled(size);
    const cut = reader.cut();
    if (cut !== undefined) return cut;
  }
  return reader.makeRoom();
}

test("what the last whole frame of a read puts off is done before its handling ends", () => {
  const done: string[] = [];
  const { reader } = makeReader(undefined, ({ start, end }) => {
    const name = `${end - start}`;
    afterRead({ catchUp: () => done.push(name) });
    done.push(`handled ${name}`);
    return true;
  });
  const read = (...frames: readonly Buffer[]): void => {
    const bytes = Buffer.concat(frames);
    handleRead({ read: () => void feed(reader, bytes) }, bytes.byteLength);
  };
  read(frameOf(1), frameOf(2));
  assert.deepEqual(done.splice(0), ["handled 1", "2", "handled 2", "1"]);
  read(frameOf(3), frameOf(5, 1));
  assert.deepEqual(done.splice(0), ["handled 3", "3"], "a begun frame may be followed by more");
});

test("a frame of no bytes is a frame", () => {
  const { reader, frames } = makeReader();
  assert.equal(feed(reader, Buffer.concat([frameOf(0), frameOf(3), frameOf(0)])), undefined);
  assert.deepEqual(
    frames.map(({ start, end }) => end - start),
    [0, 3, 0],
  );
});

test("a frame above the limit is refused when its length is complete, before a byte of it", () => {
  for (const announced of [maxFrameBytes + 1, 0x7fff_ffff, 0xffff_ffff]) {
    const { reader, budget } = makeReader();
    const bytes = frameOf(announced, 0);
    assert.equal(feed(reader, bytes.subarray(0, 3)), undefined);
    assert.equal(feed(reader, bytes.subarray(3)), "frame_too_large");
    assert.equal(budget.leftBytes, 64 * MiB);
  }
});

test("frames in front of a refused one are handed on", () => {
  const { reader, frames } = makeReader();
  assert.equal(
    feed(reader, Buffer.concat([frameOf(5), frameOf(6), frameOf(maxFrameBytes + 1, 0)])),
    "frame_too_large",
  );
  assert.equal(frames.length, 2);
});

test("a length alone buys no memory: the room of a large frame grows with its bytes", () => {
  const { reader, budget } = makeReader();
  const frame = frameOf(maxFrameBytes);
  for (let at = 0; at < frame.byteLength; ) {
    const size = Math.min(reader.room.byteLength, 50_000, frame.byteLength - at);
    assert.equal(feed(reader, frame.subarray(at, at + size)), undefined);
    at += size;
    if (at === frame.byteLength) break;
    const taken = 64 * MiB - budget.leftBytes;
    assert.ok(taken <= 2 * at, `${taken} bytes for ${at}`);
  }
  assert.equal(budget.leftBytes, 64 * MiB, "the large room was not given back");
});

test("a large frame beyond the budget of all connections is a fault, and the rest of the budget stays", () => {
  const budget = new ReceiveBudget(3 * MiB);
  const one = makeReader(budget).reader;
  const other = makeReader(budget).reader;
  assert.equal(feed(one, frameOf(16 * MiB, 1 * MiB), 100_000), undefined);
  const taken = 3 * MiB - budget.leftBytes;
  assert.ok(taken >= MiB);
  assert.equal(feed(other, frameOf(16 * MiB, 4 * MiB), 100_000), "receive_budget_exhausted");
  other.close();
  assert.equal(3 * MiB - budget.leftBytes, taken);
  one.close();
  assert.equal(budget.leftBytes, 3 * MiB);
});

test("large frames that stand still are given up for one that needs their room, the oldest first", () => {
  let nowMs = 0;
  const budget = new ReceiveBudget(8 * MiB, () => nowMs);
  const closed: number[] = [];
  const begin = (id: number, bytes = MiB): FrameReaderFault | undefined => {
    const outOfRoom = (): void => {
      closed.push(id);
      reader.close();
    };
    const reader = new FrameReader({ maxFrameBytes, budget, user: { frame: () => true, outOfRoom } });
    const fault = feed(reader, frameOf(maxFrameBytes, bytes), 100_000);
    if (fault !== undefined) reader.close();
    return fault;
  };
  for (const id of [0, 1, 2]) {
    assert.equal(begin(id), undefined);
    nowMs += 1_000;
  }
  nowMs = 9_999;
  assert.equal(begin(3, 5 * MiB), "receive_budget_exhausted");
  assert.deepEqual(closed, []);
  nowMs = 11_500;
  assert.equal(begin(4), undefined);
  assert.deepEqual(closed, [0]);
  assert.equal(begin(5, 5 * MiB), "receive_budget_exhausted");
  assert.deepEqual(closed, [0, 1], "those that have come on lately stay");
});

test("a large frame that was read whole is not given up, however long it is held", () => {
  let nowMs = 0;
  const budget = new ReceiveBudget(8 * MiB, () => nowMs);
  let lost = 0;
  const user = {
    frame(chunk: Chunk): boolean {
      chunk.hold();
      return true;
    },
    outOfRoom(): void {
      lost += 1;
    },
  };
  const reader = new FrameReader({ maxFrameBytes, budget, user });
  assert.equal(feed(reader, frameOf(4 * MiB - 100)), undefined);
  reader.makeRoom();
  nowMs = 60_000;
  assert.equal(feed(makeReader(budget).reader, frameOf(maxFrameBytes, 6 * MiB)), "receive_budget_exhausted");
  assert.equal(lost, 0);
});

test("a large frame that is held counts until it is released, also after the reader has closed", () => {
  const { reader, frames, budget } = makeReader(undefined, ({ chunk }) => {
    chunk.hold();
    return true;
  });
  feed(reader, frameOf(MiB));
  const { chunk } = frames[0]!;
  const counted = chunk.bytes.byteLength;
  assert.ok(counted > MiB && counted <= 2 * MiB, `${counted} bytes for 1 MiB`);
  assert.equal(64 * MiB - budget.leftBytes, counted);
  reader.close();
  assert.equal(64 * MiB - budget.leftBytes, counted);
  chunk.release();
  assert.equal(budget.leftBytes, 64 * MiB);
});

test("a large frame ends its chunk: what follows it does not keep the large room", () => {
  const { reader, frames, budget } = makeReader();
  feed(
    reader,
    Buffer.concat([frameOf(300_000, 300_000, 1), frameOf(10, 10, 2), frameOf(140_000, 140_000, 3)]),
  );
  assert.deepEqual(
    frames.map(({ start, end }) => end - start),
    [300_000, 10, 140_000],
  );
  assert.notEqual(frames[0]!.chunk, frames[1]!.chunk);
  assert.equal(budget.leftBytes, 64 * MiB);
});

test("a frame that was not taken stops the reader and is offered again first", () => {
  const offered: number[] = [];
  let shut = true;
  const { reader } = makeReader(undefined, ({ chunk, start }) => {
    offered.push(chunk.bytes[start]!);
    return !(shut && chunk.bytes[start] === 2);
  });
  feed(reader, Buffer.concat([1, 2, 3].map((fill) => frameOf(10, 10, fill))));
  assert.deepEqual(offered, [1, 2]);
  assert.equal(reader.isWaiting, true);
  reader.again();
  assert.deepEqual(offered, [1, 2, 2]);
  assert.equal(reader.isWaiting, true);
  shut = false;
  reader.again();
  assert.deepEqual(offered, [1, 2, 2, 2, 3]);
  assert.equal(reader.isWaiting, false);
});

test("a reader that is closed while it hands on a frame hands on no other", () => {
  for (const whileWaiting of [false, true]) {
    let shut = whileWaiting;
    const { reader, frames } = makeReader(undefined, () => {
      if (shut) return false;
      reader.close();
      return true;
    });
    feed(reader, Buffer.concat([frameOf(10), frameOf(10)]));
    shut = false;
    reader.again();
    assert.equal(frames.length, 1);
    assert.equal(reader.isWaiting, false);
    reader.again();
    assert.equal(frames.length, 1);
  }
});

test("a frame that is held after the reader was closed under it is not overwritten by the next reader", () => {
  for (const whileWaiting of [false, true]) {
    let shut = whileWaiting;
    const { reader, frames } = makeReader(undefined, ({ chunk }) => {
      if (shut) return false;
      reader.close();
      chunk.hold();
      return true;
    });
    feed(reader, frameOf(1_000, 1_000, 7));
    shut = false;
    reader.again();
    const others = Array.from({ length: 20 }, () => makeReader().reader);
    for (const other of others) other.room.fill(0xee);
    const { chunk, start, end } = frames[0]!;
    assert.ok(chunk.bytes.subarray(start, end).equals(Buffer.alloc(1_000, 7)));
    chunk.release();
    for (const other of others) other.close();
  }
});

test("the bytes that are moved grow with the bytes that come, in the smallest pieces and the worst places", (t) => {
  let moved = 0;
  const { copy } = Buffer.prototype;
  const { copyWithin } = Uint8Array.prototype;
  t.after(() => {
    Buffer.prototype.copy = copy;
    Uint8Array.prototype.copyWithin = copyWithin;
  });
  // Not a mock of the test runner: that would remember each of a million calls.
  Buffer.prototype.copy = function (this: Buffer, ...args: Parameters<Buffer["copy"]>) {
    const size = copy.apply(this, args);
    moved += size;
    return size;
  };
  Uint8Array.prototype.copyWithin = function (to, from, end) {
    moved += (end ?? this.byteLength) - from;
    return copyWithin.call(this, to, from, end) as typeof this;
  };
  const streams = {
    "one frame of the size of a chunk": [frameOf(130_962)],
    "a small frame and then one of nearly a chunk": [frameOf(40_000), frameOf(130_000)],
    "frames of 100 KB": Array.from({ length: 4 }, () => frameOf(100_000)),
    "a frame of 1 MB": [frameOf(10), frameOf(1_000_000)],
    "small frames": Array.from({ length: 4_000 }, () => frameOf(60)),
  };
  for (const [name, frames] of Object.entries(streams)) {
    for (const holds of [false, true]) {
      for (const pieceBytes of [1, 3, 1_000, 48_000]) {
        const bytes = Buffer.concat(frames);
        const { reader } = makeReader(undefined, ({ chunk }) => {
          if (holds) chunk.hold();
          return true;
        });
        moved = 0;
        feed(reader, bytes, pieceBytes);
        // What the test itself copies in counts once; growing by doubling costs at most twice.
        const most = 4 * bytes.byteLength;
        assert.ok(
          moved <= most,
          `${name}, pieces of ${pieceBytes}: ${moved} bytes moved for ${bytes.byteLength}`,
        );
        reader.close();
      }
    }
  }
});
