// biome-ignore-all lint/suspicious/noTemplateCurlyInString: some examples are the text of templates
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { join, posix } from "node:path";
import { test } from "node:test";
import { type Import, importsOf, networkGlobalsOf, readsEnvironment } from "./support/imports.js";
import { projectRoot } from "./support/project-root.js";

/** The architecture. A folder of src imports from itself and from those of its row; changing a row is a decision. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  base: [],
  model: ["base"],
  wire: ["base", "model"],
  transport: ["base", "model", "wire"],
  routing: ["base", "model"],
  services: ["base", "model", "routing"],
  relay: ["base", "model", "routing"],
  portal: ["base", "model", "routing"],
  node: ["base", "model", "wire", "transport", "routing", "services", "relay", "portal"],
  embed: ["base", "model", "routing", "node"],
  api: ["base", "model", "node", "gen"],
  client: ["base", "gen"],
  home: ["base"],
  cli: ["base", "model", "client", "gen", "home"],
  daemon: ["base", "node", "api", "home"],
  dashboard: ["client", "gen"],
};

/** The only file that lies in src itself, and what it imports. */
const mainFile = "main.ts";
const mainMayImport = ["base", "cli", "daemon"];

/** Modules of Node that stay inside of the process. All others reach outside of it, also those that are new. */
const inProcess = new Set(
  [
    "assert",
    "async_hooks",
    "buffer",
    "crypto",
    "diagnostics_channel",
    "events",
    "path",
    "perf_hooks",
    "process", // see `mayReadEnvironment`
    "stream",
    "string_decoder",
    "timers",
    "timers/promises",
    "url",
    "util",
  ].map((name) => `node:${name}`),
);

/** Where others may be used: the module and, if only some, its names. A path that ends with / is all that lies in it. */
const mayUse: readonly {
  readonly path: string;
  readonly module?: string;
  readonly names?: readonly string[];
}[] = [
  { path: "base/socket.ts", module: "node:net" },
  { path: "base/pino-log.ts", module: "node:fs" },
  { path: "base/log-file.ts", module: "node:fs" },
  { path: "base/kernel-queue.ts", module: "node:fs/promises" },
  { path: "base/", module: "node:net", names: ["isIP", "isIPv4", "isIPv6"] },
  { path: "model/", module: "node:net", names: ["isIP", "isIPv4", "isIPv6"] },
  { path: "transport/tcp/" },
  { path: "transport/udp/" },
  { path: "portal/" },
  { path: "node/" },
  { path: "api/" },
  { path: "client/" },
  { path: "home/", module: "node:fs" },
  { path: "home/", module: "node:os", names: ["homedir", "hostname"] },
  { path: "cli/" },
  { path: "daemon/" },
  { path: mainFile },
];

/** Packages of others, where they may be used. The data plane has none but the log behind base. */
const mayDependOn: Readonly<Record<string, "any" | readonly string[]>> = {
  base: ["pino"],
  api: "any",
  client: "any",
  cli: "any",
  daemon: "any",
  dashboard: "any",
};

/** Who reads the variables of the environment. */
const mayReadEnvironment = ["cli", "daemon", mainFile];

interface Project {
  /** The path of each .ts file below src, with `/`, and its text. */
  readonly sources: ReadonlyMap<string, string>;
  /** The path of each .ts file below gen. */
  readonly generated: ReadonlySet<string>;
  readonly dependencies: ReadonlySet<string>;
}

interface Findings {
  readonly wrong: readonly string[];
  readonly files: number;
  /** Imports from one folder to another. */
  readonly edges: number;
}

