// Runs the tutorial of README.md for real: each line is a child process of the packed CLI, in a home of its own, on free
// ports. It knows only what the CLI printed, checks every answer, and leaves nothing behind, also where it is interrupted.
import { execFile, spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import { constants, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const root = join(import.meta.dirname, "..");
const body = "Hello from the target.\n";
const limitMs = 60_000;
const failures = [];

/** Ends the line that runs, and then the tour. */
const interruption = new AbortController();
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(name, () => interruption.abort(name));

/** The files that `npm pack` ships, in a folder of their own beside the installed dependencies. */
async function unpack(folder) {
  const list = ["pack", "--dry-run", "--json", "--ignore-scripts"];
  const { stdout } = await promisify(execFile)("npm", list, { cwd: root, signal: interruption.signal });
  const listed = JSON.parse(stdout);
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

function show(line, ...answers) {
  console.log(`\n$ ${line}`);
  for (const answer of answers) if (answer !== "") console.log(answer.trimEnd());
}

const folder = mkdtempSync(join(tmpdir(), "portway-tour-"));
const home = join(folder, "home");
// Nothing of how the user has set Portway up.
const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.startsWith("PORTWAY_")),
);
Object.assign(environment, { PORTWAY_HOME: home, NO_COLOR: "1" });
let main;

/** One line of the tutorial; gives what it printed. In a session of its own: Ctrl-C is for the tour, which ends it. */
function portway(line, { quiet = false, toItsEnd = false } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [main, ...line.split(" ")], {
      env: environment,
      stdio: ["ignore", "pipe", "pipe"],
      timeout: limitMs,
      detached: true,
      signal: toItsEnd ? undefined : interruption.signal,
    });
    let out = "";
    let err = "";
    child.stdout.on("data", (data) => {
      out += data;
    });
    child.stderr.on("data", (data) => {
      err += data;
    });
    // One that is ended first does what it has begun.
    child.on("error", (error) => error.name === "AbortError" || reject(error));
    child.on("close", (code) => {
      if (!quiet) show(`portway ${line}`, out, err);
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
    const { signal } = interruption;
    const request = http.request({ ...where, method, agent: false, timeout: limitMs, signal }, (response) => {
      let text = "";
      response.on("data", (data) => {
        text += data;
      });
      response.on("end", () =>
        resolve({
          line: `HTTP/${response.httpVersion} ${response.statusCode} ${response.statusMessage}`,
          text,
        }),
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
  main = await unpack(join(folder, "package"));
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
  const what = interruption.signal.aborted ? `interrupted by ${interruption.signal.reason}` : error.message;
  failures.push(what);
  console.error(`\n${what}`);
} finally {
  if (main !== undefined)
    await portway("reset -y", { toItsEnd: true }).catch((error) => failures.push(error.message));
  check(daemonPid === 0 || !isAlive(daemonPid), "no process is left");
  check(!existsSync(join(home, "run", "api.sock")), "no socket is left");
  check(!existsSync(home), "no home is left");
  target.closeAllConnections();
  target.close();
  rmSync(folder, { recursive: true, force: true });
}

if (failures.length > 0) {
  console.error(`\nThe tour failed:\n${failures.map((failure) => `  ${failure}`).join("\n")}`);
  const { aborted, reason } = interruption.signal;
  process.exitCode = aborted ? 128 + constants.signals[reason] : 1;
} else console.log("\nThe tour is complete: every answer was as it should be.");
