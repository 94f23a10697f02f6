import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { bringUp, type Chain } from "./chains.js";
import { benchFile, Program, run } from "./program.js";

let target: Program;
let chain: Chain;

before(async () => {
  target = new Program(benchFile("load.js"), ["target", "--addr", "127.0.0.1:0"]);
  chain = await bringUp("pipe", await target.port());
});

after(async () => {
  await chain?.[Symbol.asyncDispose]();
  await target?.[Symbol.asyncDispose]();
});

async function load(...args: (string | number)[]): Promise<Record<string, number>> {
  const all = [...args, "--addr", `127.0.0.1:${chain.port}`, "--pids", chain.pids.join(",")];
  return JSON.parse(await run(benchFile("load.js"), all, { timeoutMs: 60_000 }));
}

function assertPositive(result: Record<string, number>, ...names: string[]): void {
  for (const name of names) assert.ok((result[name] ?? 0) > 0, `${name} in ${JSON.stringify(result)}`);
}

test("each load runs through a chain of proxies and tells its figures", async () => {
  for (const dir of ["down", "up"]) {
    for (const streams of [1, 3]) {
      assertPositive(
        await load("bulk", "--mb", 32, "--dir", dir, "--streams", streams),
        "gbit_s",
        "cpu_s_per_GB",
      );
    }
  }
  assertPositive(await load("conns", "--n", 100, "--conc", 8), "conns_s");
  assertPositive(await load("pingpong", "--n", 100), "p50_us", "p99_us", "rt_s");
  assertPositive(await load("pingpong", "--n", 64, "--streams", 16, "--size", 100_000), "p50_us", "rt_s");
  const addr = `127.0.0.1:${chain.port}`;
  const pings = ["pings", "--addr", `${addr},${addr}`, "--n", 10, "--turns", 3, "--warm", 5];
  const each = JSON.parse(await run(benchFile("load.js"), pings, { timeoutMs: 60_000 }));
  assert.equal(each.length, 2);
  for (const result of each) assertPositive(result, "p50_us", "p99_us");
  assertPositive(await load("hold", "--n", 20, "--warm", 20), "rss_MiB");
});

test("a load that can't be done fails with a reason", async () => {
  await assert.rejects(load("bulk", "--dir", "left"), /--dir left: expected down or up/);
  await assert.rejects(load("conns", "--n", 0), /--n 0: expected a whole number from 1/);
  await assert.rejects(load("pingpong", "--n", 3, "--streams", 4), /fewer round trips than streams/);
  const two = ["conns", "--addr", "127.0.0.1:1,127.0.0.1:2"];
  await assert.rejects(run(benchFile("load.js"), two, { timeoutMs: 10_000 }), /127\.0\.0\.1:2: expected one/);
  await assert.rejects(run(benchFile("load.js"), ["nothing"], { timeoutMs: 10_000 }), /Loads a TCP tunnel/);
  const nobody = ["conns", "--n", 1, "--addr", "127.0.0.1:1"];
  await assert.rejects(run(benchFile("load.js"), nobody, { timeoutMs: 10_000 }), /ECONNREFUSED/);
});

test("a program that ends before it is up says so, with its code", async () => {
  await using program = new Program(benchFile("load.js"), ["nothing"]);
  await assert.rejects(program.up(), /load\.js ended with 1 before it was up/);
});
