import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { type TestContext, test } from "node:test";
import { Message } from "../../../src/model/message.js";
import { Route } from "../../../src/model/route.js";
import { TcpTransport } from "../../../src/transport/tcp/tcp-transport.js";
import type { Connection } from "../../../src/transport/transport.js";
import { encodeMessage } from "../../../src/wire/encode.js";
import { CollectingUser, closedGate, opened } from "../../suites/collecting-user.js";
import { hex } from "../../wire/vectors.js";

const stallTimeoutMs = 400;
const heartbeat = hex("00000004 83 80 80 40");
const routes = { onward: Route.parse("worker"), return: Route.parse("back") };

/** A connection of ours and the plain socket at its other end. */
async function pair(t: TestContext, user: CollectingUser) {
  const transport = new TcpTransport({ stallTimeoutMs });
  t.after(() => transport.close());
  let connection: Connection | undefined;
  const { bound } = await transport.listen({ host: "127.0.0.1", port: 0 }, (made) => {
    connection = made;
    return user;
  });
  const socket = net.connect(bound);
  socket.on("error", () => {});
  t.after(() => socket.destroy());
  await once(socket, "connect");
  socket.write(hex("01"));
  while (connection === undefined) await new Promise(setImmediate);
  return { connection, socket };
}

/** Counts, from the version byte on, how often a connection says that it lives; nothing else may come. */
async function beatsOf(socket: net.Socket) {
  socket.once("data", (version) => assert.deepEqual(version, hex("01")));
  await once(socket, "data");
  const beats = { count: 0 };
  socket.on("data", (data: Buffer) => {
    assert.deepEqual(data.subarray(0, 8), heartbeat);
    beats.count += data.byteLength / heartbeat.byteLength;
  });
  return beats;
}

/** Sends until the peer takes no more; how long it is waited for from then on. */
async function patience(connection: Connection, user: CollectingUser): Promise<number> {
  const payload = Buffer.alloc(48 * 1024, 7);
  let lastMs = performance.now();
  while (user.ended === undefined) {
    const gate = connection.send(Message.of({ ...routes, payload }));
    if (gate === undefined) lastMs = performance.now();
    else await opened(gate);
  }
  assert.equal(user.ended, "stalled");
  return performance.now() - lastMs;
}

test("a peer that takes nothing is cut off after the limit; one that says that it lives, after six times that", async (t) => {
  const quiet = new CollectingUser();
  const silent = await pair(t, quiet);
  silent.socket.pause();
  const silentMs = await patience(silent.connection, quiet);
  assert.ok(silentMs >= stallTimeoutMs * 0.9 && silentMs < stallTimeoutMs * 4, `${silentMs} ms`);

  const user = new CollectingUser();
  const alive = await pair(t, user);
  alive.socket.pause();
  const beating = setInterval(() => alive.socket.write(heartbeat), stallTimeoutMs / 4);
  t.after(() => clearInterval(beating));
  const aliveMs = await patience(alive.connection, user);
  assert.ok(aliveMs >= stallTimeoutMs * 5.9, `${aliveMs} ms`);
  assert.deepEqual(user.messages, []);
});

const onLinux = { skip: process.platform !== "linux" && "only Linux tells what waits in a socket" };

test("a peer that takes in large steps is not cut off", onLinux, async (t) => {
  const user = new CollectingUser();
  const { connection, socket } = await pair(t, user);
  socket.pause();
  // 2 MB/s: the system shows that it took something once a third of the send buffer is free, up to 1.4 MB.
  let receivedBytes = 0;
  socket.on("data", (data: Buffer) => {
    receivedBytes += data.byteLength;
    if (receivedBytes >= 200 * 1024) socket.pause();
  });
  const reading = setInterval(() => {
    receivedBytes = 0;
    socket.resume();
  }, stallTimeoutMs / 4);
  t.after(() => clearInterval(reading));
  const payload = Buffer.alloc(48 * 1024, 7);
  let fullSinceMs: number | undefined;
  while (
    user.ended === undefined &&
    performance.now() - (fullSinceMs ?? performance.now()) < 6 * stallTimeoutMs
  ) {
    const gate = connection.send(Message.of({ ...routes, payload }));
    if (gate === undefined) continue;
    fullSinceMs ??= performance.now();
    await opened(gate);
  }
  assert.equal(user.ended, undefined);
});

test("a peer that says that it lives is heard where what came from it waits for it", onLinux, async (t) => {
  const user = new CollectingUser();
  const gate = closedGate();
  user.answer = () => gate;
  const { connection, socket } = await pair(t, user);
  socket.pause();
  socket.write(encodeMessage(Message.of({ ...routes, payload: Buffer.from("held") })));
  const beating = setInterval(() => socket.write(heartbeat), stallTimeoutMs / 4);
  t.after(() => clearInterval(beating));
  const aliveMs = await patience(connection, user);
  assert.ok(aliveMs >= stallTimeoutMs * 5.9, `${aliveMs} ms`);
});

test("a connection says that it lives for as long as what it brings is not taken, and no longer", async (t) => {
  const gate = closedGate();
  let isFull = true;
  const user = new CollectingUser();
  user.answer = () => (isFull ? gate : undefined);
  const { socket } = await pair(t, user);
  const beats = await beatsOf(socket);
  socket.write(encodeMessage(Message.of({ ...routes, payload: Buffer.from("held") })));
  while (beats.count < 2) await once(socket, "data");
  isFull = false;
  gate.open();
  await user.has(1);
  const atOpening = beats.count;
  const other = closedGate();
  const timer = setTimeout(() => other.open(), stallTimeoutMs);
  t.after(() => clearTimeout(timer));
  await opened(other);
  assert.ok(beats.count - atOpening <= 1, `${beats.count - atOpening} more`);
});

test("a connection says that it lives, too, if a little of what it brings is taken now and then", async (t) => {
  let gate = closedGate();
  let isFull = true;
  const user = new CollectingUser();
  user.answer = () => (isFull ? gate : undefined);
  const { socket } = await pair(t, user);
  const opening = setInterval(() => {
    const before = gate;
    gate = closedGate();
    isFull = false;
    before.open();
    isFull = true;
    socket.write(encodeMessage(Message.of({ ...routes, payload: Buffer.from("held") })));
  }, stallTimeoutMs / 16);
  t.after(() => clearInterval(opening));
  const beats = await beatsOf(socket);
  while (beats.count < 3) await once(socket, "data");
  assert.ok(user.messages.length > 3);
});