function check({ sources, generated, dependencies }: Project): Findings {
  const wrong: string[] = [];
  let edges = 0;
  for (const [file, source] of sources) {
    const folder = file.includes("/") ? file.split("/")[0]! : file;
    const allowed = folder === mainFile ? mainMayImport : mayImport[folder];
    if (allowed === undefined) {
      wrong.push(`${file} lies in no folder of the table`);
      continue;
    }
    const { imports, unknown } = importsOf(source);
    if (readsEnvironment(source) && !mayReadEnvironment.includes(folder)) {
      wrong.push(`${file} reads the environment`);
    }
    for (const name of networkGlobalsOf(source)) {
      if (rulesFor(file).every(({ module }) => module !== undefined)) wrong.push(`${file} uses ${name}`);
    }
    for (const form of unknown) wrong.push(`${file} has an import that can't be followed: ${form}`);
    for (const each of imports) {
      const { specifier } = each;
      if (specifier.startsWith("node:")) checkBuiltin(file, each, wrong);
      else if (!specifier.startsWith(".")) checkPackage(file, folder, specifier, dependencies, wrong);
      else {
        const path = posix.join("src", posix.dirname(file), specifier).replace(/\.js$/, ".ts");
        const to = path.startsWith("gen/") ? "gen" : (/^src\/([^/]+)/.exec(path)?.[1] ?? path);
        if (
          !(to === "gen" ? generated.has(path.slice("gen/".length)) : sources.has(path.slice("src/".length)))
        ) {
          wrong.push(`${file} imports ${specifier}, which is no file of src or gen`);
        }
        if (to === folder) continue;
        edges += 1;
        if (!allowed.includes(to)) wrong.push(`${file} imports ${to}`);
      }
    }
  }
  return { wrong, files: sources.size, edges };
}

function checkBuiltin(file: string, { specifier, names }: Import, wrong: string[]): void {
  if (!builtinModules.includes(specifier.slice("node:".length)) && specifier !== "node:test") {
    wrong.push(`${file} imports ${specifier}, which Node does not have`);
  }
  if (inProcess.has(specifier)) return;
  const isAllowed = rulesFor(file).some(
    (rule) =>
      (rule.module === undefined || rule.module === specifier) &&
      (rule.names === undefined || names?.every((name) => rule.names?.includes(name)) === true),
  );
  if (!isAllowed)
    wrong.push(`${file} imports ${specifier}${names === undefined ? "" : ` (${names.join(", ")})`}`);
}

function rulesFor(file: string) {
  return mayUse.filter(({ path }) => (path.endsWith("/") ? file.startsWith(path) : file === path));
}

function checkPackage(
  file: string,
  folder: string,
  specifier: string,
  dependencies: ReadonlySet<string>,
  wrong: string[],
): void {
  const name = /^(?:@[\w.-]+\/)?[\w.-]+(?=\/|$)/.exec(specifier)?.[0];
  if (name === undefined) wrong.push(`${file} imports ${specifier}, a form that is not known`);
  else if (builtinModules.includes(name)) wrong.push(`${file} imports ${specifier} without "node:"`);
  else if (!dependencies.has(name)) wrong.push(`${file} imports ${specifier}, which is no dependency`);
  else {
    const allowed = mayDependOn[folder] ?? [];
    if (allowed !== "any" && !allowed.includes(name)) wrong.push(`${file} imports ${specifier}`);
  }
}

function typescriptBelow(directory: string): string[] {
  return readdirSync(join(projectRoot, directory), { recursive: true, encoding: "utf8" })
    .map((file) => file.replaceAll("\\", "/"))
    .filter((file) => /\.[cm]?tsx?$/.test(file))
    .sort();
}

test("each folder of src imports only what its row allows", () => {
  const packageJson = JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8"));
  const { wrong, files, edges } = check({
    sources: new Map(
      typescriptBelow("src").map((file) => [file, readFileSync(join(projectRoot, "src", file), "utf8")]),
    ),
    generated: new Set(typescriptBelow("gen")),
    dependencies: new Set(Object.keys(packageJson.dependencies)),
  });
  assert.deepEqual(wrong, []);
  assert.ok(files >= 30, `only ${files} files were read`);
  assert.ok(edges >= 50, `only ${edges} imports between folders were seen`);
});

/** What the check says about one file, in a project that has what the examples import. */
function findingsOf(file: string, source: string): readonly string[] {
  const others = [
    "base/a.ts",
    "model/a.ts",
    "routing/a.ts",
    "node/a.ts",
    "cli/a.ts",
    "daemon/a.ts",
    "api/a.ts",
  ];
  return check({
    sources: new Map([...others.map((other) => [other, ""] as const), [file, source]]),
    generated: new Set(["portway/v1/node_pb.ts"]),
    dependencies: new Set(["pino", "@connectrpc/connect"]),
  }).wrong;
}

