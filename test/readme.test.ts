import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { projectRoot } from "./support/project-root.js";

test("the programs in the README are ones for the Node.js that runs this", () => {
  const readme = readFileSync(join(projectRoot, "README.md"), "utf8");
  const programs = [...readme.matchAll(/^```js\n(.*?)^```$/gms)].map(([, program]) => program!);
  assert.ok(programs.length > 0);
  const folder = mkdtempSync(join(tmpdir(), "portway-readme-"));
  try {
    for (const program of programs) {
      const path = join(folder, "program.mjs");
      writeFileSync(path, program);
      const { status, stderr } = spawnSync(process.execPath, ["--check", path], { encoding: "utf8" });
      assert.equal(status, 0, stderr);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
