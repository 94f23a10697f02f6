// The examples: what each needs, and the commands that its README gives.
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { cleanEnvironment, run } from "./programs.mjs";

const root = join(import.meta.dirname, "../..");
const buildLimitMs = 15 * 60_000;

/** Builds are kept here from one run to the next; the work tree is left as it is. */
export const cache = join(process.env.XDG_CACHE_HOME || tmpdir(), "portway-clients");

export const examples = [
  {
    name: "Python",
    folder: "python",
    tools: ["python3 -c 'import sys, venv; sys.exit(sys.version_info < (3, 10))'"],
  },
  { name: "Go", folder: "go", tools: ["go version", "npx --version"] },
  { name: "TypeScript", folder: "typescript", tools: ["npm --version"] },
  { name: "Rust", folder: "rust", tools: ["cargo --version", "cc --version"] },
  {
    name: "Java",
    folder: "java",
    tools: ["javac -version", "mvn --version"],
    adapt: (build) =>
      works("command -v grpc_java_plugin") ? build.replace("mvn ", "mvn -Pplugin-from-path ") : build,
    /** Maven's repository does not have it for every system, nor does every mirror. */
    missing: /Could not find artifact io\.grpc:protoc-gen-grpc-java/,
  },
];

/** The first tool of an example that is not there; undefined if it can be built. */
export function missingTool({ tools }) {
  return tools.find((tool) => !works(tool));
}

function works(line) {
  return (
    spawnSync("sh", ["-c", line], { env: cleanEnvironment, stdio: "ignore", timeout: 60_000 }).status === 0
  );
}

/**
 * The example in the cache, beside the protos, with what its README says: `build`, a script, and `tutorial`,
 * `send` and `worker`, which take their arguments behind them.
 */
export function prepare({ name, folder, adapt = (build) => build }) {
  copy("proto");
  copy(join("examples", folder));
  const readme = readFileSync(join(root, "examples", folder, "README.md"), "utf8");
  const said = (pattern, what) => {
    const match = pattern.exec(readme);
    if (match === null) throw new Error(`the README of ${name} has no ${what}: expected ${pattern}`);
    return match[1];
  };
  return {
    folder: join(cache, "examples", folder),
    build: adapt(said(/^## Build\n[\s\S]*?^```sh\n([\s\S]*?)^```$/m, "commands under Build")),
    tutorial: said(/^## Run\n[\s\S]*?^(.+) 127\.0\.0\.1:9000$/m, "line that runs the tutorial"),
    send: said(/^(.+) n1 \/service\/uppercase hello$/m, "line that sends a message"),
    worker: said(/^(.+) n3 shout$/m, "line that runs the worker"),
  };
}

export function build({ folder, build }) {
  return run(build, { folder, limitMs: buildLimitMs });
}

/** Copies what belongs to the project, with its times, and removes what was copied before and is no more. */
function copy(part) {
  const listed = spawnSync(
    "git",
    ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", part],
    {
      cwd: root,
      encoding: "utf8",
    },
  );
  if (listed.status !== 0) throw new Error(`git ls-files failed: ${listed.stderr}`);
  const paths = listed.stdout.split("\0").filter((path) => path !== "" && existsSync(join(root, path)));
  const manifest = join(cache, `${part.replaceAll("/", "-")}.files.json`);
  const before = existsSync(manifest) ? JSON.parse(readFileSync(manifest, "utf8")) : [];
  for (const path of before.filter((each) => !paths.includes(each)))
    rmSync(join(cache, path), { force: true });
  for (const path of paths) {
    const [from, to] = [join(root, path), join(cache, path)];
    const { atime, mtime } = statSync(from);
    if (existsSync(to) && statSync(to).mtimeMs === mtime.getTime()) continue;
    mkdirSync(dirname(to), { recursive: true });
    copyFileSync(from, to);
    utimesSync(to, atime, mtime);
  }
  writeFileSync(manifest, JSON.stringify(paths));
}
