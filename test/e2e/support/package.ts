import { spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectRoot } from "../../support/project-root.js";

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const limitMs = 120_000;

/** A folder with nothing in it but what `npm i` of the packed tarball puts there. Disposing it removes it. */
export class InstalledPackage implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "portway-package-"));

  /**
   * Packs what the project's `dist` holds, and installs the tarball with npm, offline: the dependencies are copies of
   * those that the project has.
   */
  static async install(): Promise<InstalledPackage> {
    const installed = new InstalledPackage();
    const { folder } = installed;
    try {
      const pack = ["pack", "--json", "--ignore-scripts", "--pack-destination", folder];
      const packed = JSON.parse((await succeeded("npm", pack, projectRoot)).stdout);
      const [{ filename }] = Array.isArray(packed) ? packed : Object.values(packed);
      const dependencies = copyDependencies(join(folder, "vendor"));
      const manifest = { name: "consumer", private: true, type: "module", dependencies };
      writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
      const install = ["install", "--offline", "--ignore-scripts", "--no-audit", "--no-fund"];
      const cache = { npm_config_cache: join(folder, "cache") };
      await succeeded("npm", [...install, `./${filename}`], folder, cache);
      return installed;
    } catch (error) {
      installed[Symbol.dispose]();
      throw error;
    }
  }

  /** Runs a file of the folder, or the text of a module in it, with Node. */
  run(file: string, text?: string, args: readonly string[] = []): Promise<Ended> {
    if (text !== undefined) writeFileSync(join(this.folder, file), text);
    return ended(process.execPath, [file, ...args], this.folder);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** All packages that the published one needs, as `file:` dependencies. Their own development needs nothing here. */
function copyDependencies(vendor: string): Record<string, string> {
  const { packages } = JSON.parse(readFileSync(join(projectRoot, "package-lock.json"), "utf8"));
  const dependencies: Record<string, string> = {};
  for (const [path, { dev, optional }] of Object.entries<Record<string, unknown>>(packages)) {
    if (path === "" || dev === true || optional === true) continue;
    const name = path.slice("node_modules/".length);
    const copy = join(vendor, name);
    mkdirSync(copy, { recursive: true });
    cpSync(join(projectRoot, path), copy, { recursive: true });
    const manifest = JSON.parse(readFileSync(join(copy, "package.json"), "utf8"));
    delete manifest.devDependencies;
    writeFileSync(join(copy, "package.json"), JSON.stringify(manifest));
    dependencies[name] = `file:vendor/${name}`;
  }
  return dependencies;
}

export function ended(
  command: string,
  args: readonly string[],
  cwd: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: limitMs,
      shell: command.endsWith(".cmd"),
    });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (data) => {
      stdout += data;
    });
    child.stderr.on("data", (data) => {
      stderr += data;
    });
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
}

async function succeeded(...given: Parameters<typeof ended>): Promise<Ended> {
  const outcome = await ended(...given);
  if (outcome.code === 0) return outcome;
  throw new Error(`${given[0]} ${given[1].join(" ")} ended with ${outcome.code}: ${outcome.stderr}`);
}
