// Runs the tutorial of README.md for real: each line is a child process of the packed CLI, in a home of its own, on free
// ports. It knows only what the CLI printed, checks every answer, and leaves nothing behind.
import { spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const root = join(import.meta.dirname, "..");
const body = "Hello from the target.\n";
const limitMs = 60_000;
const failures = [];

/** The files that `npm pack` ships, in a folder of their own beside the installed dependencies. */
function unpack(folder) {
  const packed = spawnSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
    cwd: root,
    encoding: "utf8",
  });
  if (packed.status !== 0) throw new Error(`npm pack failed: ${packed.stderr}`);
  const listed = JSON.parse(packed.stdout);
  const { files } = Array.isArray(listed) ? listed[0] : Object.values(listed)[0];
  for (const { path } of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    cpSync(join(root, path), join(folder, path));
  }
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"), "junction");
  return join(folder, "dist/src/main.js");
}

function listen(server) {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => resolve(server.address().port));
  });
}

async function freePort() {
  const server = net.createServer();
  const port = await listen(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function check(holds, what) {
  if (!holds) failures.push(what);
  console.log(holds ? `    ✔ ${what}` : `    ✗ ${what}`);
}

function show(line, answer) {
  console.log(`\n$ ${line}`);
  if (answer !== "") console.log(answer.trimEnd());
}

const folder = mkdtempSync(join(tmpdir(), "portway-tour-"));
const home = join(folder, "home");
const environment = { ...process.env, PORTWAY_HOME: home, NO_COLOR: "1" };
const main = unpack(join(folder, "package"));

/** One line of the tutorial; gives what it printed. */
function portway(line, { quiet = false } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [main, ...line.split(" ")], {
      env: environment,
      stdio: ["ignore", "pipe", "pipe"],
      timeout: limitMs,
    });
    let out = "";
    let err = "";
    child.stdout.on("data", (data) => {
      out += data;
    });
    child.stderr.on("data", (data) => {
      err += data;
    });
    child.on("error", reject);
    child.on("close", (code) => {
      if (!quiet) show(`portway ${line}`, out + err);
      if (code === 0) resolve(out.trim());
      else reject(new Error(`portway ${line} ended with ${code}: ${err.trim()}`));
    });
  });
}

function fetchThrough(port, method) {
  return fetchFrom({ port, host: "127.0.0.1" }, method);
}

function fetchFrom(where, method) {
  return new Promise((resolve, reject) => {
    const request = http.request({ ...where, method, agent: false, timeout: limitMs }, (response) => {
      let text = "";
      response.on("data", (data) => {
        text += data;
      });
      response.on("end", () =>
        resolve({ line: `HTTP/${response.httpVersion} ${response.statusCode} OK`, text }),
      );
    });
    request.on("timeout", () => request.destroy(new Error("no answer in time")));
    request.on("error", reject);
    request.end();
  });
}

/** A process that has ended and that nobody has asked about yet (a zombie) is not alive. */
function isAlive(pid) {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const stat = `/proc/${pid}/stat`;
  return !existsSync(stat) || !/\) Z /.test(readFileSync(stat, "latin1"));
}

const target = http.createServer((_request, response) => response.end(body));
let daemonPid = 0;
try {
  const targetPort = await listen(target);
  const relayPort = await freePort();
  const inletPort = await freePort();
  console.log(`A target: an HTTP server on 127.0.0.1:${targetPort}`);

  await portway(`node create n2 --tcp-listener-address=127.0.0.1:${relayPort}`);
  await portway("node create n3");
  await portway("service start hop --at n3");
  const relay = await portway("relay create n3 --at /node/n2 --to /node/n3");
  check(relay.includes("/service/forward_to_n3"), "the relay is at /service/forward_to_n3");
  await portway("node create n1");
  const connection = await portway(`tcp-connection create --from n1 --to 127.0.0.1:${relayPort}`);
  check(/^\/worker\/[0-9a-f]{32}$/.test(connection), "the connection has a worker address");
  const through = `${connection}/service/forward_to_n3`;
  const reply = await portway(`message send hello --from n1 --to ${through}/service/uppercase`);
  check(reply === "HELLO", "the message came back as HELLO");
  await portway(`tcp-outlet create --at n3 --from /service/outlet --to 127.0.0.1:${targetPort}`);
  await portway(
    `tcp-inlet create --at n1 --from 127.0.0.1:${inletPort} --to ${through}/service/hop/service/outlet`,
  );
  const head = await fetchThrough(inletPort, "HEAD");
  show(`curl --head 127.0.0.1:${inletPort}`, head.line);
  check(head.line.includes(" 200 "), "the portal answered 200");
  const page = await fetchThrough(inletPort, "GET");
  show(`curl 127.0.0.1:${inletPort}`, page.text);
  check(page.text === body, "the portal brought the target's page");
  daemonPid = JSON.parse(await portway("status --output json", { quiet: true })).pid ?? 0;
  check(daemonPid > 0 && isAlive(daemonPid), "one daemon runs it all");
  const docs = await fetchFrom(
    { socketPath: join(home, "run", "api.sock"), path: "/docs/", headers: { host: "localhost" } },
    "GET",
  );
  check(docs.text.includes("portway.v1.NodeService"), "the daemon serves the reference of its API");
  await portway("node delete --all");
} catch (error) {
  failures.push(error.message);
  console.error(`\n${error.message}`);
} finally {
  await portway("reset -y").catch((error) => failures.push(error.message));
  check(daemonPid === 0 || !isAlive(daemonPid), "no process is left");
  check(!existsSync(join(home, "run", "api.sock")), "no socket is left");
  check(!existsSync(home), "no home is left");
  target.closeAllConnections();
  target.close();
  rmSync(folder, { recursive: true, force: true });
}

if (failures.length > 0) {
  console.error(`\nThe tour failed:\n${failures.map((failure) => `  ${failure}`).join("\n")}`);
  process.exitCode = 1;
} else console.log("\nThe tour is complete: every answer was as it should be.");
