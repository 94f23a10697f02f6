// The Connect conformance suite against the compiled API stack: `node scripts/conformance.mjs [option of the suite ...]`,
// for example `--run '**/unary/**' --trace`. The suite is a Go program, built once into the user's cache. Without Go there
// is nothing to run, and that is said.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

const version = "v1.0.7";
const root = join(import.meta.dirname, "..");
const cache = join(
  process.env.XDG_CACHE_HOME || join(homedir(), ".cache"),
  "portway",
  `conformance-${version}`,
);
const suite = join(cache, "connectconformance");

if (!existsSync(suite)) {
  if (spawnSync("go", ["version"], { stdio: "ignore" }).error !== undefined) {
    console.log("skipped: the Connect conformance suite is built with Go, and there is no `go` on the PATH");
    process.exit(0);
  }
  console.log(`building the Connect conformance suite ${version} in ${cache} (once; about a minute)`);
  const source = `connectrpc.com/conformance/cmd/connectconformance@${version}`;
  const env = { ...process.env, GOBIN: cache, GOFLAGS: "-mod=mod" };
  const built = spawnSync("go", ["install", source], {
    env,
    stdio: ["ignore", "inherit", "pipe"],
    encoding: "utf8",
  });
  if (built.status !== 0) {
    console.error(`go install ${source} failed:\n${built.stderr}`);
    process.exit(1);
  }
}

const config = join(root, "test/conformance/config.yaml");
const server = join(root, "dist/test/conformance/server.js");
const options = ["--mode", "server", "--conf", config, ...process.argv.slice(2)];
const { status } = spawnSync(suite, [...options, "--", process.execPath, server], { stdio: "inherit" });
process.exit(status ?? 1);
