import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { coresOf, Placed } from "./placement.js";

test("a process and what it starts share one core, and have theirs back", {
  skip: !Placed.isPossible("one core"),
}, () => {
  const before = coresOf(process.pid);
  const started = [
    "-p",
    "/^Cpus_allowed_list:\\s+(.+)$/m.exec(fs.readFileSync('/proc/self/status', 'latin1'))[1]",
  ];
  const coresOfStarted = () => execFileSync(process.execPath, started, { encoding: "latin1" }).trim();
  {
    using _placed = new Placed([[process.pid]], "one core");
    assert.deepEqual(coresOf(process.pid), before.slice(-1));
    assert.equal(coresOfStarted(), String(before.at(-1)));
  }
  assert.deepEqual(coresOf(process.pid), before);
});

test("neighbours on a path are on two cores", { skip: !Placed.isPossible("alternating") }, async (t) => {
  const pids: number[] = [];
  for (let count = 0; count < 3; count += 1) {
    const child = spawn("sleep", ["60"]);
    t.after(() => child.kill());
    await once(child, "spawn");
    pids.push(child.pid!);
  }
  const [first, second] = coresOf(process.pid).reverse();
  const [a, b, c] = pids as [number, number, number];
  using _placed = new Placed(
    [
      [process.pid, a, b],
      [process.pid, c],
    ],
    "alternating",
  );
  assert.deepEqual([process.pid, ...pids].map(coresOf), [[first], [second], [first], [second]]);
});
