import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { describe, type TestContext, test } from "node:test";
import { Message } from "../../../src/model/message.js";
import { Route } from "../../../src/model/route.js";
import type { TcpOptions } from "../../../src/transport/tcp/tcp-options.js";
import { TcpTransport } from "../../../src/transport/tcp/tcp-transport.js";
import type { Connection } from "../../../src/transport/transport.js";
import { encodeMessage } from "../../../src/wire/encode.js";
import { CollectingUser, closedGate, kept } from "../../suites/collecting-user.js";
import { liveBufferBytes } from "../../support/live-buffers.js";
import { hex } from "../../wire/vectors.js";

const timeout = 20_000;
const MiB = 1024 * 1024;

const hello = Message.of({
  onward: Route.parse("worker"),
  return: Route.parse("back"),
  payload: Buffer.from("hello"),
});
const helloFrame = encodeMessage(hello);
const version = hex("01");

/** What the peer writes, and how the connection must end. */
interface Attack {
  readonly sentence: string;
  readonly bytes: Buffer;
  readonly reason: string;
  /** Messages that were right and came before. */
  readonly messages: number;
}

const attacks: readonly Attack[] = [
  { sentence: "a wrong version byte", bytes: hex("02"), reason: "bad_version", messages: 0 },
  {
    sentence: "a wrong version byte and a frame",
    bytes: Buffer.concat([hex("00"), helloFrame]),
    reason: "bad_version",
    messages: 0,
  },
  { sentence: "HTTP", bytes: Buffer.from("GET / HTTP/1.1\r\n\r\n"), reason: "bad_version", messages: 0 },
  {
    sentence: "text after the version byte",
    bytes: Buffer.concat([version, Buffer.from("GET / HTTP/1.1\r\n\r\n")]),
    reason: "frame_too_large",
    messages: 0,
  },
  {
    sentence: "a length of 16 MiB and one byte",
    bytes: hex("01", "01000001"),
    reason: "frame_too_large",
    messages: 0,
  },
  {
    sentence: "the largest length there is",
    bytes: hex("01", "ffffffff"),
    reason: "frame_too_large",
    messages: 0,
  },
  { sentence: "a length of 0", bytes: hex("01", "00000000"), reason: "malformed", messages: 0 },
  {
    sentence: "a map instead of an array",
    bytes: hex("01", "00000004", "a0a0a0a0"),
    reason: "malformed",
    messages: 0,
  },
  { sentence: "an array of two", bytes: hex("01", "00000003", "828080"), reason: "malformed", messages: 0 },
  {
    sentence: "an array that promises more than the frame has",
    bytes: hex("01", "00000006", "839affffffff"),
    reason: "malformed",
    messages: 0,
  },
  {
    sentence: "a payload longer than its frame",
    bytes: hex("01", "00000005", "8380804501"),
    reason: "malformed",
    messages: 0,
  },
  {
    sentence: "garbage after two messages",
    bytes: Buffer.concat([version, helloFrame, helloFrame, hex("00000002", "ffff"), helloFrame]),
    reason: "malformed",
    messages: 2,
  },
  {
    sentence: "a length bomb after a message",
    bytes: Buffer.concat([version, helloFrame, hex("7fffffff"), helloFrame]),
    reason: "frame_too_large",
    messages: 1,
  },
];

async function listen(t: TestContext, options: TcpOptions = {}) {
  const transport = new TcpTransport(options);
  t.after(() => transport.close());
  const users: CollectingUser[] = [];
  const waiting: (() => void)[] = [];
  const connections: Connection[] = [];
  const listener = await transport.listen({ host: "127.0.0.1", port: 0 }, (connection) => {
    const user = new CollectingUser();
    connections.push(connection);
    users.push(user);
    for (const wake of waiting.splice(0)) wake();
    return user;
  });
  const peer = async (): Promise<net.Socket> => {
    const socket = net.connect(listener.bound);
    socket.on("error", () => {});
    t.after(() => socket.destroy());
    await once(socket, "connect");
    return socket;
  };
  const attached = async (count: number): Promise<CollectingUser> => {
    while (users.length < count) await new Promise<void>((resolve) => waiting.push(resolve));
    return users[count - 1]!;
  };
  return { listener, users, connections, attached, peer };
}

/** All that came until the connection ended, however it did. */
function drain(socket: net.Socket): Promise<Buffer> {
  const pieces: Buffer[] = [];
  socket.on("data", (data: Buffer) => pieces.push(data));
  return new Promise((resolve) => socket.once("close", () => resolve(Buffer.concat(pieces))));
}