test("an import that a row does not allow is found in every form that there is", () => {
  for (const form of [
    'import { a } from "../node/a.js";',
    'import a from "../node/a.js";',
    'import * as a from "../node/a.js";',
    'import a, { type b, c as d } from "../node/a.js";',
    'import type { a } from "../node/a.js";',
    "import { a } from '../node/a.js'",
    'import {\n  a, // from "./b.js"\n  b,\n} from "../node/a.js";',
    'import"../node/a.js";',
    'import "../node/a.js";',
    'export { a } from "../node/a.js";',
    'export { a as b, type c } from "../node/a.js";',
    'export * from "../node/a.js";',
    'export * as a from "../node/a.js";',
    'export type { a } from "../node/a.js";',
    'export type * from "../node/a.js";',
    'const a = await import("../node/a.js");',
    "const a = await import(`../node/a.js`);",
    'const a = await import(/* why */ "../node/a.js");',
    'const a = () => import("../node/a.js", { with: { type: "json" } });',
    'type A = import("../node/a.js").A;',
    'const a: typeof import("../node/a.js") = b;',
    'const a = `${b ? `${{}}` : await import("../node/a.js")}`;',
    'const a = /["\'`]/.test(b); import c from "../node/a.js";',
    'const a = b / c; import d from "../node/a.js"; const e = f / g;',
    'if (a) /"/.exec(b);\nimport c from "../node/a.js"; // "',
  ]) {
    assert.deepEqual(findingsOf("routing/b.ts", form), ["routing/b.ts imports node"], form);
  }
});

test("what only looks like an import is none", () => {
  for (const form of [
    '// import { a } from "../node/a.js";',
    '/* import "../node/a.js"; */',
    "const a = 'import \"../node/a.js\"';",
    'const a = `import "../node/a.js" ${b} import "../node/a.js"`;',
    'const a = /import "..\\/node\\/a.js"/;',
    "const a = import.meta.dirname;",
    "const a = { import: 1 }; a.import; a.require; a.export;",
    "export { a, b };\nconst from = 1;",
    "export const a = 1; export default a; export class B {}",
    "interface A { import?: string; }",
  ]) {
    assert.deepEqual(findingsOf("routing/b.ts", form), [], form);
  }
});

