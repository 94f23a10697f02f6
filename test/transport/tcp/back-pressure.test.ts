import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import net from "node:net";
import { type TestContext, test } from "node:test";
import { Message } from "../../../src/model/message.js";
import { Route } from "../../../src/model/route.js";
import type { SocketAddress } from "../../../src/model/socket-address.js";
import { resolveTcpOptions } from "../../../src/transport/tcp/tcp-options.js";
import { TcpTransport } from "../../../src/transport/tcp/tcp-transport.js";
import type { Connection } from "../../../src/transport/transport.js";
import { encodeMessage } from "../../../src/wire/encode.js";
import { CollectingUser, closedGate, sendAll } from "../../suites/collecting-user.js";
import { hex } from "../../wire/vectors.js";

const KiB = 1024;
const MiB = 1024 * KiB;
const GB = 1e9;

const routes = { onward: Route.parse("worker"), return: Route.parse("back") };

async function raw(t: TestContext, address: SocketAddress): Promise<net.Socket> {
  const socket = net.connect(address);
  socket.on("error", () => {});
  t.after(() => socket.destroy());
  await once(socket, "connect");
  socket.write(hex("01"));
  return socket;
}

/** Offers the frame `times` times, as fast as it is taken. */
async function offer(socket: net.Socket, frame: Buffer, times: number): Promise<void> {
  for (let left = times; left > 0; left -= 1) {
    if (!socket.write(frame)) await once(socket, "drain");
  }
}

for (const payloadBytes of [48 * KiB, 1 * MiB]) {
  test(`1 GB in messages of ${payloadBytes / KiB} KiB for a reader that never reads costs no memory, and ends with it`, {
    timeout: 120_000,
  }, async (t) => {
    const limits = resolveTcpOptions({ stallTimeoutMs: 1_000 });
    const transport = new TcpTransport(limits);
    t.after(() => transport.close());
    let sink: Connection | undefined;
    const sinkUser = new CollectingUser();
    const sinkListener = await transport.listen({ host: "127.0.0.1", port: 0 }, (connection) => {
      sink = connection;
      return sinkUser;
    });
    const sources: CollectingUser[] = [];
    const sourceListener = await transport.listen({ host: "127.0.0.1", port: 0 }, () => {
      const user = new CollectingUser();
      user.keeps = false;
      user.answer = (message) => sink!.send(message);
      sources.push(user);
      return user;
    });
    const reader = await raw(t, sinkListener.bound);
    reader.pause();
    while (sink === undefined) await new Promise(setImmediate);
    const writers = await Promise.all([1, 2, 3, 4].map(() => raw(t, sourceListener.bound)));
    const frame = encodeMessage(Message.of({ ...routes, payload: Buffer.alloc(payloadBytes, 7) }));
    const times = Math.ceil(GB / payloadBytes / writers.length);
    const before = process.memoryUsage().rss;
    let peak = 0;
    const sampling = setInterval(() => {
      peak = Math.max(peak, process.memoryUsage().rss - before);
    }, 5);
    t.after(() => clearInterval(sampling));
    const all = Promise.all(writers.map((writer) => offer(writer, frame, times)));
    assert.equal(await sinkUser.end, "stalled");
    const taken = sources.reduce((sum, { receivedBytes }) => sum + receivedBytes, 0);
    // What the kernels hold, and our queue.
    assert.ok(taken < 64 * MiB, `${taken} bytes were taken in for a reader that reads nothing`);
    // The others are not harmed: what they send goes on, to nobody.
    await all;
    while (sources.reduce((sum, { receivedBytes }) => sum + receivedBytes, 0) < GB)
      await new Promise(setImmediate);
    const chunks = 5 * 2 * 128 * KiB;
    // Of a frame that is larger than a read chunk each source has one in a room of up to twice its size.
    const large = payloadBytes > 128 * KiB ? writers.length * 2 * payloadBytes : 0;
    const allowed = limits.sendQueueBytes + payloadBytes + chunks + large + 32 * MiB;
    assert.ok(peak <= allowed, `resident memory grew by ${peak} bytes, allowed are ${allowed}`);
  });
}

