import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmodSync, existsSync, lstatSync, mkdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { maxSocketPathBytes } from "../../src/base/socket-path.js";
import { apiFixture } from "../support/api-fixture.js";
import { rawRequest } from "../support/raw-http.js";

const request = {
  path: "/portway.v1.SystemService/GetServerInfo",
  headers: { "content-type": "application/json" },
  body: "{}",
};

test("the socket is its owner's alone, in a directory that is its owner's alone", async (t) => {
  const { server, directory } = await apiFixture(t);
  const run = join(directory, "home", "run");
  const mask = process.umask(0);
  try {
    await server.listenUnix(join(run, "api.sock"));
    assert.equal(process.umask(), 0, "the umask is what it was");
  } finally {
    process.umask(mask);
  }
  assert.equal(statSync(run).mode & 0o777, 0o700);
  assert.equal(statSync(join(run, "api.sock")).mode & 0o777, 0o600);
});

test("the socket goes away with the server", async (t) => {
  const { server, directory } = await apiFixture(t);
  const path = join(directory, "run", "api.sock");
  await server.listenUnix(path);
  await server.close();
  assert.equal(existsSync(path), false);
});

test("a socket that was left behind is replaced", async (t) => {
  const { server, directory } = await apiFixture(t);
  const path = join(directory, "run", "api.sock");
  mkdirSync(join(directory, "run"), { mode: 0o700 });
  const script = `require("net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`;
  await new Promise((resolve) => spawn(process.execPath, ["-e", script]).once("exit", resolve));
  assert.ok(lstatSync(path).isSocket());
  await server.listenUnix(path);
  assert.equal((await rawRequest({ at: path, ...request })).status, 200);
});

test("a socket that somebody serves is never taken away", async (t) => {
  const first = await apiFixture(t);
  const second = await apiFixture(t);
  const path = join(first.directory, "run", "api.sock");
  await first.server.listenUnix(path);
  await assert.rejects(second.server.listenUnix(path), {
    code: "address_in_use",
    message: /another process serves/,
  });
  assert.equal((await rawRequest({ at: path, ...request })).status, 200);
});

test("a server that does not answer still holds its socket", async (t) => {
  const { server, directory } = await apiFixture(t);
  mkdirSync(join(directory, "run"), { mode: 0o700 });
  const path = join(directory, "run", "api.sock");
  const silent = net.createServer(() => {});
  await new Promise<void>((resolve) => silent.listen(path, resolve));
  await assert.rejects(server.listenUnix(path), { code: "address_in_use" });
  assert.ok(existsSync(path));
  silent.close();
});

test("something at the path that is no socket stays there", async (t) => {
  const { server, directory } = await apiFixture(t);
  mkdirSync(join(directory, "run"), { mode: 0o700 });
  const path = join(directory, "run", "api.sock");
  writeFileSync(path, "mine");
  await assert.rejects(server.listenUnix(path), { code: "bad_argument", message: /not a socket/ });
  assert.ok(existsSync(path));
});

test("a symbolic link at the path is not followed", async (t) => {
  const { server, directory } = await apiFixture(t);
  mkdirSync(join(directory, "run"), { mode: 0o700 });
  const path = join(directory, "run", "api.sock");
  symlinkSync(join(directory, "elsewhere.sock"), path);
  await assert.rejects(server.listenUnix(path), { code: "bad_argument" });
  assert.equal(existsSync(join(directory, "elsewhere.sock")), false);
});

test("a directory that is a symbolic link, or open to others, is refused", async (t) => {
  const { server, directory } = await apiFixture(t);
  mkdirSync(join(directory, "real"), { mode: 0o700 });
  symlinkSync(join(directory, "real"), join(directory, "link"));
  await assert.rejects(server.listenUnix(join(directory, "link", "api.sock")), {
    code: "insecure",
    message: /symbolic link/,
  });
  for (const mode of [0o755, 0o770, 0o701, 0o722]) {
    const open = join(directory, `open${mode.toString(8)}`);
    mkdirSync(open);
    chmodSync(open, mode);
    await assert.rejects(server.listenUnix(join(open, "api.sock")), { code: "insecure", message: /mode/ });
    assert.equal(existsSync(join(open, "api.sock")), false);
  }
});

test("a path that is too long is a clear error, and the longest one works", async (t) => {
  const { server, directory } = await apiFixture(t);
  const start = join(directory, "run", "");
  const longest = `${start}/${"s".repeat(maxSocketPathBytes - start.length - 1)}`;
  await assert.rejects(server.listenUnix(`${longest}s`), {
    code: "bad_argument",
    message: /104 bytes: expected at most 103/,
  });
  await server.listenUnix(longest);
  assert.equal((await rawRequest({ at: longest, ...request })).status, 200);
});