/** Waits until what the kernel has and the loop still carries is through. */
async function turns(count = 20): Promise<void> {
  for (let left = count; left > 0; left -= 1) await new Promise(setImmediate);
}

for (const plainSockets of [false, true]) {
  describe(plainSockets ? "a hostile peer, on plain sockets" : "a hostile peer", () => {
    for (const { sentence, bytes, reason, messages } of attacks) {
      for (const pieces of ["at once", "byte by byte"] as const) {
        test(`${sentence}, ${pieces}: ended as ${reason}, counted, the rest unharmed`, {
          timeout,
        }, async (t) => {
          const { listener, users, attached, peer } = await listen(t, { plainSockets });
          const socket = await peer();
          const came = drain(socket);
          socket.setNoDelay(true);
          if (pieces === "at once") socket.write(bytes);
          else {
            for (const byte of bytes) {
              socket.write(Uint8Array.of(byte));
              await turns(2);
            }
          }
          assert.ok((await came).equals(version), "the peer got more than a version byte");
          assert.deepEqual(listener.counts, { openConnections: 0, refused: { [reason]: 1 } });
          if (reason !== "bad_version") {
            assert.equal(await users[0]!.end, reason);
            assert.equal(users[0]!.count, messages);
          } else assert.equal(users.length, 0);
          const next = await peer();
          next.write(Buffer.concat([version, helloFrame]));
          const user = await attached(users.length + 1);
          await user.has(1);
          assert.deepEqual(user.messages, [kept(hello)]);
        });
      }
    }

    test("what is malformed says where", { timeout }, async (t) => {
      const { attached, peer } = await listen(t, { plainSockets });
      (await peer()).write(hex("01", "00000003", "828080"));
      const user = await attached(1);
      assert.equal(await user.end, "malformed");
      assert.match(user.error?.message ?? "", /2 elements/);
    });

    test("bytes after the message inside its frame, and extra elements, are ignored", {
      timeout,
    }, async (t) => {
      const { attached, peer } = await listen(t, { plainSockets });
      const trailing = Buffer.concat([helloFrame, Buffer.from("trailing")]);
      trailing.writeUInt32BE(trailing.byteLength - 4);
      const body = helloFrame.subarray(5);
      const extra = Buffer.concat([hex("00000000", "86"), body, hex("f6", "8101", "a0")]);
      extra.writeUInt32BE(extra.byteLength - 4);
      (await peer()).write(Buffer.concat([version, trailing, extra, helloFrame]));
      const user = await attached(1);
      await user.has(3);
      assert.deepEqual(user.messages, [hello, hello, hello].map(kept));
      assert.equal(user.ended, undefined);
    });

    test("heartbeats are ignored, however many", { timeout }, async (t) => {
      const { attached, peer } = await listen(t, { plainSockets });
      const heartbeats = Buffer.concat(Array.from({ length: 20_000 }, () => hex("00000004", "83808040")));
      (await peer()).write(Buffer.concat([version, heartbeats, helloFrame]));
      const user = await attached(1);
      await user.has(1);
      assert.deepEqual(user.messages, [kept(hello)]);
    });

    test("a message that drips in byte by byte arrives", { timeout }, async (t) => {
      const { attached, peer } = await listen(t, { plainSockets });
      const socket = await peer();
      for (const byte of Buffer.concat([version, helloFrame, helloFrame])) {
        socket.write(Uint8Array.of(byte));
        await turns(1);
      }
      const user = await attached(1);
      await user.has(2);
      assert.deepEqual(user.messages, [hello, hello].map(kept));
    });

    test("an accepted peer that is silent is ended after the handshake timeout and counted", {
      timeout,
    }, async (t) => {
      const { listener, users, peer } = await listen(t, { plainSockets, handshakeTimeoutMs: 300 });
      const socket = await peer();
      assert.ok((await drain(socket)).equals(version));
      assert.deepEqual(listener.counts, { openConnections: 0, refused: { handshake_timeout: 1 } });
      assert.equal(users.length, 0);
    });

    test("after the handshake a peer may be silent", { timeout }, async (t) => {
      const { listener, attached, peer } = await listen(t, { plainSockets, handshakeTimeoutMs: 300 });
      const [spoke, silent] = [await peer(), await peer()];
      spoke.write(version);
      const user = await attached(1);
      // The silent one came later: when its time is over, the other's is too.
      await drain(silent);
      assert.equal(user.ended, undefined);
      assert.equal(listener.counts.openConnections, 1);
    });

    for (const [where, cut] of [
      ["inside a length", 2],
      ["inside a frame", 10],
      ["between two frames", helloFrame.byteLength],
    ] as const) {
      test(`an end ${where} is the peer's close: what was whole arrived`, { timeout }, async (t) => {
        const { listener, attached, peer } = await listen(t, { plainSockets });
        const socket = await peer();
        socket.end(Buffer.concat([version, helloFrame, helloFrame.subarray(0, cut)]));
        const user = await attached(1);
        assert.equal(await user.end, "closed_by_peer");
        assert.equal(user.count, cut === helloFrame.byteLength ? 2 : 1);
        assert.deepEqual(listener.counts, { openConnections: 0, refused: {} });
        await drain(socket);
      });
    }

    test("an end before the version byte leaves nothing behind", { timeout }, async (t) => {
      const { listener, users, peer } = await listen(t, { plainSockets });
      const socket = await peer();
      socket.end();
      await drain(socket);
      assert.deepEqual(listener.counts, { openConnections: 0, refused: {} });
      assert.equal(users.length, 0);
    });

    test("a reset ends the connection with its error", { timeout }, async (t) => {
      const { listener, attached, peer } = await listen(t, { plainSockets });
      const socket = await peer();
      socket.write(Buffer.concat([version, helloFrame]));
      const user = await attached(1);
      await user.has(1);
      socket.resetAndDestroy();
      assert.equal(await user.end, "connection_failed");
      assert.equal((user.error as NodeJS.ErrnoException).code, "ECONNRESET");
      assert.deepEqual(listener.counts, { openConnections: 0, refused: {} });
    });

    test("a reset while a gate is shut, with writes under way, ends both ways", { timeout }, async (t) => {
      const { listener, attached, connections, peer } = await listen(t, { plainSockets });
      const socket = await peer();
      socket.pause();
      socket.write(version);
      const user = await attached(1);
      const gate = closedGate();
      user.answer = () => gate;
      socket.write(helloFrame);
      connections[0]!.send(Message.of({ ...hello, payload: Buffer.alloc(15 * MiB) }));
      while (gate.waiting === 0) await turns(1);
      assert.ok(connections[0]!.queuedBytes > 0);
      socket.resetAndDestroy();
      assert.equal(await user.end, "connection_failed");
      assert.equal(gate.waiting, 0);
      assert.equal(listener.counts.openConnections, 0);
    });

    test("connections above the limit are closed and counted, the others serve on", {
      timeout,
    }, async (t) => {
      const { listener, attached, peer } = await listen(t, { plainSockets });
      const sockets = await Promise.all(Array.from({ length: 1_000 }, () => peer()));
      while (listener.counts.openConnections < 1_000) await turns(1);
      const last = await peer();
      assert.equal((await drain(last)).byteLength, 0);
      assert.deepEqual(listener.counts, { openConnections: 1_000, refused: { too_many_connections: 1 } });
      sockets[999]!.write(Buffer.concat([version, helloFrame]));
      await (await attached(1)).has(1);
      sockets[0]!.destroy();
      while (listener.counts.openConnections === 1_000) await turns(1);
      const another = await peer();
      another.write(Buffer.concat([version, helloFrame]));
      await (await attached(2)).has(1);
    });
  });
}

test("length bombs on many connections are held to the budget of the transport", {
  timeout: 60_000,
}, async (t) => {
  const budget = 16 * MiB;
  const { listener, peer } = await listen(t, { receiveBudgetBytes: budget });
  const part = Buffer.concat([hex("01", "01000000"), Buffer.alloc(6 * MiB, 1)]);
  const before = await liveBufferBytes();
  const sockets = await Promise.all(Array.from({ length: 40 }, () => peer()));
  let closed = 0;
  for (const socket of sockets) {
    socket.on("close", () => (closed += 1));
    socket.write(part);
  }
  // Each wants 8 MiB of room, and half of that while it is moved there: one or two fit.
  while (closed < 38) await turns(1);
  await turns();
  const { openConnections, refused } = listener.counts;
  assert.ok(openConnections === 1 || openConnections === 2, `${openConnections} are left`);
  assert.deepEqual(refused, { receive_budget_exhausted: 40 - openConnections });
  const grown = (await liveBufferBytes()) - before;
  const usualChunks = 40 * 128 * 1024;
  assert.ok(grown < budget + usualChunks, `${Math.round(grown / MiB)} MiB more`);
});
