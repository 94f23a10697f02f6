import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import http from "node:http";
import net from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { createPortwayClient } from "../../src/client/node-client.js";
import { startDaemon, temporaryDirectory } from "./daemon-fixture.js";

const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);

test("a daemon says on standard output when it is ready, and then answers", async (t) => {
  const daemon = startDaemon(t, { flags: { apiAddresses: ["127.0.0.1:0"] } });
  const ready = await daemon.ready;
  assert.equal(ready["pid"], daemon.pid);
  assert.equal(ready["home"], daemon.home.path);
  assert.equal(ready["socketPath"], daemon.home.socketPath);
  assert.equal(ready["autostarted"], false);
  const addresses = ready["apiAddresses"] as string[];
  assert.match(addresses[0]!, /^127\.0\.0\.1:[1-9]\d*$/);
  using client = daemon.client();
  const info = await client.system.getServerInfo({});
  assert.equal(info.pid, daemon.pid);
  assert.equal(info.home, daemon.home.path);
  assert.equal(info.draining, false);
  assert.deepEqual(info.apiAddresses, addresses);
  using remote = createPortwayClient({ baseUrl: `http://${addresses[0]}`, tokenPath: daemon.home.tokenPath });
  assert.equal((await remote.system.getServerInfo({})).pid, daemon.pid);
});

test("a home and all that is in it are for its user alone", async (t) => {
  const daemon = startDaemon(t);
  await daemon.ready;
  const { path, runDirectory, logDirectory, socketPath, tokenPath, lockPath } = daemon.home;
  for (const directory of [path, runDirectory, logDirectory])
    assert.equal(modeOf(directory), "700", directory);
  const logs = ["daemon.log", "n1.log"].map((name) => join(logDirectory, name));
  for (const file of [socketPath, tokenPath, lockPath, ...logs]) assert.equal(modeOf(file), "600", file);
  assert.match(readFileSync(tokenPath, "utf8"), /^[0-9a-f]{64}\n$/);
});

