import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { type Deleted, deleteHomeFiles } from "../../src/cli/home-files.js";
import { type Home, homeAt } from "../../src/home/home.js";
import { noteMade } from "../../src/home/made-parts.js";

/** A user to whom modes apply. */
const nobody = 65_534;
const isRoot = process.geteuid?.() === 0;

let directory = "";
let home: Home;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "pw-home-"));
  home = homeAt(join(directory, "home"));
  mkdirSync(home.runDirectory, { recursive: true });
  writeFileSync(home.tokenPath, "");
  noteMade(home, ["home", "run", "token"]);
  if (isRoot)
    for (const path of [home.path, home.runDirectory, home.madePath, home.tokenPath])
      chownSync(path, nobody, nobody);
});
afterEach(() => {
  chmodSync(directory, 0o700);
  rmSync(directory, { recursive: true });
});

test("a home that can't be removed stays, empty", () => {
  chmodSync(directory, 0o555);
  const { deleted, kept } = deletedByUser();
  assert.deepEqual(readdirSync(home.path), []);
  assert.deepEqual(deleted, [home.tokenPath, home.madePath, home.runDirectory]);
  assert.deepEqual(kept, [home.path]);
});

test("what can't be deleted is an error that says so, and the note stays for the next time", () => {
  chmodSync(directory, 0o755);
  chmodSync(home.path, 0o555);
  assert.throws(deletedByUser, {
    code: "internal",
    message: /^not all of .*home can be deleted: EACCES.*token/,
  });
  assert.ok(existsSync(home.madePath));
});

test("a home that is a file is refused", () => {
  const file = homeAt(join(directory, "file"));
  writeFileSync(file.path, "");
  assert.throws(() => deleteHomeFiles(file), { code: "bad_argument", message: /file is not a directory$/ });
  assert.throws(() => deleteHomeFiles(homeAt(join(file.path, "below"))), { code: "internal" });
  assert.ok(existsSync(file.path));
});

function deletedByUser(): Deleted {
  if (isRoot) process.seteuid?.(nobody);
  try {
    return deleteHomeFiles(home);
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
}
