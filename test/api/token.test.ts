import assert from "node:assert/strict";
import {
  chmodSync,
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
import { openTokens, readToken } from "../../src/api/token.js";

function tokenPath(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "portway-token-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, "token");
}

test("a token has 256 bits, is its owner's alone, and stays the same", async (t) => {
  const path = tokenPath(t);
  const mask = process.umask(0);
  const tokens = await openTokens(path);
  process.umask(mask);
  assert.match(readFileSync(path, "utf8"), /^[0-9a-f]{64}\n$/);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(join(path, "..")), ["token"]);
  const token = (await readToken(path))!;
  assert.ok(tokens.matches(token));
  assert.ok((await openTokens(path)).matches(token));
});

test("only the whole token matches", async (t) => {
  const path = tokenPath(t);
  const tokens = await openTokens(path);
  const token = (await readToken(path))!;
  for (const wrong of [
    "",
    token.slice(1),
    `${token}0`,
    token.toUpperCase().replace(/[0-9]/g, "A"),
    "é",
    "0".repeat(64),
  ]) {
    assert.equal(tokens.matches(wrong), false, wrong);
  }
});

test("after a rotation the new token matches and the old one does not", async (t) => {
  const path = tokenPath(t);
  const tokens = await openTokens(path);
  const old = (await readToken(path))!;
  await Promise.all([tokens.rotate(), tokens.rotate(), tokens.rotate()]);
  const token = (await readToken(path))!;
  assert.ok(tokens.matches(token));
  assert.ok(!tokens.matches(old));
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(join(path, "..")), ["token"]);
});

test("a new token matches as soon as it is in the file", async (t) => {
  const path = tokenPath(t);
  const tokens = await openTokens(path);
  const inFile = (): string => readFileSync(path, "utf8").trim();
  const old = inFile();
  const rotating = tokens.rotate();
  while (inFile() === old) await new Promise(setImmediate);
  assert.ok(tokens.matches(inFile()));
  await rotating;
  assert.deepEqual([tokens.matches(old), tokens.matches(inFile())], [false, true]);
});

test("a rotation that can't write the file says so, and the old token stays", async (t) => {
  const path = tokenPath(t);
  const tokens = await openTokens(path);
  const old = (await readToken(path))!;
  rmSync(path);
  mkdirSync(join(path, "in the way"), { recursive: true });
  await assert.rejects(tokens.rotate(), {
    code: "internal",
    message: /^the token file .*token can't be written: /,
  });
  assert.ok(tokens.matches(old));
  assert.deepEqual(readdirSync(join(path, "..")), ["token"]);
});

test("a token file that others can get at, or a symbolic link, is refused", async (t) => {
  const path = tokenPath(t);
  await openTokens(path);
  for (const mode of [0o640, 0o604, 0o620, 0o666]) {
    chmodSync(path, mode);
    await assert.rejects(openTokens(path), { code: "insecure", message: /mode/ }, mode.toString(8));
  }
  chmodSync(path, 0o600);
  symlinkSync(path, `${path}2`);
  await assert.rejects(openTokens(`${path}2`), { code: "insecure", message: /symbolic link/ });
});

test("a file that holds no token is refused and left alone", async (t) => {
  const path = tokenPath(t);
  for (const content of [
    "",
    "short\n",
    "g".repeat(64),
    `${"a".repeat(64)}b`,
    `${"a".repeat(64)}\n${"a".repeat(64)}`,
  ]) {
    writeFileSync(path, content, { mode: 0o600 });
    await assert.rejects(openTokens(path), { code: "malformed", message: /expected 64 hex digits/ });
    assert.equal(readFileSync(path, "utf8"), content);
  }
});

test("no file is no token", async (t) => {
  assert.equal(await readToken(tokenPath(t)), undefined);
});
