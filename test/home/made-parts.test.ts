import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { makeDirectory } from "../../src/home/made-parts.js";

describe("a directory", () => {
  let folder = "";
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "portway-made-"));
  });
  after(() => rmSync(folder, { recursive: true }));

  test("is made with those above it, open to this user alone; one that is there is not", () => {
    const path = join(folder, "a", "b", "c");
    assert.equal(makeDirectory(path), true);
    assert.equal(makeDirectory(path), false);
    for (const made of ["a", "a/b", "a/b/c"]) assert.equal(statSync(join(folder, made)).mode & 0o777, 0o700);
    symlinkSync(path, join(folder, "link"));
    assert.equal(makeDirectory(join(folder, "link")), false);
  });

  test("that is a file, or would be below one, is told", () => {
    const path = join(folder, "file");
    writeFileSync(path, "");
    assert.throws(() => makeDirectory(path), { code: "EEXIST" });
    assert.throws(() => makeDirectory(join(path, "a")), { code: "ENOTDIR" });
  });

  test("that a file system does not take is told, by the first one that is missing", {
    skip: process.platform !== "linux",
  }, () => {
    const module = new URL("../../src/home/made-parts.js", import.meta.url).href;
    const program = `import { makeDirectory } from "${module}";
      try { makeDirectory("/proc/portway/home") } catch ({ message }) { console.log(message) }`;
    const args = ["--input-type=module", "-e", program];
    // In a process of its own: what this is about did not end.
    const { stdout } = spawnSync(process.execPath, args, { encoding: "utf8", timeout: 15_000 });
    assert.equal(stdout, "ENOENT: no such file or directory, mkdir '/proc/portway'\n");
  });
});
