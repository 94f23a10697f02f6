import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Machine } from "./support/machine.js";
import { noTerminal, onTerminal } from "./support/terminal.js";

if (noTerminal !== false) console.log(`4 tests are skipped: ${noTerminal}`);

let machine: Machine;

before(async () => {
  machine = new Machine();
  for (const node of ["n1", "n2", "n3"]) await machine.run(`node create ${node}`);
});

after(async () => {
  await machine?.[Symbol.asyncDispose]();
});

test("tcp-connection create shows the worker address that a route needs", { skip: noTerminal }, async () => {
  const { tcpListenerAddress } = (await machine.client.nodes.getNode({ name: "nodes/n2" })).node!.status!;
  const { screen, code } = await onTerminal(
    machine,
    `tcp-connection create --from n1 --to ${tcpListenerAddress}`,
  );
  assert.equal(code, 0, screen);
  const address = /\/worker\/[0-9a-f]{32}/.exec(screen)?.[0];
  assert.ok(address, screen);
  const reply = await machine.run(`message send hello --from n1 --to ${address}/service/uppercase`);
  assert.equal(reply, "HELLO");
});

test("relay create says from where to where it relays", { skip: noTerminal }, async () => {
  const { screen, code } = await onTerminal(machine, "relay create n3 --at /node/n2 --to /node/n3");
  assert.equal(code, 0, screen);
  const said =
    /Now relaying messages from \/node\/n2\/service\/forward_to_n3 → \/node\/n3\/service\/[0-9a-f]{32}$/m;
  assert.match(screen, said);
});

test("a status is shown in words", { skip: noTerminal }, async () => {
  const { screen } = await onTerminal(machine, "relay show n3 --at n3");
  assert.match(screen, /Status +up, round trip \d/);
  assert.match(screen, /Reached at +\/service\/forward_to_n3/);
  assert.match((await onTerminal(machine, "node list")).screen, /n1 +running +127\.0\.0\.1:\d+/);
});

test("delete --all asks, and a no deletes nothing", { skip: noTerminal }, async () => {
  const question = /Delete .*n1.*\? \[y\/N\]/s;
  const no = await onTerminal(machine, "node delete --all", [{ question, type: "n" }]);
  assert.equal(no.code, 130, no.screen);
  assert.equal(JSON.parse(await machine.run("node list --output json")).length, 3);
  const yes = await onTerminal(machine, "node delete --all", [{ question, type: "y" }]);
  assert.equal(yes.code, 0, yes.screen);
  assert.match(yes.screen, /Deleted the node n1/);
  assert.equal(await machine.run("node list --output json"), "[]");
});
