import assert from "node:assert/strict";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { describe, test } from "node:test";
import { Machine } from "./support/machine.js";
import { daemonsOf, hasProc, isAlive } from "./support/processes.js";
import { connectTo, endOf, exchangeOn, isRefused } from "./support/tcp-client.js";
import { behaviours, TcpTarget } from "./support/tcp-target.js";
import { patienceMs, until, within, withSlack } from "./support/until.js";

const clients = 50;
const idleMs = withSlack(5_000);
const atOnceMs = withSlack(1_000);

test("50 commands at once on an empty home end with one daemon and 50 answers", async () => {
  await using machine = new Machine();
  const answers = await Promise.all(
    Array.from({ length: clients }, (_, at) =>
      machine.cli(`node create n${at} --output json`, { limitMs: 4 * patienceMs }),
    ),
  );
  for (const { code, stderr } of answers) assert.equal(code, 0, stderr);
  const pids = new Set(answers.map(({ stdout }) => JSON.parse(stdout).pid));
  assert.deepEqual([...pids], [await machine.pid()]);
  assert.equal(JSON.parse(await machine.run("node list --output json")).length, clients);
  if (hasProc) assert.deepEqual(daemonsOf(machine.home.path), [...pids]);
});

test("reset ends the daemon, deletes what Portway created, and names what is left", async () => {
  await using machine = new Machine();
  await machine.run("node create n1");
  const pid = await machine.pid();
  const mine = join(machine.home.path, "mine.txt");
  writeFileSync(mine, "not Portway's");
  const refused = await machine.cli("reset");
  assert.equal(refused.code, 64);
  const { code, stderr } = await machine.cli("reset -y");
  assert.equal(code, 0);
  assert.match(stderr, /mine\.txt/);
  assert.ok(!isAlive(pid));
  assert.ok(existsSync(mine) && !existsSync(machine.home.runDirectory));
  assert.equal((await machine.cli(["node", "list", "--no-start"])).code, 69);
  rmSync(machine.home.path, { recursive: true });
});

test("a home with other things in it is used, and is after a reset what it was before", async () => {
  await using machine = new Machine();
  const { path, logDirectory } = machine.home;
  mkdirSync(logDirectory, { recursive: true });
  for (const each of [path, logDirectory]) chmodSync(each, 0o755);
  writeFileSync(join(logDirectory, "nginx.log"), "127.0.0.1 GET /\n");
  await machine.run("node create n1");
  const { stderr } = await machine.cli("reset -y");
  assert.match(stderr, /nginx\.log/);
  assert.deepEqual(readdirSync(path, { recursive: true }).sort(), ["logs", join("logs", "nginx.log")]);
  for (const each of [path, logDirectory]) assert.equal(statSync(each).mode & 0o777, 0o755);
  rmSync(path, { recursive: true });
});

/** A daemon in the foreground with a portal of its own, and a session that is open. */
async function withSession(echo: TcpTarget) {
  const machine = await Machine.serving();
  await machine.run("node create n1");
  await machine.run(`tcp-outlet create --at n1 --to ${echo.address}`);
  const bound = await machine.run("tcp-inlet create --at n1 --from 127.0.0.1:0 --to /service/outlet");
  const port = Number(bound.split(":")[1]);
  const socket = await connectTo(port);
  assert.equal(await exchangeOn(socket, "open"), "open");
  return { machine, port, socket };
}

