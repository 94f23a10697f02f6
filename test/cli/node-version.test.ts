import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { oldestNode, runtimeProblem } from "../../src/cli/node-version.js";
import { projectRoot } from "../support/project-root.js";

test("a Node.js that is too old is named, and the one that the package asks for is not", () => {
  const { engines } = JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8"));
  assert.equal(engines.node, `>=${oldestNode}`);
  assert.equal(
    runtimeProblem("18.20.8"),
    `Portway needs Node.js ${oldestNode} or newer, and this is 18.20.8`,
  );
  for (const version of ["20.10.9", "4.9.1"]) assert.match(runtimeProblem(version)!, /needs Node\.js/);
  for (const version of ["20.11.0", "20.11.0-nightly", "22.0.0", "100.0.0", process.versions.node]) {
    assert.equal(runtimeProblem(version), undefined, version);
  }
});
