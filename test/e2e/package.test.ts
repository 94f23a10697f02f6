import assert from "node:assert/strict";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { projectRoot } from "../support/project-root.js";
import { Machine } from "./support/machine.js";
import { ended, InstalledPackage } from "./support/package.js";
import { freePort } from "./support/ports.js";

/** What a page pays at most for a client of one service: 30 kB when it was set, and some for what comes to the API. */
const maxGzipBytes = 34_000;

let installed: InstalledPackage;

before(async () => {
  installed = await InstalledPackage.install();
});

after(() => installed?.[Symbol.dispose]());

test("the example of a node in a program runs as its README says", async () => {
  const example = join(projectRoot, "examples/embedded");
  copyFileSync(join(example, "main.mjs"), join(installed.folder, "main.mjs"));
  const { code, stdout, stderr } = await installed.run("main.mjs");
  assert.equal(stderr, "");
  assert.equal(code, 0);
  const said = stdout.trimEnd().split("\n");
  assert.equal(said.length, 2);
  const readme = readFileSync(join(example, "README.md"), "utf8");
  for (const line of said) assert.ok(readme.includes(`# ${line}`), `${line} is not what the README shows`);
});

test("a program drives a daemon with portway/client, over the Unix socket and over TCP", async () => {
  const port = await freePort();
  await using machine = await Machine.serving(["--api-address", `127.0.0.1:${port}`]);
  const program = `
    import { createChannel, createPortwayClient, failureOf, NodeService, openWorker, State, watchNodes, WatchEventType } from "portway/client";
    const [socketPath, tokenPath, baseUrl] = process.argv.slice(2);
    const client = createPortwayClient({ socketPath });
    const { node } = await client.nodes.createNode({ nodeId: "n1" });
    const channel = createChannel({ baseUrl, tokenPath });
    const { nodes } = await channel.client(NodeService).listNodes({});
    const failure = await client.nodes.getNode({ name: "nodes/none" }).catch(failureOf);
    const refused = await createChannel({ baseUrl, token: "wrong" }).client(NodeService).listNodes({}).catch(failureOf);
    const violated = await client.nodes.getNode({ name: "" }).catch(failureOf);
    const seen = [];
    for await (const { type, node } of watchNodes(client.nodes)) {
      if (type === WatchEventType.SYNCED) void client.nodes.createNode({ nodeId: "n2" });
      else seen.push(node.name);
      if (seen.includes("nodes/n2")) break;
    }
    const worker = await openWorker(client.messages, { node: "nodes/n1", address: "greeter" });
    const sent = client.messages.sendMessage({ node: "nodes/n1", to: "/service/greeter", payload: Buffer.from("me") });
    for await (const message of worker) {
      await worker.reply(message, Buffer.from("Hello, " + Buffer.from(message.payload)));
      break;
    }
    seen.push(Buffer.from((await sent).payload).toString());
    await worker.close();
    for (const name of ["nodes/n1", "nodes/n2"]) await client.nodes.deleteNode({ name });
    console.log(JSON.stringify([node.status.state === State.ACTIVE, nodes.map(({ name }) => name),
      failure.reason, refused.code, violated.fieldViolations.map(({ field }) => field), seen]));
    client[Symbol.dispose]();
    channel[Symbol.dispose]();
  `;
  const { socketPath, tokenPath } = machine.home;
  const args = [socketPath, tokenPath, `http://127.0.0.1:${port}`];
  const { stdout, stderr } = await installed.run("client.mjs", program, args);
  assert.equal(stderr, "");
  assert.deepEqual(JSON.parse(stdout), [
    true,
    ["nodes/n1"],
    "NODE_NOT_FOUND",
    "unauthenticated",
    ["name"],
    ["nodes/n1", "nodes/n2", "Hello, me"],
  ]);
});