test("large messages that were on their way to a peer that was cut off count no more", {
  timeout: 60_000,
}, async (t) => {
  const transport = new TcpTransport({ stallTimeoutMs: 50, receiveBudgetBytes: 8 * MiB });
  t.after(() => transport.close());
  let sink: Connection | undefined;
  let sinkUser = new CollectingUser();
  const sinkListener = await transport.listen({ host: "127.0.0.1", port: 0 }, (connection) => {
    sink = connection;
    return sinkUser;
  });
  const source = new CollectingUser();
  source.keeps = false;
  source.answer = (message) => sink?.send(message);
  const sourceListener = await transport.listen({ host: "127.0.0.1", port: 0 }, () => source);
  const frame = encodeMessage(Message.of({ ...routes, payload: Buffer.alloc(MiB, 7) }));
  const writer = await raw(t, sourceListener.bound);
  let sent = 0;
  for (let round = 0; round < 6; round += 1) {
    sink = undefined;
    sinkUser = new CollectingUser();
    const reader = await raw(t, sinkListener.bound);
    reader.pause();
    while (sink === undefined) await new Promise(setImmediate);
    const end = sinkUser.end;
    let isOver = false;
    void end.then(() => (isOver = true));
    for (; !isOver; sent += 1) {
      if (!writer.write(frame)) await Promise.race([once(writer, "drain"), end]);
    }
    assert.equal(await end, "stalled");
  }
  await source.has(sent);
  assert.equal(source.ended, undefined);
});

/** Passes bytes on in random pieces, with random stops. */
async function roughProxy(t: TestContext, target: SocketAddress, random: (bound: number) => number) {
  const pump = (from: net.Socket, to: net.Socket): void => {
    const pass = async (data: Buffer): Promise<void> => {
      for (let at = 0; at < data.byteLength; ) {
        const size = random(4) === 0 ? 1 + random(10) : 1 + random(60_000);
        if (!to.write(data.subarray(at, at + size)) && !to.destroyed) {
          await new Promise<void>((resolve) => to.once("drain", resolve).once("close", resolve));
        }
        at += size;
        if (random(8) === 0) await new Promise((resolve) => setTimeout(resolve, random(3)));
        else if (random(2) === 0) await new Promise(setImmediate);
      }
    };
    from.on("data", async (data: Buffer) => {
      from.pause();
      await pass(data);
      from.resume();
    });
    from.on("end", () => to.end());
    from.on("error", () => to.destroy());
  };
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const onward = net.connect({ ...target, allowHalfOpen: true, noDelay: true });
    pump(socket, onward);
    pump(onward, socket);
    t.after(() => {
      socket.destroy();
      onward.destroy();
    });
  });
  t.after(() => server.close());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { host: "127.0.0.1", port: (server.address() as net.AddressInfo).port };
}

/** Whole numbers below a bound, the same ones for the same seed. */
function randomBelow(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
}

for (const plainSockets of [false, true]) {
  test(`25 MB each way in random pieces with random stops arrive as they were sent${plainSockets ? " (plain sockets)" : ""}`, {
    timeout: 120_000,
  }, async (t) => {
    const random = randomBelow(20_061);
    const [dialing, listening] = [new TcpTransport({ plainSockets }), new TcpTransport({ plainSockets })];
    t.after(() => {
      dialing.close();
      listening.close();
    });
    const end = () => {
      const user = new CollectingUser();
      const hash = createHash("sha256");
      user.keeps = false;
      user.answer = (message) => {
        if (random(10) === 0) {
          const gate = closedGate();
          if (random(2) === 0) setImmediate(() => gate.open());
          else setTimeout(() => gate.open(), random(4));
          return gate;
        }
        hash.update(message.payload);
        return undefined;
      };
      return { user, hash };
    };
    const [there, here] = [end(), end()];
    let accepted!: Connection;
    const listener = await listening.listen({ host: "127.0.0.1", port: 0 }, (connection) => {
      accepted = connection;
      return there.user;
    });
    const proxy = await roughProxy(t, listener.bound, random);
    const dialed = await dialing.dial(proxy, () => here.user);
    while (accepted === undefined) await new Promise(setImmediate);
    const bytes = 25_000_000;
    const noise = randomBytes(1_000_000);
    const send = async (connection: Connection): Promise<string> => {
      const hash = createHash("sha256");
      for (let left = bytes; left > 0; ) {
        const kind = random(30);
        const most = kind === 0 ? 600_000 : kind < 15 ? 60_000 : 500;
        const size = Math.min(left, 1 + random(most));
        const start = random(noise.byteLength - size);
        const payload = noise.subarray(start, start + size);
        hash.update(payload);
        await sendAll(connection, [Message.of({ ...routes, payload })]);
        left -= size;
      }
      return hash.digest("hex");
    };
    const [up, down] = await Promise.all([send(dialed), send(accepted)]);
    const hasAll = (user: CollectingUser) => user.becomes(() => user.receivedBytes >= bytes);
    await Promise.all([hasAll(there.user), hasAll(here.user)]);
    assert.equal(there.hash.digest("hex"), up);
    assert.equal(here.hash.digest("hex"), down);
    assert.equal(there.user.receivedBytes, bytes);
    assert.equal(here.user.receivedBytes, bytes);
  });
}
