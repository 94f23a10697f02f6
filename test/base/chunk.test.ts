import assert from "node:assert/strict";
import { test } from "node:test";
import { Chunk, ChunkPool } from "../../src/base/chunk.js";

test("a chunk is held until each who holds it has released it", () => {
  const chunk = new Chunk(10);
  assert.equal(chunk.isHeld, false);
  chunk.hold();
  chunk.hold();
  chunk.release();
  assert.equal(chunk.isHeld, true);
  chunk.release();
  assert.equal(chunk.isHeld, false);
});

test("a pool takes a chunk back only when nobody holds it", () => {
  const pool = new ChunkPool(10, 2);
  const chunk = pool.take();
  chunk.hold();
  pool.giveBack(chunk);
  assert.notEqual(pool.take(), chunk);
  chunk.release();
  assert.equal(pool.take(), chunk);
  // It is in use again: releasing what it was held for now does not bring it back.
  chunk.hold();
  chunk.release();
  assert.notEqual(pool.take(), chunk);
});

test("a pool keeps no more than it may, and none of another size", () => {
  const pool = new ChunkPool(10, 1);
  const [one, other, larger] = [pool.take(), pool.take(), new Chunk(20)];
  pool.giveBack(larger);
  pool.giveBack(one);
  pool.giveBack(other);
  assert.equal(pool.take(), one);
  const fresh = pool.take();
  assert.ok(fresh !== other && fresh !== larger);
  assert.equal(fresh.bytes.byteLength, 10);
});

test("a pool counts its chunks that are in use, also by those who hold them", () => {
  const pool = new ChunkPool(100, 1);
  const chunks = [pool.take(), pool.take()];
  assert.equal(pool.taken, 2);
  chunks[0]!.hold();
  for (const chunk of chunks) pool.giveBack(chunk);
  assert.equal(pool.taken, 1);
  chunks[0]!.release();
  assert.equal(pool.taken, 0);
  pool.giveBack(new Chunk(200));
  assert.equal(pool.taken, 0);
});

test("chunks share no memory with each other", () => {
  const pool = new ChunkPool(100, 4);
  assert.notEqual(pool.take().bytes.buffer, pool.take().bytes.buffer);
});

test("whoever asks for a chunk to be free is called once: at once, or at the last release", () => {
  const chunk = new Chunk(10);
  const freed: Chunk[] = [];
  chunk.freed((each) => freed.push(each));
  assert.deepEqual(freed, [chunk]);
  chunk.hold();
  chunk.hold();
  chunk.freed((each) => freed.push(each));
  chunk.release();
  assert.equal(freed.length, 1);
  chunk.release();
  assert.equal(freed.length, 2);
  chunk.hold();
  chunk.release();
  assert.equal(freed.length, 2);
});

test("a chunk from the pool does not know what was in front of its bytes before", () => {
  const pool = new ChunkPool(10, 1);
  const chunk = pool.take();
  chunk.headStart = 5;
  pool.giveBack(chunk);
  assert.equal(pool.take(), chunk);
  assert.equal(chunk.headStart, undefined);
});

test("a chunk shows the same bytes by words", () => {
  const chunk = new Chunk(10);
  chunk.words.setUint32(6, 0x01020304);
  assert.deepEqual([...chunk.bytes.subarray(6)], [1, 2, 3, 4]);
});
