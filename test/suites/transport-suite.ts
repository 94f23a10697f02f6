import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { PortwayError } from "../../src/base/errors.js";
import type { Gate } from "../../src/base/gate.js";
import { Address } from "../../src/model/address.js";
import { Message } from "../../src/model/message.js";
import { Route } from "../../src/model/route.js";
import { formatSocketAddress, type SocketAddress } from "../../src/model/socket-address.js";
import type { Connection, Listener, Transport } from "../../src/transport/transport.js";
import { frameBytes } from "../../src/wire/encode.js";
import { lengthBytes } from "../../src/wire/limits.js";
import { CollectingUser, closedGate, kept, opened, sendAll } from "./collecting-user.js";

/** Limits that every transport has. */
export interface SuiteLimits {
  readonly stallTimeoutMs?: number;
  readonly sendQueueBytes?: number;
  readonly maxAcceptedConnections?: number;
}

export interface TransportPair {
  readonly dialing: Transport;
  readonly listening: Transport;
  /** Where `listening` can listen; with port 0. */
  readonly bind: SocketAddress;
}

interface End {
  readonly connection: Connection;
  readonly user: CollectingUser;
}

interface Link {
  readonly dialer: End;
  readonly acceptor: End;
}

const MiB = 1024 * 1024;
const maxFrame = 16 * MiB;

