import assert from "node:assert/strict";
import { once } from "node:events";
import { openSync } from "node:fs";
import files from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import net from "node:net";
import { test } from "node:test";
import { waitingBytes } from "../../src/base/kernel-queue.js";
import { deferred } from "../../src/base/signals.js";

const onLinux = { timeout: 20_000, skip: process.platform !== "linux" && "the system does not tell" };
const fdOf = (socket: net.Socket): number => (socket as unknown as { _handle: { fd: number } })._handle.fd;

const unacknowledged = async (socket: net.Socket) => (await waitingBytes(fdOf(socket)))?.unacknowledged;

for (const host of ["127.0.0.1", "::1"]) {
  test(`what a peer on ${host} has not taken is told, and falls as it takes it`, onLinux, async (t) => {
    const server = net.createServer({ pauseOnConnect: true }).listen(0, host);
    t.after(() => server.close());
    await once(server, "listening");
    const socket = net.connect((server.address() as net.AddressInfo).port, host);
    const [peer] = (await once(server, "connection")) as [net.Socket];
    t.after(() => {
      socket.destroy();
      peer.destroy();
    });
    assert.equal(await unacknowledged(socket), 0);
    socket.write(Buffer.alloc(64 * 1024 * 1024));
    const [full, again] = await Promise.all([1, 2].map(() => unacknowledged(socket)));
    assert.ok(full! > 64 * 1024, `${full}`);
    assert.equal(again, full);
    peer.resume();
    while (socket.writableLength > 0) await once(socket, "drain");
    while ((await unacknowledged(socket)) !== 0) await new Promise(setImmediate);
  });
}

test("all who ask while the tables are read share the next reading", onLinux, async (t) => {
  const held = deferred<string>();
  // Each asks in its own time, which is that of the system otherwise.
  t.mock.method(files, "readlink", async () => "socket:[1]");
  const readFile = t.mock.method(files, "readFile", () => held.promise);
  syncBuiltinESMExports();
  t.after(() => {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  });
  const asked = [waitingBytes(0)];
  while (readFile.mock.callCount() === 0) await new Promise(setImmediate);
  for (let times = 50; times > 0; times -= 1) {
    asked.push(waitingBytes(0));
    await new Promise(setImmediate);
  }
  assert.equal(readFile.mock.callCount(), 2, "two tables");
  held.resolve("");
  await Promise.all(asked);
  assert.equal(readFile.mock.callCount(), 4);
});

test("what is no socket, or is not open, has no such bytes", onLinux, async () => {
  assert.equal(await waitingBytes(openSync("/dev/null", "r")), undefined);
  assert.equal(await waitingBytes(9_999), undefined);
});
