import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

/**
 * The directory of the sources, from wherever the compiled tests run: the nearest one above this file that has a
 * tsconfig.json, else the nearest above the working directory. The compiler copies no such file, so `dist` is none.
 */
export const projectRoot: string = rootAbove(import.meta.dirname) ?? rootAbove(process.cwd()) ?? missing();

function rootAbove(directory: string): string | undefined {
  if (existsSync(join(directory, "tsconfig.json"))) return directory;
  const parent = dirname(directory);
  return parent === directory ? undefined : rootAbove(parent);
}

function missing(): never {
  throw new Error(
    `no tsconfig.json above ${import.meta.dirname} or ${process.cwd()}: the sources were not found`,
  );
}
