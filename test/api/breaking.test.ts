import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { type TestContext, test } from "node:test";
import { projectRoot } from "../support/project-root.js";

interface Checked {
  readonly status: number | null;
  readonly text: string;
}

/** The project's own check, on a copy of the API in which one text of a file is another. */
function checkWith(t: TestContext, file: string, text: string | RegExp, other: string): Checked {
  const directory = mkdtempSync(join(tmpdir(), "portway-breaking-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  for (const each of ["proto", "buf.yaml"]) {
    cpSync(join(projectRoot, each), join(directory, each), { recursive: true });
  }
  const path = join(directory, "proto/portway/v1", file);
  const proto = readFileSync(path, "utf8");
  const changed = proto.replace(text, other);
  assert.notEqual(changed, proto, "the text was found");
  writeFileSync(path, changed);
  const { scripts } = JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8")) as {
    scripts: { breaking: string; check: string };
  };
  assert.match(scripts.check, /\bnpm run -s breaking\b/);
  const { status, stdout, stderr } = spawnSync(scripts.breaking, {
    cwd: directory,
    shell: true,
    encoding: "utf8",
    env: {
      ...process.env,
      PATH: [join(projectRoot, "node_modules/.bin"), process.env["PATH"]].join(delimiter),
    },
    timeout: 60_000,
  });
  return { status, text: stdout + stderr };
}

test("an API with more in it than the committed one passes", (t) => {
  const added = "service SystemService {\n  // More.\n  rpc More(DrainRequest) returns (DrainResponse);\n";
  const { status, text } = checkWith(t, "system_service.proto", "service SystemService {\n", added);
  assert.deepEqual([status, text], [0, ""]);
});

const breaks: readonly [string, string, string | RegExp, string, RegExp][] = [
  [
    "a method that is gone",
    "system_service.proto",
    /.*rpc RotateToken.*\n/,
    "",
    /RPC "RotateToken" .* was deleted/,
  ],
  [
    "a field that is gone",
    "system_service.proto",
    /.*string epoch = 3;\n/,
    "",
    /field "3" .*"epoch".* was deleted/,
  ],
  [
    "a field of another number",
    "system_service.proto",
    "string epoch = 3;",
    "string epoch = 300;",
    /field "3"/,
  ],
  ["a field of another type", "system_service.proto", "uint32 pid = 4;", "string pid = 4;", /"pid".*type/],
  ["a field of another name", "system_service.proto", "string home = 6;", "string house = 6;", /"house"/],
];
for (const [what, file, text, other, message] of breaks) {
  test(`the check fails on ${what}, and names it`, (t) => {
    const checked = checkWith(t, file, text, other);
    assert.equal(checked.status, 100, checked.text);
    assert.match(checked.text, message);
    assert.match(checked.text, new RegExp(file));
  });
}
