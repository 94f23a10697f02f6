// Writes docs/api.html, the API's reference, from the comments in proto/: `node scripts/generate-reference.mjs`.
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readApi } from "./reference/api.mjs";
import { renderPage } from "./reference/page.mjs";

const root = join(import.meta.dirname, "..");
const buf = join(root, "node_modules/@bufbuild/buf/bin/buf");
const limitMs = 60_000;

const built = spawnSync(process.execPath, [buf, "build", "-o", "-#format=binpb"], {
  cwd: root,
  maxBuffer: 64 * 1024 * 1024,
  stdio: ["ignore", "pipe", "inherit"],
  timeout: limitMs,
});
if (built.error !== undefined) throw built.error;
if (built.status !== 0) process.exit(built.status ?? 1);

const page = renderPage(
  readApi(built.stdout),
  readFileSync(join(root, "scripts/reference/style.css"), "utf8"),
);
mkdirSync(join(root, "docs"), { recursive: true });
writeFileSync(join(root, "docs/api.html"), page);
