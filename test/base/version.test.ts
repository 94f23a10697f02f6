import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { version } from "../../src/base/version.js";
import { projectRoot } from "../support/project-root.js";

test("the version is that of package.json", () => {
  assert.equal(version, JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8")).version);
});
