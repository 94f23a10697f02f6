import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { transform } from "esbuild";
import { benchFile, run } from "./program.js";

const routerFile = join(import.meta.dirname, "../../src/routing/router.js");

/** Routing with nobody who watches, and the same with the tap compiled out. */
export class TapLoad implements Disposable {
  readonly #withoutTap: string;

  private constructor(withoutTap: string) {
    this.#withoutTap = withoutTap;
  }

  static async prepare(): Promise<TapLoad> {
    const text = readFileSync(routerFile, "utf8").replaceAll("this.tap", "undefined");
    const { code } = await transform(text, { minifySyntax: true, target: "node20" });
    const left = code.match(/\bundefined\s*[?=!]|\.#handleWatched\(/g);
    if (left !== null) throw new Error(`the tap is not out of the router: ${left.join(", ")}`);
    // Its imports are those of the router: it has to lie beside it.
    const file = routerFile.replace(".js", "-without-tap.js");
    writeFileSync(file, code);
    return new TapLoad(file);
  }

  /** Messages per second, in a process of its own. */
  async perSecond(tap: "with" | "without", count: number): Promise<number> {
    const file = tap === "with" ? routerFile : this.#withoutTap;
    const said = await run(benchFile("tap-load.js"), [file, String(count)], { timeoutMs: 60_000 });
    return (JSON.parse(said) as { perSecond: number }).perSecond;
  }

  [Symbol.dispose](): void {
    rmSync(this.#withoutTap);
  }
}
