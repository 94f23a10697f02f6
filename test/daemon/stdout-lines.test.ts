import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { test } from "node:test";
import { StdoutLines } from "../../src/daemon/stdout-lines.js";

/** Takes chunks only when it is told to. */
class Reader extends Writable {
  readonly taken: string[] = [];
  #take: (() => void) | undefined;

  constructor() {
    super({ decodeStrings: false });
  }

  override _write(chunk: string, _encoding: string, done: () => void): void {
    this.taken.push(chunk);
    this.#take = done;
  }

  /** Takes all that waits. */
  async drain(): Promise<void> {
    while (this.#take !== undefined) {
      const take = this.#take;
      this.#take = undefined;
      take();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

const linesTo = (stream: Writable): StdoutLines => new StdoutLines(stream as NodeJS.WriteStream);

test("what a slow reader does not take is bounded, and told of when it reads again", async () => {
  const reader = new Reader();
  const lines = linesTo(reader);
  const line = `${"x".repeat(65_535)}\n`;
  for (let count = 0; count < 40; count += 1) lines.write(line);
  assert.equal(reader.writableLength, 16 * 65_536);
  await reader.drain();
  lines.write("after\n");
  await reader.drain();
  assert.equal(reader.taken.filter((chunk) => chunk === line).length, 16);
  const { event, lines: lost } = JSON.parse(reader.taken.at(-2)!);
  assert.deepEqual([event, lost], ["log.lost", 24]);
  assert.equal(reader.taken.at(-1), "after\n");
});

test("a flush waits for the reader, but not for ever", async () => {
  const reader = new Reader();
  const lines = linesTo(reader);
  await lines.flush(60_000);
  lines.write("a\n");
  await lines.flush(5);
  const flushed = lines.flush(60_000);
  await reader.drain();
  await flushed;
});

test("a reader that is gone is no failure", async () => {
  const reader = new Reader();
  const lines = linesTo(reader);
  const failed = new Promise((resolve) => reader.once("close", resolve));
  reader.destroy(new Error("EPIPE"));
  await failed;
  lines.write("a\n");
  await lines.flush(60_000);
  assert.deepEqual(reader.taken, []);
});