test("the log of a node goes to its file and to standard output, without what is secret", async (t) => {
  const daemon = startDaemon(t);
  await daemon.ready;
  const made = await daemon.line("node.made");
  assert.equal(made["node"], "n1");
  assert.equal(made["token"], "[redacted]");
  const path = join(daemon.home.logDirectory, "n1.log");
  assert.equal(made["path"], path);
  assert.deepEqual(JSON.parse(readFileSync(path, "utf8")), made);
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test(`${signal} ends a daemon in order: exit code 0, no socket and no lock left`, async (t) => {
    const daemon = startDaemon(t);
    await daemon.ready;
    using client = daemon.client();
    await client.system.getServerInfo({}); // an idle connection stays open
    daemon.kill(signal);
    assert.equal(await daemon.exited, 0);
    assert.equal((await daemon.line("daemon.ending"))["by"], signal);
    assert.equal(daemon.lines.at(-1)?.event, "daemon.ended");
    assert.equal(existsSync(daemon.home.socketPath), false);
    assert.equal(existsSync(daemon.home.lockPath), false);
  });
}

test("a signal during the drain ends a daemon at once, and leaves neither socket nor lock", async (t) => {
  const daemon = startDaemon(t, { behaviour: "stuck" });
  await daemon.ready;
  daemon.kill("SIGTERM");
  await daemon.line("daemon.ending");
  daemon.kill("SIGTERM");
  assert.equal(await daemon.exited, 143);
  assert.equal(existsSync(daemon.home.socketPath), false);
  assert.equal(existsSync(daemon.home.lockPath), false);
});

test("Drain answers, is seen by others while sessions are open, and ends the process when its time is over", async (t) => {
  const daemon = startDaemon(t, { behaviour: "stuck" });
  await daemon.ready;
  using client = daemon.client();
  await client.system.drain({ timeout: { seconds: 0n, nanos: 300_000_000 } });
  assert.equal((await client.system.getServerInfo({})).draining, true);
  assert.equal(await daemon.exited, 0);
});

test("whatever is under way and holds it, a daemon ends soon after its drain, and tells its callers", async (t) => {
  const daemon = startDaemon(t, { behaviour: "stubborn", environment: { PORTWAY_DRAIN_MS: "300" } });
  await daemon.ready;
  using client = daemon.client();
  const sent = assert.rejects(client.messages.sendMessage({ to: "/service/echo" }), /unavailable.* before/);
  const watch = client.nodes.watchNodes({})[Symbol.asyncIterator]();
  await watch.next();
  const startMs = performance.now();
  daemon.kill("SIGTERM");
  assert.equal(await daemon.exited, 0);
  const tookMs = performance.now() - startMs;
  await sent;
  await assert.rejects(async () => {
    while ((await watch.next()).done !== true);
  }, /unavailable/);
  assert.ok(tookMs < 4_000, `${tookMs} ms`);
  assert.equal(daemon.lines.at(-1)?.event, "daemon.cut_off");
  assert.equal(existsSync(daemon.home.lockPath), false);
});

test("a signal shortens a longer Drain to the drain of a signal", async (t) => {
  const daemon = startDaemon(t, { behaviour: "stuck", environment: { PORTWAY_DRAIN_MS: "50" } });
  await daemon.ready;
  using client = daemon.client();
  await client.system.drain({ timeout: { seconds: 3600n, nanos: 0 } });
  daemon.kill("SIGTERM");
  assert.equal(await daemon.exited, 0);
});

test("the rotated token is the one that is let in", async (t) => {
  const daemon = startDaemon(t, { flags: { apiAddresses: ["127.0.0.1:0"] } });
  const [address] = (await daemon.ready)["apiAddresses"] as string[];
  const { tokenPath } = daemon.home;
  const old = readFileSync(tokenPath, "utf8").trim();
  using client = daemon.client();
  assert.equal((await client.system.rotateToken({})).tokenPath, tokenPath);
  assert.notEqual(readFileSync(tokenPath, "utf8").trim(), old);
  assert.equal(modeOf(tokenPath), "600");
  using before = createPortwayClient({ baseUrl: `http://${address}`, token: old });
  await assert.rejects(before.system.getServerInfo({}), /unauthenticated/);
  using after = createPortwayClient({ baseUrl: `http://${address}`, tokenPath });
  assert.equal((await after.system.getServerInfo({})).pid, daemon.pid);
});

test("SIGHUP makes a daemon open its logs again", async (t) => {
  const daemon = startDaemon(t);
  await daemon.ready;
  const path = join(daemon.home.logDirectory, "daemon.log");
  renameSync(path, `${path}.moved`);
  daemon.kill("SIGHUP");
  await daemon.line("log.reopened");
  assert.match(readFileSync(path, "utf8"), /"event":"log.reopened"/);
});

for (const [behaviour, origin] of [
  ["crash", "uncaughtException"],
  ["reject", "unhandledRejection"],
] as const) {
  test(`an ${origin} is logged, ends a daemon with 70, and leaves neither socket nor lock`, async (t) => {
    const daemon = startDaemon(t, { behaviour });
    await daemon.ready;
    using client = daemon.client();
    await client.nodes.listNodes({}, { timeoutMs: 2_000 }).catch(() => {});
    assert.equal(await daemon.exited, 70);
    assert.match(daemon.stderr, /a fault for the test/);
    const log = readFileSync(join(daemon.home.logDirectory, "daemon.log"), "utf8");
    const crash = log.split("\n").find((line) => line.includes("daemon.crashed"));
    assert.equal(JSON.parse(crash!).origin, origin);
    assert.equal(JSON.parse(crash!).error.message, "a fault for the test");
    assert.equal(existsSync(daemon.home.socketPath), false);
    assert.equal(existsSync(daemon.home.lockPath), false);
  });
}

test("a second daemon in a home is refused with 69 and the pid of the first, which goes on", async (t) => {
  const first = startDaemon(t);
  await first.ready;
  const second = startDaemon(t, {}, first.home.path);
  assert.equal(await second.exited, 69);
  assert.match(
    second.stderr,
    new RegExp(`another daemon runs in ${first.home.path}: process ${first.pid}, since`),
  );
  using client = first.client();
  assert.equal((await client.system.getServerInfo({})).pid, first.pid);
});

test("a daemon takes over the home of one that was killed, with its socket", async (t) => {
  const first = startDaemon(t);
  await first.ready;
  first.kill("SIGKILL");
  await first.exited;
  assert.equal(existsSync(first.home.socketPath), true);
  assert.equal(existsSync(first.home.lockPath), true);
  const second = startDaemon(t, {}, first.home.path);
  await second.ready;
  using client = second.client();
  assert.equal((await client.system.getServerInfo({})).pid, second.pid);
});

test("a daemon whose home is removed ends, and leaves the one that has come after it alone", async (t) => {
  const first = startDaemon(t);
  await first.ready;
  rmSync(first.home.path, { recursive: true });
  const second = startDaemon(t, {}, first.home.path);
  await second.ready;
  assert.equal(await first.exited, 69);
  assert.equal((await first.line("daemon.ending"))["why"], "home_lost");
  using client = second.client();
  assert.equal((await client.system.getServerInfo({})).pid, second.pid);
});

test("a daemon waits for one that holds the home and does not serve, and follows it", async (t) => {
  const first = startDaemon(t);
  await first.ready;
  const { lockPath, socketPath, path } = first.home;
  renameSync(socketPath, `${socketPath}.away`);
  const second = startDaemon(t, {}, path);
  assert.equal((await second.line("daemon.waiting"))["holderPid"], first.pid);
  assert.equal(JSON.parse(readFileSync(lockPath, "utf8")).pid, first.pid);
  first.kill("SIGTERM");
  await second.ready;
});

test("a signal ends a daemon that waits for a home", async (t) => {
  const first = startDaemon(t);
  await first.ready;
  renameSync(first.home.socketPath, `${first.home.socketPath}.away`);
  const second = startDaemon(t, {}, first.home.path);
  await second.line("daemon.waiting");
  second.kill("SIGTERM");
  assert.equal(await second.exited, 0);
  assert.equal(existsSync(first.home.lockPath), true);
});

test("an autostarted daemon says nothing, stands in /, and ends by itself when it is idle", async (t) => {
  const flags = { autostarted: true, idleTimeoutMs: 200 };
  const daemon = startDaemon(t, { flags });
  const client = daemon.client();
  t.after(() => client[Symbol.dispose]());
  let pid = 0;
  while (pid === 0) {
    // The client tries again for a while until the socket is there.
    pid = await client.system.getServerInfo({}).then(
      (info) => info.pid,
      () => 0,
    );
  }
  assert.equal(pid, daemon.pid);
  if (process.platform === "linux") {
    assert.equal(execFileSync("readlink", [`/proc/${pid}/cwd`], { encoding: "utf8" }).trim(), "/");
  }
  assert.equal(await daemon.exited, 0);
  assert.deepEqual([daemon.lines, daemon.stderr], [[], ""]);
  assert.equal(existsSync(daemon.home.lockPath), false);
  assert.match(readFileSync(join(daemon.home.logDirectory, "daemon.log"), "utf8"), /"why":"idle"/);
});

test("nothing of a home that can't be used is touched", async (t) => {
  const directory = temporaryDirectory(t);
  const elsewhere = join(directory, "elsewhere");
  mkdirSync(elsewhere);
  const link = join(directory, "link");
  symlinkSync(elsewhere, link);
  const open = join(directory, "open");
  mkdirSync(open);
  chmodSync(open, 0o777);
  const file = join(directory, "file");
  writeFileSync(file, "");
  for (const [home, exitCode, text] of [
    [link, 78, /is a symbolic link: expected a directory/],
    [open, 78, /has mode 777: others can write into it/],
    [file, 78, /is not a directory/],
    [join(file, "below"), 73, /can't be made or written to/],
  ] as const) {
    const daemon = startDaemon(t, {}, home);
    assert.equal(await daemon.exited, exitCode, home);
    assert.match(daemon.stderr, text);
  }
  assert.equal(existsSync(join(elsewhere, "run")), false);
  assert.equal(existsSync(join(open, "run")), false);
});

test("what is at the path of the socket is left there by a daemon that can't have it", async (t) => {
  const homes = ["file", "link", "foreign"].map((name) => join(temporaryDirectory(t), name));
  const [file, link, foreign] = homes.map((home) => join(home, "run", "api.sock")) as [
    string,
    string,
    string,
  ];
  for (const home of homes) mkdirSync(join(home, "run"), { recursive: true, mode: 0o700 });
  writeFileSync(file, "precious");
  symlinkSync("nowhere", link);
  const server = net.createServer((socket) => socket.destroy()).listen(foreign);
  t.after(() => server.close());
  for (const [home, exitCode, text] of [
    [homes[0]!, 78, /api\.sock is there and is not a socket/],
    [homes[1]!, 78, /api\.sock is there and is not a socket/],
    [homes[2]!, 69, /another process serves the API socket/],
  ] as const) {
    const daemon = startDaemon(t, {}, home);
    assert.equal(await daemon.exited, exitCode, home);
    assert.match(daemon.stderr, text);
    assert.ok(lstatSync(daemon.home.socketPath), home);
    assert.equal(existsSync(daemon.home.lockPath), false);
  }
  assert.equal(readFileSync(file, "utf8"), "precious");
});

test("a token file that others can read is refused with 78", async (t) => {
  const home = join(temporaryDirectory(t), "home");
  mkdirSync(home, { mode: 0o700 });
  writeFileSync(join(home, "token"), `${"a".repeat(64)}\n`, { mode: 0o644 });
  const daemon = startDaemon(t, {}, home);
  assert.equal(await daemon.exited, 78);
  assert.match(daemon.stderr, /token has mode 644/);
  assert.equal(existsSync(daemon.home.lockPath), false);
});

test("a TCP address of the API that is taken is an error that names it, and nothing is left", async (t) => {
  const taken = net.createServer();
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  t.after(() => taken.close());
  const { port } = taken.address() as net.AddressInfo;
  const daemon = startDaemon(t, { flags: { apiAddresses: [`127.0.0.1:${port}`] } });
  assert.equal(await daemon.exited, 73);
  assert.match(daemon.stderr, new RegExp(`can't listen on 127.0.0.1:${port}`));
  assert.equal(existsSync(daemon.home.lockPath), false);
  assert.equal(existsSync(daemon.home.socketPath), false);
});

test("a reader of standard output that goes away does not end a daemon", async (t) => {
  const daemon = startDaemon(t);
  await daemon.ready;
  daemon.process.stdout!.destroy();
  using client = daemon.client();
  await client.nodes.createNode({ nodeId: "n1" });
  await client.nodes.createNode({ nodeId: "n2" });
  daemon.kill("SIGTERM");
  assert.equal(await daemon.exited, 0);
});

test("curl-like JSON over the Unix socket works", async (t) => {
  const daemon = startDaemon(t);
  await daemon.ready;
  const answer = await new Promise<string>((resolve, reject) => {
    const request = http.request({
      socketPath: daemon.home.socketPath,
      path: "/portway.v1.SystemService/GetServerInfo",
      method: "POST",
      headers: { "content-type": "application/json" },
    });
    request.once("error", reject);
    request.once("response", (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      response.once("end", () => resolve(text));
    });
    request.end("{}");
  });
  assert.equal(JSON.parse(answer).pid, daemon.pid);
});