/** What must hold for anything that calls itself a transport. `makePair` makes two that can reach each other. */
export function transportSuite(name: string, makePair: (limits: SuiteLimits) => TransportPair): void {
  // A sender over an unreliable transport never hears that its peer takes nothing.
  const skip = makePair({}).dialing.isReliable ? false : "nothing slows a sender down here";

  /** A pair that is closed after the test, with a listener on one side. */
  async function start(t: TestContext, limits: SuiteLimits = {}) {
    const pair = makePair(limits);
    const { dialing, listening, bind } = pair;
    const users: CollectingUser[] = [];
    const accepted: End[] = [];
    const waiting: ((end: End) => void)[] = [];
    const listener = await listening.listen(bind, (connection) => {
      const user = new CollectingUser();
      users.push(user);
      const end = { connection, user };
      const taker = waiting.shift();
      if (taker === undefined) accepted.push(end);
      else taker(end);
      return user;
    });
    const nextAccepted = (): Promise<End> => {
      const end = accepted.shift();
      return end === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(end);
    };
    const link = async (): Promise<Link> => {
      const user = new CollectingUser();
      users.push(user);
      const connection = await dialing.dial(listener.bound, () => user);
      return { dialer: { connection, user }, acceptor: await nextAccepted() };
    };
    t.after(async () => {
      dialing.close();
      listening.close();
      await Promise.all(users.map((user) => user.end));
      assert.ok(
        !users.some((user) => user.calledAfterEnd),
        "a user was called after its connection had ended",
      );
    });
    return { ...pair, listener, link };
  }

  /** Runs a test on a link, once with each side in the part of `one`. */
  function fromEachSide(
    sentence: string,
    run: (one: End, other: End, listener: Listener) => Promise<void>,
    limits: SuiteLimits = {},
  ): void {
    for (const side of ["dialing", "accepting"] as const) {
      test(`${sentence} (from the ${side} side)`, { timeout }, async (t) => {
        const { link, listener } = await start(t, limits);
        const { dialer, acceptor } = await link();
        if (side === "dialing") await run(dialer, acceptor, listener);
        else await run(acceptor, dialer, listener);
      });
    }
  }

  describe(name, () => {
    test("the two ends name each other, and the listener counts the connection", { timeout }, async (t) => {
      const { link, listener } = await start(t);
      const { dialer, acceptor } = await link();
      assert.deepEqual(dialer.connection.peer, listener.bound);
      assert.deepEqual(acceptor.connection.local, listener.bound);
      assert.deepEqual(acceptor.connection.peer, dialer.connection.local);
      assert.notEqual(dialer.connection.local.port, listener.bound.port);
      assert.deepEqual(listener.counts, { openConnections: 1, refused: {} });
      dialer.connection.close();
      await acceptor.user.end;
      assert.deepEqual(listener.counts, { openConnections: 0, refused: {} });
    });

    fromEachSide("messages of every shape arrive whole, in order and byte for byte", async (one, other) => {
      const messages = everyShape();
      await sendAll(one.connection, messages);
      await other.user.has(messages.length);
      assert.deepEqual(other.user.messages, messages.map(kept));
      assert.equal(one.user.count, 0);
    });

    test("both directions carry at once what each sends", { timeout }, async (t) => {
      const { link } = await start(t);
      const { dialer, acceptor } = await link();
      const [up, down] = [mixed(300, 1), mixed(300, 2)];
      await Promise.all([sendAll(dialer.connection, up), sendAll(acceptor.connection, down)]);
      await Promise.all([acceptor.user.has(up.length), dialer.user.has(down.length)]);
      assert.deepEqual(acceptor.user.messages, up.map(kept));
      assert.deepEqual(dialer.user.messages, down.map(kept));
    });

    fromEachSide("the largest message arrives, with small ones around it", async (one, other) => {
      const largest = fillFrame(maxFrame);
      const messages = [numbered(0), largest, numbered(1), numbered(2), largest, numbered(3)];
      await sendAll(one.connection, messages);
      await other.user.has(messages.length);
      assert.deepEqual(other.user.messages, messages.map(kept));
    });

    fromEachSide(
      "a message that is one byte too large is refused, and the next one goes",
      async (one, other) => {
        assert.throws(() => one.connection.send(fillFrame(maxFrame + 1)), {
          code: "frame_too_large",
          facts: { bytes: maxFrame + 1, max: maxFrame },
        });
        await sendAll(one.connection, [numbered(7)]);
        await other.user.has(1);
        assert.deepEqual(other.user.messages, [kept(numbered(7))]);
        assert.equal(one.connection.traffic.sentMessages, 1);
      },
    );

    test("the sender may change its bytes after send", { timeout }, async (t) => {
      const { link } = await start(t);
      const { dialer, acceptor } = await link();
      const expected = [];
      for (const size of [10, 20_000, 200_000]) {
        const message = Message.of({ ...shape, payload: Buffer.alloc(size, 1) });
        expected.push(kept(message));
        await sendAll(dialer.connection, [message]);
        message.payload.fill(2);
      }
      await acceptor.user.has(expected.length);
      assert.deepEqual(acceptor.user.messages, expected);
    });

    test("what a user sends while it is attached arrives first", { timeout }, async (t) => {
      const { listening, dialing, bind } = await start(t);
      const [dialer, acceptor] = [new CollectingUser(), new CollectingUser()];
      const attach = (user: CollectingUser, first: number) => (connection: Connection) => {
        connection.send(numbered(first));
        return user;
      };
      const listener = await listening.listen(bind, attach(acceptor, 1));
      const connection = await dialing.dial(listener.bound, attach(dialer, 2));
      connection.send(numbered(3));
      await Promise.all([dialer.has(1), acceptor.has(2)]);
      assert.deepEqual(dialer.messages, [numbered(1)].map(kept));
      assert.deepEqual(acceptor.messages, [numbered(2), numbered(3)].map(kept));
    });

    test("every message has the user's entrance", { timeout }, async (t) => {
      const { link } = await start(t);
      const { dialer, acceptor } = await link();
      const entrances = new Set<unknown>();
      acceptor.user.answer = ({ entrance }) => void entrances.add(entrance);
      await sendAll(dialer.connection, mixed(20, 3));
      await acceptor.user.has(20);
      assert.deepEqual([...entrances], [acceptor.user.entrance]);
    });

    test("a message without an onward route is a heartbeat: nobody gets it", { timeout }, async (t) => {
      const { link } = await start(t);
      const { dialer, acceptor } = await link();
      const heartbeat = Message.of({ onward: Route.empty, return: Route.empty, payload: Buffer.alloc(0) });
      await sendAll(dialer.connection, [heartbeat, numbered(1), heartbeat, numbered(2)]);
      await acceptor.user.has(2);
      assert.deepEqual(acceptor.user.messages, [numbered(1), numbered(2)].map(kept));
    });

    test("the counts of both ends agree", { timeout }, async (t) => {
      const { link } = await start(t);
      const { dialer, acceptor } = await link();
      const messages = mixed(50, 4);
      await sendAll(dialer.connection, messages);
      await acceptor.user.has(messages.length);
      await new Promise(setImmediate);
      const bytes = messages.reduce((sum, { payload }) => sum + payload.byteLength, 0);
      assert.deepEqual(dialer.connection.traffic, {
        receivedMessages: 0,
        receivedBytes: 0,
        sentMessages: messages.length,
        sentBytes: bytes,
      });
      assert.deepEqual(acceptor.connection.traffic, {
        receivedMessages: messages.length,
        receivedBytes: bytes,
        sentMessages: 0,
        sentBytes: 0,
      });
    });

    test("a payload that is held keeps its bytes, whatever arrives after it", { timeout }, async (t) => {
      const { link } = await start(t);
      const { dialer, acceptor } = await link();
      const messages = mixed(400, 5);
      const held: Message[] = [];
      acceptor.user.answer = (message) => {
        if (held.length < 100) {
          message.backing?.hold();
          held.push(message);
        }
        return undefined;
      };
      await sendAll(dialer.connection, messages);
      await acceptor.user.has(messages.length);
      for (const [at, { payload, backing }] of held.entries()) {
        assert.ok(payload.equals(messages[at]!.payload), `message ${at} changed`);
        backing?.release();
      }
    });

    describe("closing", () => {
      fromEachSide("everything queued arrives before the end", async (one, other) => {
        const messages = mixed(60, 6);
        await sendAll(one.connection, messages);
        one.connection.close();
        assert.equal(await one.user.end, "closed_here");
        assert.equal(await other.user.end, "closed_by_peer");
        assert.equal(other.user.error, undefined);
        assert.deepEqual(other.user.messages, messages.map(kept));
      });

      fromEachSide(
        "what was queued arrives also if the peer takes its time",
        async (one, other) => {
          const gate = closedGate();
          other.user.answer = () => gate;
          const messages = mixed(30, 7);
          await sendAll(one.connection, messages);
          one.connection.close();
          assert.equal(await one.user.end, "closed_here");
          other.user.answer = undefined;
          gate.open();
          assert.equal(await other.user.end, "closed_by_peer");
          assert.deepEqual(other.user.messages, messages.map(kept));
        },
        { sendQueueBytes: 8 * MiB },
      );

      fromEachSide("afterwards messages are taken and lost, and nothing is queued", async (one, other) => {
        one.connection.close();
        one.connection.close();
        assert.equal(one.connection.send(numbered(1)), undefined);
        assert.equal(one.connection.queuedBytes, 0);
        assert.equal(one.connection.traffic.sentMessages, 0);
        assert.equal(await other.user.end, "closed_by_peer");
        assert.equal(other.connection.send(numbered(1)), undefined);
        assert.equal(other.connection.queuedBytes, 0);
        assert.equal(one.user.count + other.user.count, 0);
      });

      fromEachSide("a user may close while it is given a message, which stays whole", async (one, other) => {
        const messages = Array.from({ length: 200 }, (_, at) => numbered(at, 2_000));
        let given: Message | undefined;
        other.user.answer = (message) => {
          if (other.user.count < 20) return undefined;
          given = message;
          other.connection.close();
          message.backing?.hold();
          return undefined;
        };
        await sendAll(one.connection, messages);
        assert.equal(await other.user.end, "closed_here");
        await one.user.end;
        assert.equal(other.user.count, 21);
        assert.deepEqual(other.user.messages, messages.slice(0, 21).map(kept));
        assert.ok(given!.payload.equals(messages[20]!.payload));
        given!.backing?.release();
      });

      fromEachSide("it frees whoever waits for room", async (one, other) => {
        const gate = closedGate();
        other.user.answer = () => gate;
        const full = await fill(one.connection);
        const free = opened(full);
        one.connection.close();
        await free;
        assert.equal(one.connection.send(numbered(1)), undefined);
        gate.open();
      });

      test("a closed listener accepts no more; what it accepted stays", { timeout }, async (t) => {
        const { link, listener, dialing } = await start(t);
        const { dialer, acceptor } = await link();
        listener.close();
        listener.close();
        await assert.rejects(
          dialing.dial(listener.bound, () => new CollectingUser()),
          refusal(listener.bound),
        );
        await sendAll(dialer.connection, [numbered(1)]);
        await acceptor.user.has(1);
      });

      test("a closed listener leaves its address to the next", { timeout }, async (t) => {
        const { listener, listening } = await start(t);
        listener.close();
        const next = await listening.listen(listener.bound, () => new CollectingUser());
        assert.deepEqual(next.bound, listener.bound);
      });

      test("a closed transport has no connections, and makes none", { timeout }, async (t) => {
        const { link, listener, listening, dialing, bind } = await start(t);
        const { dialer, acceptor } = await link();
        listening.close();
        listening.close();
        assert.equal(await acceptor.user.end, "closed_here");
        assert.equal(await dialer.user.end, "closed_by_peer");
        await assert.rejects(
          dialing.dial(listener.bound, () => new CollectingUser()),
          refusal(listener.bound),
        );
        const unused = () => new CollectingUser();
        await assert.rejects(listening.listen(bind, unused), { code: "stopped" });
        await assert.rejects(listening.dial(listener.bound, unused), { code: "stopped" });
      });

      test("a transport that is closed during a dial ends the dial", { timeout }, async (t) => {
        const { listener, dialing } = await start(t);
        const dial = dialing.dial(listener.bound, () => new CollectingUser());
        dialing.close();
        await assert.rejects(dial, PortwayError);
      });
    });

    describe("dialing and listening", () => {
      test("a dial to where nothing listens fails and names the address", { timeout }, async (t) => {
        const { listener, dialing } = await start(t);
        listener.close();
        let attached = false;
        const dial = dialing.dial(listener.bound, () => {
          attached = true;
          return new CollectingUser();
        });
        await assert.rejects(dial, refusal(listener.bound));
        assert.equal(attached, false);
      });

      test("a dial ends with the reason of its signal", { timeout }, async (t) => {
        const { listener, dialing } = await start(t);
        const reason = new PortwayError("canceled", "enough");
        const dial = (signal: AbortSignal) =>
          dialing.dial(listener.bound, () => new CollectingUser(), { signal });
        await assert.rejects(dial(AbortSignal.abort(reason)), reason);
        const controller = new AbortController();
        const under = dial(controller.signal);
        controller.abort(reason);
        await assert.rejects(under, reason);
      });

      test("a signal that ends later does nothing to the connection", { timeout }, async (t) => {
        const { listener, dialing } = await start(t);
        const controller = new AbortController();
        const user = new CollectingUser();
        const { signal } = controller;
        const connection = await dialing.dial(listener.bound, () => user, { signal });
        controller.abort();
        await new Promise(setImmediate);
        assert.equal(user.ended, undefined);
        connection.close();
      });

      test("an address that is bound can't be bound again, and the error names it", {
        timeout,
      }, async (t) => {
        const { listener, listening } = await start(t);
        await assert.rejects(
          listening.listen(listener.bound, () => new CollectingUser()),
          (error: PortwayError) =>
            error.code === "address_in_use" && error.message.includes(formatSocketAddress(listener.bound)),
        );
      });

      test("above its limit a transport accepts no connection until one has gone", { timeout }, async (t) => {
        const { link, listener, dialing } = await start(t, { maxAcceptedConnections: 2 });
        const first = await link();
        await link();
        await assert.rejects(
          dialing.dial(listener.bound, () => new CollectingUser()),
          refusal(listener.bound),
        );
        assert.deepEqual(listener.counts, { openConnections: 2, refused: { too_many_connections: 1 } });
        first.dialer.connection.close();
        await first.acceptor.user.end;
        const { dialer, acceptor } = await link();
        await sendAll(dialer.connection, [numbered(1)]);
        await acceptor.user.has(1);
      });
    });

    describe("gates", () => {
      fromEachSide(
        "a refused message comes again when the gate opens, and none before it",
        async (one, other) => {
          const messages = mixed(200, 8);
          const random = randomBelow(9);
          let gate: Gate | undefined;
          let refused = 0;
          let wrong = 0;
          other.user.answer = (message) => {
            const expected = messages[other.user.count]!;
            if (gate !== undefined || !message.payload.equals(expected.payload)) wrong += 1;
            if (random(3) > 0) return undefined;
            const shut = closedGate();
            gate = shut;
            refused += 1;
            setImmediate(() => {
              gate = undefined;
              shut.open();
            });
            return shut;
          };
          await sendAll(one.connection, messages);
          await other.user.has(messages.length);
          assert.deepEqual(other.user.messages, messages.map(kept));
          assert.equal(wrong, 0);
          assert.ok(refused > 20, `${refused} refused`);
        },
      );

      fromEachSide(
        "a sender meets a gate when the queue is full, and goes on when it opens",
        async (one, other) => {
          const gate = closedGate();
          other.user.answer = () => gate;
          const sent: Message[] = [];
          const full = await fill(one.connection, sent);
          assert.ok(one.connection.queuedBytes >= 256 * 1024);
          assert.equal(one.connection.send(numbered(1)), full);
          const rest = sendAll(one.connection, [numbered(1), numbered(2), numbered(3)]);
          other.user.answer = undefined;
          other.user.keeps = false;
          gate.open();
          await rest;
          await other.user.has(sent.length + 3);
          assert.equal(one.connection.traffic.sentMessages, sent.length + 3);
        },
        { sendQueueBytes: 256 * 1024 },
      );

      test("several senders that wait at one gate all get their turn", { timeout }, async (t) => {
        const { link } = await start(t, { sendQueueBytes: 64 * 1024 });
        const { dialer, acceptor } = await link();
        const streams = [0, 1, 2, 3].map((stream) =>
          Array.from({ length: 200 }, (_, at) => numbered(stream * 1_000 + at, 30_000)),
        );
        await Promise.all(streams.map((messages) => sendAll(dialer.connection, messages)));
        await acceptor.user.has(800);
        for (const [stream, messages] of streams.entries()) {
          const came = acceptor.user.messages.filter(({ payload }) => {
            return Math.floor(payload.readUInt32BE() / 1_000) === stream;
          });
          assert.deepEqual(came, messages.map(kept), `stream ${stream}`);
        }
      });

      test("a peer that takes nothing is cut off if somebody waits for it, and only then", {
        timeout,
        skip,
      }, async (t) => {
        const { link, listener } = await start(t, { stallTimeoutMs: 60, sendQueueBytes: 64 * 1024 });
        const [quiet, waited] = [await link(), await link()];
        const gate = closedGate();
        for (const { acceptor } of [quiet, waited]) acceptor.user.answer = () => gate;
        await fill(quiet.dialer.connection);
        const full = await fill(waited.dialer.connection);
        const free = opened(full);
        assert.equal(await waited.dialer.user.end, "stalled");
        await free;
        assert.equal(waited.dialer.connection.send(numbered(1)), undefined);
        assert.equal(quiet.dialer.user.ended, undefined);
        assert.deepEqual(listener.counts.refused, {});
        gate.open();
      });

      test("an accepted peer that takes nothing is counted as stalled", { timeout, skip }, async (t) => {
        const { link, listener } = await start(t, { stallTimeoutMs: 60, sendQueueBytes: 64 * 1024 });
        const { dialer, acceptor } = await link();
        const gate = closedGate();
        dialer.user.answer = () => gate;
        const free = opened(await fill(acceptor.connection));
        assert.equal(await acceptor.user.end, "stalled");
        await free;
        assert.deepEqual(listener.counts, { openConnections: 0, refused: { stalled: 1 } });
        gate.open();
      });

      test("two that send to each other and stop reading do not wait for ever", {
        timeout,
        skip,
      }, async (t) => {
        const { link } = await start(t, { stallTimeoutMs: 60, sendQueueBytes: 64 * 1024 });
        const [here, there] = [await link(), await link()];
        // What comes on one link goes out on the other: a route that is a circle fills both.
        const pass = (end: End, to: End) => {
          end.user.keeps = false;
          end.user.answer = (message) => {
            const copy = Message.of({
              ...shape,
              payload: Buffer.concat([message.payload, message.payload]),
            });
            return to.connection.send(copy) ?? to.connection.send(message);
          };
        };
        pass(here.acceptor, there.acceptor);
        pass(there.dialer, here.dialer);
        await sendAll(here.dialer.connection, [numbered(1, 4_000)]);
        const ends = [here, there].flatMap(({ dialer, acceptor }) => [dialer.user.end, acceptor.user.end]);
        assert.equal(
          await Promise.race(ends.map(async (end) => ((await end) === "stalled" ? 1 : pending()))),
          1,
        );
      });
    });
  });
}