describe("the end of a daemon", { concurrency: true }, () => {
  test("without nodes a daemon that a command started ends by itself, one in the foreground stays", async () => {
    await using started = new Machine();
    await using served = await Machine.serving();
    for (const machine of [started, served]) {
      await machine.run("node create n1");
      await machine.pid();
    }
    const pid = await started.pid();
    for (const machine of [served, started]) assert.equal(await machine.run("node delete --all -y"), "n1");
    const { tookMs } = await until("it has ended", () => !isAlive(pid), idleMs);
    assert.ok(tookMs < idleMs, `${tookMs} ms`);
    assert.ok(!existsSync(started.home.socketPath));
    assert.equal(await served.run("node list --output json"), "[]");
    assert.match(await started.run("node create n2"), /n2/);
  });

  test("SIGTERM lets an open session finish, and takes nothing new", async () => {
    await using echo = await TcpTarget.listen(behaviours.echoes);
    const { machine, port, socket } = await withSession(echo);
    await using _ = machine;
    await machine.signal("SIGTERM");
    await until("nothing is accepted", () => isRefused(port), atOnceMs);
    assert.equal(await exchangeOn(socket, "still there"), "still there");
    const created = await machine.cli("node create n2");
    assert.equal(created.code, 69);
    assert.match(created.stderr, /drain/);
    socket.end();
    assert.equal(await machine.ended(atOnceMs), 0);
  });

  test("SIGTERM waits no longer than 10 s for sessions, and a second one not at all", async () => {
    await using echo = await TcpTarget.listen(behaviours.echoes);
    const [patient, hasty] = await Promise.all([withSession(echo), withSession(echo)]);
    await using _patient = patient.machine;
    await using _hasty = hasty.machine;
    const ends = [endOf(patient.socket), endOf(hasty.socket)];
    const startMs = performance.now();
    await Promise.all([patient.machine.signal("SIGTERM"), hasty.machine.signal("SIGTERM")]);
    await until("it drains", () => hasty.machine.lines.some(({ event }) => event === "daemon.ending"));
    await hasty.machine.signal("SIGTERM");
    assert.equal(await hasty.machine.ended(atOnceMs), 128 + 15);
    assert.equal(await patient.machine.ended(withSlack(10_000)), 0);
    const tookMs = performance.now() - startMs;
    assert.ok(tookMs < withSlack(10_000), `${tookMs} ms`);
    for (const end of ends) assert.match(await end, /ECONNRESET|end/);
  });
});

test("a daemon that a command started has none of the caller's secrets and directories", {
  skip: !hasProc && "/proc is needed",
}, async () => {
  await using machine = new Machine({ SECRET_OF_THE_SHELL: "s3cret", NODE_OPTIONS: "--no-warnings" });
  await machine.run("node create n1");
  const pid = await machine.pid();
  const environment = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").filter(Boolean);
  const names = environment.map((each) => each.split("=")[0]).sort();
  assert.deepEqual(names, ["HOME", "PATH", "PORTWAY_HOME"]);
  assert.equal(readlinkSync(`/proc/${pid}/cwd`), "/");
});

test("a daemon that a command started holds no lock and no pipe of the caller's", {
  skip: !hasProc && "/proc is needed",
}, async () => {
  await using machine = new Machine();
  const stdio = Array<"ignore" | "pipe">(200).fill("ignore").concat("pipe");
  const child = machine.spawn(["node", "create", "n1"], { stdio });
  const given = child.stdio.at(200) as Readable;
  given.resume();
  await within("what was given to the command has ended", once(given, "end"));
  assert.equal(JSON.parse(await machine.run("node list")).length, 1);
});

test("status and the command that starts a daemon say that the one before it was killed; the next command does not", async () => {
  await using machine = new Machine();
  await machine.run("node create n1");
  const pid = await machine.pid();
  await machine.kill9();
  const said = `! the daemon of before, process ${pid}, was killed or has crashed`;
  const status = await machine.cli("status");
  assert.deepEqual([status.code, JSON.parse(status.stdout).running], [0, false]);
  assert.ok(status.stderr.includes(said), status.stderr);
  const first = await machine.cli("node list");
  const { stdout, code } = first;
  assert.deepEqual({ stdout, code }, { stdout: "[]", code: 0 });
  // On a busy machine it also says what it waits for.
  assert.ok(first.stderr.includes(said), first.stderr);
  assert.ok(!(await machine.cli("node list")).stderr.includes("killed"));
});

for (const how of ["SIGINT", "SIGTERM", "the end of standard input"] as const) {
  test(`node create --foreground deletes its node at ${how}`, async () => {
    await using machine = await Machine.serving();
    const args = [
      "node",
      "create",
      "n1",
      "--foreground",
      ...(how.startsWith("SIG") ? [] : ["--exit-on-eof"]),
    ];
    const child = machine.spawn(args, { stdio: ["pipe", "pipe", "inherit"] });
    let stdout = "";
    child.stdout!.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    const exited = new Promise((resolve) => child.once("close", (code, signal) => resolve(code ?? signal)));
    await until("the node was made", () => stdout.trim() === "n1");
    assert.equal(JSON.parse(await machine.run("node list --output json")).length, 1);
    if (how.startsWith("SIG")) child.kill(how as NodeJS.Signals);
    else child.stdin!.end();
    assert.equal(await exited, 0);
    assert.equal(await machine.run("node list --output json"), "[]");
  });
}
