import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Machine } from "./support/machine.js";
import { freePort } from "./support/ports.js";

const failure = 70;
const usage = 64;

let machine: Machine;

before(async () => {
  machine = new Machine();
  await machine.run("node create n1");
});

after(async () => {
  await machine?.[Symbol.asyncDispose]();
});

/** The names of the inlets and listeners of n1. */
async function things(): Promise<string> {
  return `${await machine.run("tcp-inlet list --at n1")}${await machine.run("tcp-listener list --at n1")}`;
}

test("a port that is in use is named, and what has it goes on", async () => {
  const port = await freePort();
  await machine.run(`tcp-inlet create one --at n1 --from 127.0.0.1:${port} --to /service/outlet`);
  const before = await things();
  for (const command of [
    `tcp-inlet create two --at n1 --from 127.0.0.1:${port} --to /service/outlet`,
    `tcp-listener create 127.0.0.1:${port} --at n1`,
    `node create n9 --tcp-listener-address 127.0.0.1:${port}`,
  ]) {
    const { code, stdout, stderr } = await machine.cli(command);
    assert.deepEqual([code, stdout], [failure, ""], command);
    assert.match(stderr, new RegExp(`127\\.0\\.0\\.1:${port}.*in use`), command);
  }
  assert.equal(await things(), before);
  assert.equal((await machine.cli("node show n9")).code, failure);
});

test("an address that this machine does not have is named", async () => {
  const { code, stderr } = await machine.cli(
    "tcp-inlet create --at n1 --from 192.0.2.1:6000 --to /service/outlet",
  );
  assert.equal(code, failure);
  assert.match(stderr, /192\.0\.2\.1/);
});

const mayBindLowPorts = process.getuid?.() === 0;

test("a privileged port is refused with the reason", {
  skip: mayBindLowPorts && "this user may bind every port",
}, async () => {
  const { code, stderr } = await machine.cli(
    "tcp-inlet create --at n1 --from 127.0.0.1:80 --to /service/outlet",
  );
  assert.equal(code, failure);
  assert.match(stderr, /127\.0\.0\.1:80.*privilege/);
});

test("what is no address or no route is wrong usage, named with its flag", async () => {
  const before = await things();
  for (const [command, flag] of [
    ["tcp-inlet create --at n1 --from 127.0.0.1:70000 --to /service/outlet", /--from.*70000/],
    ["tcp-inlet create --at n1 --from nonsense:x --to /service/outlet", /--from.*nonsense:x/],
    ["tcp-inlet create --at n1 --from 6000 --to outlet", /--to.*outlet/],
    ["tcp-inlet create --at n1 --from 6000 --to /nonsense/outlet", /nonsense/],
    ["tcp-inlet create --at n1 --from 6000 --to /service/outlet/secure/api", /secure/],
    ["tcp-outlet create --at n1 --to 127.0.0.1:http", /--to.*http/],
    ["tcp-outlet create --at n1 --to 0", /--to.*a port from 1/],
    ["tcp-connection create --from n1 --to 127.0.0.1", /--to/],
    ["tcp-connection create --from n1 --to :0 --no-connection-wait", /--to.*a port from 1/],
    ["node create n9 --tcp-listener-address localhost:-1", /--tcp-listener-address.*-1/],
    ["tcp-listener create 1.2.3.4.5:7000 --at n1", /1\.2\.3\.4\.5/],
  ] as const) {
    const { code, stdout, stderr } = await machine.cli(command);
    assert.deepEqual([code, stdout], [usage, ""], `${command}: ${stderr}`);
    assert.match(stderr, flag, command);
  }
  assert.equal(await things(), before);
});