test("a page that lists nodes needs no module of Node.js, and not more bytes than it may", async (context) => {
  const contents = `
    import { createChannel, NodeService } from "portway/client";
    const nodes = createChannel({ baseUrl: location.origin, token: "t" }).client(NodeService);
    for (const node of (await nodes.listNodes({})).nodes) console.log(node.name);
  `;
  const { outputFiles, metafile } = await build({
    stdin: { contents, resolveDir: installed.folder },
    absWorkingDir: installed.folder,
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    metafile: true,
    write: false,
    logLevel: "silent",
  });
  const [bundle] = outputFiles;
  const gzipBytes = gzipSync(bundle!.contents, { level: 9 }).byteLength;
  context.diagnostic(
    `portway/client in a page: ${bundle!.contents.byteLength} bytes, ${gzipBytes} with gzip`,
  );
  const inputs = Object.keys(metafile.inputs);
  assert.ok(inputs.some((path) => path.endsWith("portway/dist/src/client/browser.js")));
  const imported = Object.values(metafile.inputs).flatMap(({ imports }) => imports.map(({ path }) => path));
  assert.deepEqual(
    imported.filter((path) => path.startsWith("node:")),
    [],
  );
  // What was not named is not there.
  assert.doesNotMatch(bundle!.text, /portway\/v1\/relay_service\.proto/);
  assert.ok(gzipBytes <= maxGzipBytes, `${gzipBytes} bytes, and ${maxGzipBytes} are the limit`);
});

test("portway/client exports the same names to a page and to Node.js", async () => {
  const { stdout } = await installed.run(
    "names.mjs",
    `console.log(JSON.stringify(Object.keys(await import("portway/client")).sort()))`,
  );
  const page = await ended(process.execPath, ["--conditions=browser", "names.mjs"], installed.folder);
  assert.ok(JSON.parse(stdout).includes("createPortwayClient"));
  assert.deepEqual(JSON.parse(page.stdout), JSON.parse(stdout));
});

test("the protos and package.json are there to be found, and nothing else is", async () => {
  const program = `
    import { readFileSync } from "node:fs";
    const find = (name) => readFileSync(new URL(import.meta.resolve(name)), "utf8");
    console.log(find("portway/proto/portway/v1/node_service.proto").includes("service NodeService"));
    console.log(find("portway/proto/buf/validate/validate.proto").includes("package buf.validate"));
    console.log(JSON.parse(find("portway/package.json")).name);
    for (const name of ["portway", "portway/dist/src/main.js", "portway/client/node.js"])
      console.log((await import(name).catch((error) => error)).code);
  `;
  const { stdout, stderr } = await installed.run("protos.mjs", program);
  assert.equal(stderr, "");
  const no = "ERR_PACKAGE_PATH_NOT_EXPORTED";
  assert.deepEqual(stdout.trim().split("\n"), ["true", "true", "portway", no, no, no]);
});

test("the types of both entries hold in a strict program", async () => {
  const program = `
    import { createChannel, createPortwayClient, type Failure, failureOf, NodeService, type Node } from "portway/client";
    import { createNode, PortwayError, type Reply } from "portway/node";
    const { nodes }: { nodes: Node[] } = await createChannel({ baseUrl: "http://a" }).client(NodeService).listNodes({});
    using client = createPortwayClient({ socketPath: "/s" }, { timeoutMs: 5 });
    const failure: Failure | object = await client.nodes.getNode({ name: nodes[0]?.name ?? "" }).catch(failureOf);
    await using node = await createNode({ listen: "127.0.0.1:0" });
    using worker = node.worker("w", async ({ text }) => { if (text === "a") return text; return undefined; });
    using quiet = node.worker("q", async () => {});
    const reply: Reply = await node.send("/service/w", "x", { timeoutMs: 5 });
    // @ts-expect-error: there is no such method
    client.nodes.flyNode({});
    // @ts-expect-error: a port is part of the text
    await node.listen(7000);
    export { failure, PortwayError, quiet, reply, worker };
  `;
  writeFileSync(join(installed.folder, "program.ts"), program);
  const tsc = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin/tsc");
  const types = join(projectRoot, "node_modules/@types");
  const strict = ["--strict", "--exactOptionalPropertyTypes", "--noEmit", "--target", "es2022"];
  const lib = ["--lib", "es2023,esnext.disposable,dom", "--typeRoots", types, "--types", "node"];
  const how = ["--module", "nodenext", "--skipLibCheck", "false"];
  const args = [tsc, ...strict, ...lib, ...how, "program.ts"];
  const { code, stdout } = await ended(process.execPath, args, installed.folder);
  assert.equal(stdout, "");
  assert.equal(code, 0);
});
