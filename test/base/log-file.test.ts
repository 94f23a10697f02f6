import assert from "node:assert/strict";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { LogFile, resolveLogFileOptions } from "../../src/base/log-file.js";

function directoryOf(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "portway-log-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

test("lines are in the file when write returns, with mode 0600, after what was there", (t) => {
  const path = join(directoryOf(t), "a.log");
  const file = new LogFile(path, resolveLogFileOptions());
  file.write("one\n");
  assert.equal(readFileSync(path, "utf8"), "one\n");
  assert.equal(statSync(path).mode & 0o777, 0o600);
  file.close();
  const again = new LogFile(path, resolveLogFileOptions());
  again.write("two\n");
  assert.equal(readFileSync(path, "utf8"), "one\ntwo\n");
  again.close();
});

test("a file that would grow beyond its limit is put aside, and only so many are kept", (t) => {
  const directory = directoryOf(t);
  const path = join(directory, "a.log");
  const file = new LogFile(path, { maxBytes: 10, kept: 2 });
  for (let number = 1; number <= 9; number += 1) file.write(`${number}234\n`);
  file.close();
  assert.deepEqual(readdirSync(directory).sort(), ["a.log", "a.log.1", "a.log.2"]);
  assert.equal(readFileSync(path, "utf8"), "9234\n");
  assert.equal(readFileSync(`${path}.1`, "utf8"), "7234\n8234\n");
  assert.equal(readFileSync(`${path}.2`, "utf8"), "5234\n6234\n");
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test("what was in the file before it was opened counts", (t) => {
  const path = join(directoryOf(t), "a.log");
  writeFileSync(path, "12345678\n");
  const file = new LogFile(path, { maxBytes: 10, kept: 1 });
  file.write("x\n");
  file.close();
  assert.equal(readFileSync(path, "utf8"), "x\n");
});

test("a line that is longer than a file may be has one of its own", (t) => {
  const path = join(directoryOf(t), "a.log");
  const file = new LogFile(path, { maxBytes: 4, kept: 1 });
  for (const line of ["1234567\n", "89\n"]) file.write(line);
  file.close();
  assert.equal(readFileSync(path, "utf8"), "89\n");
  assert.equal(readFileSync(`${path}.1`, "utf8"), "1234567\n");
});

test("a line that can't be written is counted, and told of when writing works again", (t) => {
  const directory = join(directoryOf(t), "later", "logs");
  const path = join(directory, "a.log");
  const file = new LogFile(path, resolveLogFileOptions());
  file.write("one\n");
  file.write("two\n");
  mkdirSync(directory, { recursive: true });
  file.write("three\n");
  file.write("four\n");
  file.close();
  const [told, ...written] = readFileSync(path, "utf8").split("\n");
  const { event, lines, error } = JSON.parse(told!);
  assert.deepEqual([event, lines], ["log.lost", 2]);
  assert.match(error, /ENOENT/);
  assert.deepEqual(written, ["three", "four", ""]);
});

test("a file that was removed is made again, and its directory as well", (t) => {
  const directory = join(directoryOf(t), "logs");
  const path = join(directory, "a.log");
  const file = new LogFile(path, resolveLogFileOptions());
  file.write("one\n");
  rmSync(path);
  file.write("two\n");
  assert.equal(readFileSync(path, "utf8"), "two\n");
  rmSync(directory, { recursive: true });
  file.write("three\n");
  file.close();
  assert.equal(readFileSync(path, "utf8"), "three\n");
  assert.equal(statSync(directory).mode & 0o777, 0o700);
});

test("a symbolic link in place of a log is not followed", (t) => {
  const directory = directoryOf(t);
  const target = join(directory, "target");
  writeFileSync(target, "mine");
  symlinkSync(target, join(directory, "a.log"));
  const file = new LogFile(join(directory, "a.log"), resolveLogFileOptions());
  file.write("one\n");
  assert.equal(readFileSync(target, "utf8"), "mine");
});