const timeout = 30_000;

function pending(): Promise<never> {
  return new Promise(() => {});
}

const shape = { onward: Route.parse("worker"), return: Route.parse("back") };

/** A message that is its number, with `bytes` of payload. */
function numbered(number: number, bytes = 4): Message {
  const payload = Buffer.alloc(bytes, number % 251);
  payload.writeUInt32BE(number);
  return Message.of({ ...shape, payload });
}

/** A message whose frame announces exactly `bytes`. */
function fillFrame(bytes: number): Message {
  const head = frameBytes(Message.of({ ...shape, payload: Buffer.alloc(70_000) })) - 70_000 - lengthBytes;
  const payload = Buffer.alloc(bytes - head);
  for (let at = 0; at < payload.byteLength; at += 4_093) payload[at] = at % 256;
  return Message.of({ ...shape, payload });
}

/** A payload size of every class that the wire or a buffer tells apart, with and without a trace. */
function everyShape(): Message[] {
  const sizes = [0, 1, 23, 24, 255, 256, 16_383, 16_384, 16_385, 48_000, 65_535, 65_536];
  sizes.push(130_900, 130_966, 131_072, 200_000, 262_144, 1_000_000);
  const onwards = ["echo", "a => b => 1#127.0.0.1:4000 => c", "0#é => 200#x", "x".repeat(255)].map(
    Route.parse,
  );
  const long = Route.of(...Array.from({ length: 100 }, () => Address.local("y".repeat(1_500))));
  const returns = [
    Route.empty,
    Route.parse("app"),
    Route.of(...Array.from({ length: 128 }, () => Address.random())),
    long,
  ];
  const traces = [undefined, Buffer.from("{}"), Buffer.from(`{"traceparent":"${"é".repeat(2_000)}"}`)];
  return sizes.flatMap((size, at) =>
    traces.map((trace, which) => {
      const payload = Buffer.from(Uint8Array.from({ length: size }, (_, i) => (i * 7 + size) % 256));
      const onward = onwards[(at + which) % onwards.length]!;
      return Message.of({ onward, return: returns[at % returns.length]!, payload, trace });
    }),
  );
}

