import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { projectRoot } from "../support/project-root.js";
import { daemonsOf, hasProc, isAlive } from "./support/processes.js";
import { until } from "./support/until.js";

test("an interrupted tour leaves no process and no file, and says that it was interrupted", {
  skip: !hasProc,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), "tour-"));
  try {
    const tour = spawn(process.execPath, [join(projectRoot, "scripts/tour.mjs")], {
      env: { ...process.env, TMPDIR: folder },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const closed = new Promise<number | null>((resolve) => tour.on("close", resolve));
    let out = "";
    tour.stdout.on("data", (data) => {
      out += data;
    });
    let err = "";
    tour.stderr.on("data", (data) => {
      err += data;
    });
    // So that one line is done, and another one runs.
    await until("the tour has made a node", () => out.includes("$ portway node create n2"));
    const [own = ""] = readdirSync(folder);
    const daemons = daemonsOf(join(folder, own, "home"));
    assert.equal(daemons.length, 1);
    tour.kill("SIGTERM");
    assert.equal(await closed, 143);
    assert.match(err, /interrupted by SIGTERM/);
    assert.doesNotMatch(out, /✗/);
    assert.deepEqual(daemons.filter(isAlive), []);
    assert.deepEqual(readdirSync(folder), []);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
