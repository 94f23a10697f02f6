import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { coresOf, OneCore } from "./one-core.js";

test("a process and what it starts share one core, and have theirs back", {
  skip: !OneCore.isPossible,
}, () => {
  const before = coresOf(process.pid);
  const started = [
    "-p",
    "/^Cpus_allowed_list:\\s+(.+)$/m.exec(fs.readFileSync('/proc/self/status', 'latin1'))[1]",
  ];
  const coresOfStarted = () => execFileSync(process.execPath, started, { encoding: "latin1" }).trim();
  {
    using _core = new OneCore([process.pid]);
    assert.match(coresOf(process.pid), /^\d+$/);
    assert.equal(coresOfStarted(), coresOf(process.pid));
  }
  assert.equal(coresOf(process.pid), before);
  assert.equal(coresOfStarted(), before);
});