/** Mostly small messages, some large ones. */
function mixed(count: number, seed: number): Message[] {
  const random = randomBelow(seed);
  return Array.from({ length: count }, (_, at) => {
    const kind = random(20);
    const bytes =
      kind === 0 ? 300_000 + random(400_000) : kind < 4 ? 10_000 + random(120_000) : 4 + random(2_000);
    return numbered(at, bytes);
  });
}

/** Whole numbers below a bound, the same ones for the same seed. */
function randomBelow(seed: number): (bound: number) => number {
  let state = seed * 2_654_435_761;
  return (bound) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
}

/** Sends until the queue stays full because the peer takes nothing; gives the gate. */
async function fill(connection: Connection, sent: Message[] = []): Promise<Gate> {
  for (;;) {
    const message = numbered(sent.length, 40_000);
    const gate = connection.send(message);
    if (gate === undefined) {
      sent.push(message);
      continue;
    }
    // Full for now: what the operating system still takes leaves in the next turns.
    const before = connection.queuedBytes;
    for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
    if (connection.queuedBytes === before) return gate;
  }
}

function refusal(peer: SocketAddress): (error: unknown) => boolean {
  return (error) =>
    error instanceof PortwayError &&
    error.code === "connect_failed" &&
    error.message.startsWith(`can't connect to ${formatSocketAddress(peer)}: `);
}
