import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { projectRoot } from "../support/project-root.js";
import { Machine } from "./support/machine.js";

const { runs } = JSON.parse(
  readFileSync(join(projectRoot, "test/cli/vectors/ockam-0.150-cli.json"), "utf8"),
) as { readonly runs: readonly { readonly command: string; readonly stdout: string }[] };

/** What ockam 0.150 printed for a command the first time. */
function recorded(command: string) {
  return JSON.parse(runs.find((run) => run.command === `ockam ${command}`)!.stdout);
}

test("the services of a node come in the order in which Ockam lists them", async () => {
  await using machine = new Machine();
  const create = "node create n3 --output json";
  assert.deepEqual(JSON.parse(await machine.run(create)).services, recorded(create).services);
  await machine.run("service start hop --at n3");
  const list = "service list --at n3 --output json";
  assert.deepEqual(JSON.parse(await machine.run(list)), recorded(list));
  const { services } = JSON.parse(await machine.run("node show n3 --output json"));
  assert.deepEqual(services, recorded(list));
});
