import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Machine } from "./support/machine.js";
import { freePort } from "./support/ports.js";
import { httpRequest } from "./support/tcp-client.js";
import { TcpTarget } from "./support/tcp-target.js";

const page = "Hello from the target.\n";
let machine: Machine;

before(async () => {
  machine = new Machine();
  await machine.run("node create n2");
});

after(async () => {
  await machine?.[Symbol.asyncDispose]();
});

function file(name: string, text: string): string {
  const path = join(machine.folder, name);
  writeFileSync(path, text);
  return path;
}

test("nodes are created from configurations with their relay, outlet and inlet, and work", async () => {
  await using target = await TcpTarget.http(page);
  const inletPort = await freePort();
  const n3 = file(
    "n3.yaml",
    `
variables:
  SERVICE: web
name: n3
relays:
  n3:
    at: /node/n2
tcp-outlets:
  \${SERVICE}:
    from: /service/\${SERVICE}
    to: $TARGET
`,
  );
  assert.equal(await machine.run(["node", "create", n3, "--variable", `TARGET=${target.address}`]), "n3");
  const n1 = {
    name: "n1",
    "tcp-inlets": { web: { from: inletPort, to: "/node/n3/service/web" } },
  };
  assert.equal(await machine.run(["node", "create", JSON.stringify(n1)]), "n1");
  assert.deepEqual(await httpRequest(inletPort), { status: 200, body: page });
  const relayed = "/node/n2/service/forward_to_n3/service/uppercase";
  assert.equal(await machine.run(`message send hello --from n1 --to ${relayed}`), "HELLO");
  const shown = JSON.parse(await machine.run("node show n1 --output json"));
  assert.deepEqual(
    shown.inlets.map(({ alias, status }: Record<string, unknown>) => [alias, status]),
    [["web", "Up"]],
  );
});

test("a bad configuration creates nothing, and says where it is wrong and what was expected", async () => {
  const before = await machine.run("node list --output json");
  const taken = JSON.parse(before)[0].node_name;
  for (const [name, text, says] of [
    [
      "key.yaml",
      "name: n9\ntcp-outlts:\n  web: {to: 80}\n",
      /key\.yaml:2:1: tcp-outlts: .*expected tcp-outlets/,
    ],
    [
      "type.yaml",
      "name: n9\ntcp-inlets:\n  web:\n    from: [6000]\n",
      /type\.yaml:4:\d+: tcp-inlets\.web\.from: /,
    ],
    [
      "route.yaml",
      "name: n9\nrelays:\n  a:\n    at: /nonsense/x\n",
      /route\.yaml:4:\d+: relays\.a\.at: .*nonsense/,
    ],
    ["syntax.yaml", "name: n9\n  relays: {\n", /syntax\.yaml:1:\d+: not valid YAML/],
    ["later.yaml", "name: n9\nproject: default\n", /later\.yaml:2:1: project: not supported/],
  ] as const) {
    const { code, stdout, stderr } = await machine.cli(["node", "create", file(name, text)]);
    assert.deepEqual([code, stdout], [64, ""], stderr);
    assert.match(stderr, says);
  }
  assert.equal(await machine.run("node list --output json"), before);
  assert.ok(taken);
});

test("a configuration that can't be carried out leaves nothing behind", async () => {
  await using target = await TcpTarget.http(page);
  const before = await machine.run("node list --output json");
  const text = `name: n9\ntcp-outlets:\n  web: {to: 80}\ntcp-inlets:\n  web:\n    from: ${target.address}\n    to: /service/web\n`;
  const { code, stderr } = await machine.cli(["node", "create", file("conflict.yaml", text)]);
  assert.equal(code, 70);
  assert.match(stderr, new RegExp(`${target.address}.*in use`));
  assert.equal(await machine.run("node list --output json"), before);
});
