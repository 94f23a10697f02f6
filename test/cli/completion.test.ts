import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { nounNames } from "../../src/cli/program.js";
import { portway } from "../support/fake-io.js";

describe("the completion script", () => {
  for (const shell of ["bash", "zsh", "fish"]) {
    test(`of ${shell} knows every command and its flags`, async () => {
      const { code, stdout, stderr } = await portway(`completion --shell ${shell}`);
      assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
      for (const word of [...nounNames, "tcp-listener-address", "connection-wait", "jq"]) {
        assert.ok(stdout.includes(word), word);
      }
    });

    test(`of ${shell} offers nothing that is refused`, async () => {
      const { stdout } = await portway(`completion --shell ${shell}`);
      assert.doesNotMatch(stdout, /authorized|ebpf|enrollment|secure-channel/);
    });

    test(`of ${shell} is a script that ${shell} takes`, async (context) => {
      const { stdout } = await portway(`completion --shell ${shell}`);
      const checked = spawnSync(shell, ["-n"], { input: stdout, encoding: "utf8" });
      if (checked.error !== undefined) return context.skip(`${shell} is not installed`);
      assert.equal(checked.status, 0, checked.stderr);
    });
  }

  for (const [line, expected] of [
    ["portway ''", ["node", "tcp-inlet", "relay", "--output"]],
    ["portway no", ["node"]],
    ["portway node ''", ["create", "list", "logs"]],
    ["portway --output json node cr", ["create"]],
    ["portway node create --tcp", ["--tcp-listener-address"]],
    ["portway node list --output ''", ["plain", "json"]],
    ["portway completion --shell ''", ["bash", "zsh", "fish"]],
    ["portway relay create --at ''", []],
  ] as const) {
    test(`bash offers after "${line}" what fits there`, async (context) => {
      const { stdout } = await portway("completion --shell bash");
      const program = `${stdout}
COMP_WORDS=(${line}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _portway; printf '%s\\n' "\${COMPREPLY[@]}"`;
      const completed = spawnSync("bash", ["-c", program], { encoding: "utf8" });
      if (completed.error !== undefined) return context.skip("bash is not installed");
      const offered = completed.stdout.split("\n").filter((word) => word !== "");
      for (const word of expected) assert.ok(offered.includes(word), `${word} in ${offered.join(" ")}`);
      if (expected.length === 0) assert.deepEqual(offered, []);
    });
  }

  for (const line of ["node create", "serve --tls-cert"]) {
    test(`bash completes a path with spaces in it after "portway ${line}"`, async (context) => {
      const { stdout } = await portway("completion --shell bash");
      const folder = mkdtempSync(join(tmpdir(), "portway-completion-"));
      try {
        writeFileSync(join(folder, "my node.yaml"), "");
        const program = `${stdout}
COMP_WORDS=(portway ${line} ./m); COMP_CWORD=3; _portway; printf '%s\\n' "\${COMPREPLY[@]}"`;
        const completed = spawnSync("bash", ["-c", program], { encoding: "utf8", cwd: folder });
        if (completed.error !== undefined) return context.skip("bash is not installed");
        assert.equal(completed.stdout, "./my node.yaml\n");
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  }
});
