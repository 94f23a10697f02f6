import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Chunk } from "../../../src/base/chunk.js";
import { FrameReader, ReceiveBudget } from "../../../src/transport/tcp/frame-reader.js";

const budgetBytes = 8 * 1024 * 1024;

/** Sizes of every kind: tiny, usual, about a chunk, beyond a chunk. */
const frameBytes = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 300 }) },
  { weight: 4, arbitrary: fc.integer({ min: 300, max: 60_000 }) },
  { weight: 2, arbitrary: fc.integer({ min: 130_900, max: 131_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 131_000, max: 500_000 }) },
);

const pieceBytes = fc.oneof(
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 5 }) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 3_000 }) },
  { weight: 3, arbitrary: fc.integer({ min: 10_000, max: 140_000 }) },
);

/** A list that is begun again at its end. */
function cycle<T>(values: readonly T[]): () => T {
  let at = 0;
  return () => values[at++ % values.length]!;
}

interface Held {
  readonly chunk: Chunk;
  readonly start: number;
  readonly bytes: Buffer;
}

test("every cut of every stream gives the same frames, refused or not, and never touches a held byte", () => {
  fc.assert(
    fc.property(
      fc.record({
        sizes: fc.array(frameBytes, { minLength: 1, maxLength: 30 }),
        pieces: fc.array(pieceBytes, { minLength: 1, maxLength: 8 }),
        takes: fc.array(fc.boolean(), { minLength: 1, maxLength: 12 }),
        holds: fc.array(fc.boolean(), { minLength: 1, maxLength: 12 }),
        releaseAfter: fc.integer({ min: 0, max: 8 }),
        closes: fc.boolean(),
      }),
      ({ sizes, pieces, takes, holds, releaseAfter, closes }) => {
        const frames = sizes.map((size, at) => Buffer.alloc(size, at + 1));
        const stream = Buffer.concat(
          frames.flatMap((frame) => {
            const length = Buffer.alloc(4);
            length.writeUInt32BE(frame.byteLength);
            return [length, frame];
          }),
        );
        const budget = new ReceiveBudget(budgetBytes);
        // A list that never takes would never end.
        const takesNow = cycle([...takes, true]);
        const holdsNow = cycle(holds);
        const pieceNow = cycle(pieces);
        const held: Held[] = [];
        const release = (down: number): void => {
          while (held.length > down) {
            const { chunk, start, bytes } = held.shift()!;
            assert.ok(
              chunk.bytes.subarray(start, start + bytes.byteLength).equals(bytes),
              "held bytes changed",
            );
            chunk.release();
          }
        };
        let taken = 0;
        const reader = new FrameReader({
          maxFrameBytes: 1024 * 1024,
          budget,
          user: {
            frame(chunk, start, end) {
              const expected = frames[taken]!;
              assert.ok(chunk.bytes.subarray(start, end).equals(expected), `frame ${taken} is another`);
              if (!takesNow()) return false;
              if (holdsNow()) {
                chunk.hold();
                held.push({ chunk, start, bytes: expected });
              }
              taken += 1;
              return true;
            },
          },
        });
        for (let at = 0; at < stream.byteLength; ) {
          assert.equal(reader.makeRoom(), undefined);
          const { room } = reader;
          assert.ok(room.byteLength > 0);
          const size = Math.min(room.byteLength, pieceNow(), stream.byteLength - at);
          // Whatever may be overwritten is.
          room.fill(0xee, 0, Math.min(room.byteLength, size + 5_000));
          room.set(stream.subarray(at, at + size));
          reader.filled(size);
          at += size;
          assert.equal(reader.cut(), undefined);
          while (reader.isWaiting) reader.again();
          release(releaseAfter);
        }
        assert.equal(taken, frames.length);
        if (closes) reader.close();
        release(0);
        reader.close();
        assert.equal(budget.leftBytes, budgetBytes);
      },
    ),
    { numRuns: 150 },
  );
});
