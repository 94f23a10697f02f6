// Runs the compiled tests with Node's own runner: `node scripts/test.mjs [folder or file part ...]`.
// The list is made here because `node --test` expands no pattern on Node 20. No file may take longer than the limit: a
// test that hangs fails with its name. Those in interop need more than Node: scripts/interop.mjs runs them.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";

const root = join(import.meta.dirname, "../dist/test");
const limitMs = 300_000;
const wanted = process.argv.slice(2);
const files = readdirSync(root, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".test.js") && dirname(file) !== "interop")
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .sort()
  .map((file) => join(root, file));
if (files.length === 0) {
  console.error(`no test matches: ${wanted.join(" ")}`);
  process.exit(1);
}
const { status } = spawnSync(process.execPath, ["--test", "--test-timeout", String(limitMs), ...files], {
  stdio: "inherit",
});
process.exit(status ?? 1);
