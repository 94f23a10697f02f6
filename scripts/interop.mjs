// The tests on one route with real nodes of Ockam: `node scripts/interop.mjs [file part ...]`. The nodes are a Rust program
// on the published crate, built into the user's cache. Without cargo there is nothing to run, and that is said.
// `--record` also writes what passed between both to test/wire/vectors.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "portway", "interop");
const limitMs = 600_000;

if (spawnSync("cargo", ["--version"], { stdio: "ignore" }).error !== undefined) {
  console.log(
    "skipped: the Ockam node of these tests is built with Rust, and there is no `cargo` on the PATH",
  );
  process.exit(0);
}
console.log(`building the Ockam node in ${cache} (minutes at first, then kept)`);
const manifest = join(root, "test/interop/ockam/Cargo.toml");
const built = spawnSync("cargo", ["build", "--locked", "--quiet", "--manifest-path", manifest], {
  env: { ...process.env, CARGO_TARGET_DIR: cache },
  stdio: "inherit",
});
if (built.status !== 0) {
  console.error(`cargo build ended with ${built.status ?? built.signal}`);
  process.exit(1);
}

const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
const folder = join(root, "dist/test/interop");
const files = readdirSync(folder)
  .filter((file) => file.endsWith(".test.js"))
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .map((file) => join(folder, file));
if (files.length === 0) {
  console.error(`no test matches: ${wanted.join(" ")}`);
  process.exit(1);
}
const env = {
  ...process.env,
  PORTWAY_INTEROP_PROGRAM: join(cache, "debug", "portway-interop"),
  ...(process.argv.includes("--record") ? { PORTWAY_INTEROP_RECORD: join(root, "test/wire/vectors") } : {}),
};
const options = ["--test", "--test-reporter=spec", "--test-concurrency=2", `--test-timeout=${limitMs}`];
const { status } = spawnSync(process.execPath, [...options, ...files], { env, stdio: "inherit" });
process.exit(status ?? 1);