test("an import that can't be followed is an error", () => {
  for (const form of [
    "await import(path);",
    "await import(`../${a}.js`);",
    'await import("../base/" + a);',
    'const a = require("../base/a.js");',
    'import a = require("../base/a.js");',
    'import { createRequire } from "node:module";',
    'import.meta.resolve("../base/a.js");',
    'import.source("../base/a.js");',
    '/// <reference path="../base/a.ts" />',
    'export * as a "../base/a.js"',
    'const fs = process.getBuiltinModule("node:fs");',
    'const fs = globalThis.process.getBuiltinModule("node:fs");',
    'process.binding("fs");',
    'new Worker(new URL("../node/a.js", import.meta.url));',
  ]) {
    const findings = findingsOf("routing/b.ts", form);
    assert.ok(findings.length > 0, form);
    assert.match(findings[0]!, /can't be followed/, form);
  }
});

test("imports that the table allows are allowed", () => {
  for (const [file, specifier] of [
    ["routing/b.ts", "../base/a.js"],
    ["routing/b.ts", "./a.js"],
    ["routing/inner/b.ts", "../../model/a.js"],
    ["routing/inner/b.ts", "../a.js"],
    ["api/inner/b.ts", "../../../gen/portway/v1/node_pb.js"],
    ["main.ts", "./base/a.js"],
    ["main.ts", "./cli/a.js"],
    ["main.ts", "./daemon/a.js"],
    ["api/b.ts", "@connectrpc/connect"],
    ["base/b.ts", "pino"],
    ["base/b.ts", "node:crypto"],
    ["base/socket.ts", "node:net"],
    ["base/pino-log.ts", "node:fs"],
    ["transport/tcp/b.ts", "node:net"],
    ["cli/b.ts", "node:fs/promises"],
  ] as const) {
    assert.deepEqual(findingsOf(file, `import { a } from "${specifier}";`), [], `${file} ${specifier}`);
  }
  assert.deepEqual(findingsOf("model/b.ts", 'import { isIP, isIPv6 as six } from "node:net";'), []);
});

test("imports that the table does not allow are named", () => {
  for (const [file, specifier, says] of [
    ["base/b.ts", "../model/a.js", "imports model"],
    ["routing/b.ts", "../../gen/portway/v1/node_pb.js", "imports gen"],
    ["main.ts", "./node/a.js", "imports node"],
    ["main.ts", "./api/a.js", "imports api"],
    ["node/b.ts", "../api/a.js", "imports api"],
    ["base/b.ts", "../routing/none.js", "imports ../routing/none.js, which is no file of src or gen"],
    ["base/b.ts", "../../gen/none_pb.js", "imports ../../gen/none_pb.js, which is no file of src or gen"],
    ["cli/b.ts", "../../package.json", "imports ../../package.json, which is no file of src or gen"],
    ["base/b.ts", "net", 'imports net without "node:"'],
    ["base/b.ts", "fs/promises", 'imports fs/promises without "node:"'],
    ["base/b.ts", "node:nett", "imports node:nett, which Node does not have"],
    ["base/b.ts", "node:net", "imports node:net (a)"],
    ["base/socket.ts", "node:fs", "imports node:fs (a)"],
    ["model/b.ts", "node:net", "imports node:net (a)"],
    ["routing/b.ts", "node:child_process", "imports node:child_process (a)"],
    ["transport/memory/b.ts", "node:net", "imports node:net (a)"],
    ["wire/b.ts", "node:fs/promises", "imports node:fs/promises (a)"],
    ["wire/b.ts", "node:inspector", "imports node:inspector (a)"],
    ["base/b.ts", "@connectrpc/connect", "imports @connectrpc/connect"],
    ["routing/b.ts", "pino", "imports pino"],
    ["api/b.ts", "express", "imports express, which is no dependency"],
    ["api/b.ts", "/etc/a.js", "imports /etc/a.js, a form that is not known"],
    ["api/b.ts", "#a", "imports #a, a form that is not known"],
  ] as const) {
    assert.equal(findingsOf(file, `import { a } from "${specifier}";`)[0], `${file} ${says}`);
  }
  assert.deepEqual(findingsOf("model/b.ts", 'import net from "node:net";'), ["model/b.ts imports node:net"]);
  assert.deepEqual(findingsOf("model/b.ts", 'import * as net from "node:net";'), [
    "model/b.ts imports node:net",
  ]);
});

test("the environment is read where the configuration is, and nowhere else", () => {
  for (const source of [
    "const a = process.env['A'];",
    "const { A } = globalThis.process.env;",
    'import { env } from "node:process";',
    'import process from "node:process";',
    "const { env } = process;",
    'const a = process["env"];',
    "use(process);",
  ]) {
    assert.deepEqual(findingsOf("base/b.ts", source), ["base/b.ts reads the environment"], source);
    assert.deepEqual(findingsOf("daemon/b.ts", source), []);
    assert.deepEqual(findingsOf("cli/b.ts", source), []);
  }
  assert.deepEqual(
    findingsOf("base/b.ts", "// process.env\nconst a = b.env + 'process.env'; process.pid;"),
    [],
  );
});

test("what reaches the network without an import is used where sockets are, and nowhere else", () => {
  for (const source of ['await fetch("http://a");', 'new globalThis.WebSocket("ws://a");']) {
    assert.match(findingsOf("routing/b.ts", source)[0] ?? "", /^routing\/b.ts uses (fetch|WebSocket)$/);
    assert.match(findingsOf("base/socket.ts", source)[0] ?? "", /^base\/socket.ts uses /);
    assert.deepEqual(findingsOf("client/b.ts", source), []);
  }
  assert.deepEqual(findingsOf("routing/b.ts", "a.fetch(); // fetch"), []);
});

test("a folder that the table does not know is an error", () => {
  assert.deepEqual(findingsOf("utils/a.ts", ""), ["utils/a.ts lies in no folder of the table"]);
  assert.deepEqual(findingsOf("other.ts", ""), ["other.ts lies in no folder of the table"]);
});
