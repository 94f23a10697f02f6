import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import dns from "node:dns";
import { once } from "node:events";
import { describe, type TestContext, test } from "node:test";
import { Message } from "../../../src/model/message.js";
import { Route } from "../../../src/model/route.js";
import type { SocketAddress } from "../../../src/model/socket-address.js";
import type { Connection } from "../../../src/transport/transport.js";
import type { UdpOptions } from "../../../src/transport/udp/udp-options.js";
import { UdpTransport } from "../../../src/transport/udp/udp-transport.js";
import { decodeDatagram, numberDistance, type Part, splitMessage } from "../../../src/wire/datagram.js";
import { decodeMessage } from "../../../src/wire/decode.js";
import { encodeMessage } from "../../../src/wire/encode.js";
import { lengthBytes } from "../../../src/wire/limits.js";
import { decodeNotice, encodeNotice, type Notice, type NoticeKind } from "../../../src/wire/notice.js";
import { PartAssembler } from "../../../src/wire/parts.js";
import { CollectingUser } from "../../suites/collecting-user.js";
import { FakeClock } from "../../support/fake-clock.js";

const bind = { host: "127.0.0.1", port: 0 };
const timeout = 20_000;

function message(payload: string | Buffer, { onward = "worker", back = "back" } = {}): Message {
  return Message.of({
    onward: Route.parse(onward),
    return: Route.parse(back),
    payload: Buffer.from(payload),
  });
}

function datagramsOf(given: Message, number: number): Buffer[] {
  return splitMessage(encodeMessage(given).subarray(lengthBytes), number);
}

/** A node of another make: it knows datagrams and messages, and no notices. */
class PlainPeer {
  readonly #socket: Socket;
  readonly #came: Buffer[] = [];
  readonly #waits: (() => void)[] = [];
  number = 1_000;
  sentBytes = 0;
  receivedBytes = 0;
  lastSender: SocketAddress | undefined;
  lastNotice: Notice | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("message", (bytes, { address, port }) => {
      this.lastSender = { host: address, port };
      this.#came.push(bytes);
      this.receivedBytes += bytes.length;
      for (const wake of this.#waits.splice(0)) wake();
    });
  }

  static async bind(t: TestContext): Promise<PlainPeer> {
    const socket = createSocket("udp4");
    socket.bind(0, "127.0.0.1");
    await once(socket, "listening");
    t.after(() => socket.close());
    return new PlainPeer(socket);
  }

  get address(): SocketAddress {
    const { address, port } = this.#socket.address();
    return { host: address, port };
  }

  async send(to: SocketAddress, ...datagrams: readonly Buffer[]): Promise<void> {
    for (const datagram of datagrams) {
      this.sentBytes += datagram.length;
      await new Promise<void>((resolve, reject) => {
        this.#socket.send(datagram, to.port, to.host, (error) =>
          error === null ? resolve() : reject(error),
        );
      });
    }
  }

  async sendMessage(to: SocketAddress, given: Message): Promise<void> {
    await this.send(to, ...datagramsOf(given, this.number));
    this.number += 1;
  }

  async say(to: SocketAddress, notice: Notice): Promise<void> {
    await this.send(to, ...splitMessage(encodeNotice(notice), this.number));
    this.number += 1;
  }

  async next(): Promise<Buffer> {
    while (this.#came.length === 0) await new Promise<void>((resolve) => this.#waits.push(resolve));
    return this.#came.shift()!;
  }

  /** The next that is none of the empty ones, which everyone drops. */
  async nextMessage(): Promise<Message> {
    for (;;) {
      const bytes = await this.next();
      const { start, end } = decodeDatagram(bytes);
      const message = decodeMessage(bytes, start, end);
      if (!message.onward.isEmpty) return message;
    }
  }

  async nextNotice(): Promise<Notice> {
    const bytes = await this.next();
    const { start, end } = decodeDatagram(bytes);
    const notice = decodeNotice(bytes, start, end);
    assert.ok(notice !== undefined, "a notice was expected");
    return notice;
  }
}

function textOf(datagram: Buffer, { start, end }: Part): string {
  return decodeMessage(datagram, start, end).payload.toString();
}

async function listening(t: TestContext, options: UdpOptions = {}) {
  const transport = new UdpTransport(options);
  t.after(() => transport.close());
  const users: CollectingUser[] = [];
  const connections: Connection[] = [];
  const wakes: (() => void)[] = [];
  const listener = await transport.listen(bind, (connection) => {
    const user = new CollectingUser();
    users.push(user);
    connections.push(connection);
    for (const wake of wakes.splice(0)) wake();
    return user;
  });
  const accepted = async (count = 1): Promise<void> => {
    while (connections.length < count) await new Promise<void>((resolve) => wakes.push(resolve));
  };
  return { transport, listener, users, connections, accepted };
}

const id = (fill: number): Buffer => Buffer.alloc(8, fill);
const notice = (kind: NoticeKind, dialerId: Buffer, listenerId = id(0)): Notice => ({
  kind,
  reason: 0,
  dialerId,
  listenerId,
});

describe("a peer that has not shown that it receives", () => {
  test("gets an answer that is no larger than its question", { timeout }, async (t) => {
    const { listener, users, connections, accepted } = await listening(t);
    const peer = await PlainPeer.bind(t);
    await peer.sendMessage(listener.bound, message("hello", { onward: "uppercase", back: "app" }));
    await accepted();
    await users[0]!.has(1);
    connections[0]!.send(message("HELLO", { onward: "app", back: "uppercase" }));
    const answer = await peer.nextMessage();
    assert.equal(answer.payload.toString(), "HELLO");
    assert.equal(answer.onward.toString(), "0#app");
  });

  test("is sent no more than came from it, and what is not sent is counted", { timeout }, async (t) => {
    const { listener, users, connections, accepted } = await listening(t);
    const peer = await PlainPeer.bind(t);
    await peer.sendMessage(listener.bound, message(Buffer.alloc(300)));
    await accepted();
    await users[0]!.has(1);
    const connection = connections[0]!;
    for (let sent = 0; sent < 100; sent += 1) connection.send(message(Buffer.alloc(40)));
    const { sentMessages } = connection.traffic;
    for (let came = 0; came < sentMessages; came += 1) await peer.nextMessage();
    assert.ok(sentMessages > 0);
    assert.ok(peer.receivedBytes <= peer.sentBytes, `${peer.receivedBytes} for ${peer.sentBytes}`);
    assert.deepEqual(connection.lost, { unproven: 100 - sentMessages });
  });

  test("has shown it when a message comes along a return route that only it was given", {
    timeout,
  }, async (t) => {
    const { listener, users, connections, accepted } = await listening(t);
    const peer = await PlainPeer.bind(t);
    await peer.sendMessage(listener.bound, message(Buffer.alloc(300)));
    await accepted();
    await users[0]!.has(1);
    const connection = connections[0]!;
    connection.send(message("question", { onward: "app", back: "us" }));
    const asked = await peer.nextMessage();
    assert.equal(asked.return.length, 2);
    assert.equal(asked.return.last.text, "us");
    const answer = Message.of({ onward: asked.return, return: Route.empty, payload: Buffer.from("answer") });
    await peer.sendMessage(listener.bound, answer);
    await users[0]!.has(2);
    assert.equal(users[0]!.messages[1]!.onward, "0#us");
    connection.send(message(Buffer.alloc(3_000)));
    while (decodeDatagram(await peer.next()).index < 6);
    assert.deepEqual(connection.lost, {});
    connection.send(message("more", { onward: "app", back: "us" }));
    assert.equal((await peer.nextMessage()).return.toString(), "0#us");
  });

  test("that says hello is remembered by nobody, and challenged with less than it said", {
    timeout,
  }, async (t) => {
    const { listener, users } = await listening(t);
    const peer = await PlainPeer.bind(t);
    await peer.say(listener.bound, notice("hello", id(1)));
    const challenge = await peer.nextNotice();
    assert.equal(challenge.kind, "challenge");
    assert.ok(peer.receivedBytes <= peer.sentBytes);
    assert.equal(listener.counts.openConnections, 0);
    await peer.say(listener.bound, notice("confirm", id(1), id(9)));
    await peer.say(listener.bound, notice("confirm", id(2), challenge.listenerId));
    await peer.say(listener.bound, notice("confirm", id(1), challenge.listenerId));
    assert.equal((await peer.nextNotice()).kind, "welcome");
    assert.equal(listener.counts.openConnections, 1);
    assert.equal(users.length, 1);
  });

  test("can't use the challenge of another address", { timeout }, async (t) => {
    const { listener } = await listening(t);
    const [one, other] = [await PlainPeer.bind(t), await PlainPeer.bind(t)];
    await one.say(listener.bound, notice("hello", id(1)));
    const { listenerId } = await one.nextNotice();
    await other.say(listener.bound, notice("confirm", id(1), listenerId));
    // What comes after it is answered, so it was read.
    await other.say(listener.bound, notice("hello", id(2)));
    assert.equal((await other.nextNotice()).kind, "challenge");
    assert.equal(listener.counts.openConnections, 0);
  });

  test("makes room for another when there are too many", { timeout }, async (t) => {
    const clock = new FakeClock();
    const { listener, users, accepted } = await listening(t, { clock, maxAcceptedConnections: 2 });
    const peers = [await PlainPeer.bind(t), await PlainPeer.bind(t), await PlainPeer.bind(t)];
    await peers[0]!.sendMessage(listener.bound, message("a"));
    await accepted(1);
    await clock.advance(2_000);
    await peers[1]!.sendMessage(listener.bound, message("b"));
    await accepted(2);
    await peers[2]!.sendMessage(listener.bound, message("c"));
    await accepted(3);
    assert.equal(users[0]!.ended, "idle");
    assert.equal(users[1]!.ended, undefined);
    assert.equal(listener.counts.openConnections, 2);
  });
});

describe("a listener", () => {
  test("that was closed shares its socket with the next, as long as it has peers", { timeout }, async (t) => {
    const { transport, listener, users, accepted } = await listening(t);
    const [old, young] = [await PlainPeer.bind(t), await PlainPeer.bind(t)];
    await old.sendMessage(listener.bound, message("a"));
    await accepted();
    listener.close();
    const user = new CollectingUser();
    const next = await transport.listen(listener.bound, () => user);
    listener.close();
    await young.sendMessage(listener.bound, message("b"));
    await old.sendMessage(listener.bound, message("c"));
    await Promise.all([user.has(1), users[0]!.has(2)]);
    assert.equal(next.counts.openConnections, 2);
    await assert.rejects(
      transport.listen(listener.bound, () => user),
      { code: "address_in_use" },
    );
  });

  test("with room for unproven peers alone takes one that proves itself at once", { timeout }, async (t) => {
    const { listener, users, accepted } = await listening(t, { maxAcceptedConnections: 1 });
    const unproven = await PlainPeer.bind(t);
    await unproven.sendMessage(listener.bound, message("a"));
    await accepted();
    const dialing = new UdpTransport();
    t.after(() => dialing.close());
    await dialing.dial(listener.bound, () => new CollectingUser());
    await accepted(2);
    assert.equal(await users[0]!.end, "idle");
    assert.deepEqual(listener.counts, { openConnections: 1, refused: {} });
  });

  test("counts what is no datagram, and goes on", { timeout }, async (t) => {
    const { listener, users, accepted } = await listening(t);
    const peer = await PlainPeer.bind(t);
    await peer.send(
      listener.bound,
      Buffer.alloc(0),
      Buffer.from("GET / HTTP/1.1"),
      Buffer.alloc(1_400, 0x85),
    );
    await peer.sendMessage(listener.bound, message("hello"));
    await accepted();
    await users[0]!.has(1);
    assert.deepEqual(listener.counts, { openConnections: 1, refused: { malformed: 3 } });
  });

  test("counts a message that is none, and hands on the next", { timeout }, async (t) => {
    const { listener, users, connections, accepted } = await listening(t);
    const peer = await PlainPeer.bind(t);
    await peer.send(listener.bound, ...splitMessage(Buffer.from("no message"), 999));
    await peer.sendMessage(listener.bound, message("hello"));
    await accepted();
    await users[0]!.has(1);
    assert.deepEqual(connections[0]!.lost, { malformed: 1 });
  });

  test("forgets a peer that was silent too long", { timeout }, async (t) => {
    const clock = new FakeClock();
    const { listener, users, accepted } = await listening(t, { clock, peerIdleMs: 8_000 });
    const peer = await PlainPeer.bind(t);
    await peer.sendMessage(listener.bound, message("hello"));
    await accepted();
    await clock.advance(7_000);
    assert.equal(users[0]!.ended, undefined);
    await clock.advance(1_000);
    assert.equal(await users[0]!.end, "idle");
    assert.deepEqual(listener.counts, { openConnections: 0, refused: {} });
    assert.equal(clock.pending, 0);
  });

  test("counts on from where it stopped when a peer comes back", { timeout }, async (t) => {
    const { listener, users, connections, accepted } = await listening(t);
    const peer = await PlainPeer.bind(t);
    const answer = async (at: number): Promise<number> => {
      // What comes of it does not pay for more than the answer.
      await peer.sendMessage(listener.bound, message("x"));
      await accepted(at + 1);
      await users[at]!.has(1);
      connections[at]!.send(message("x"));
      return decodeDatagram(await peer.next()).number;
    };
    const first = await answer(0);
    connections[0]!.close();
    const ahead = numberDistance(await answer(1), first);
    assert.ok(ahead > 0, `${ahead} numbers ahead`);
  });

  for (const [what, asked, tries] of [
    ["at once, if it may send two heartbeats first", 300, 1],
    ["with its third message, if it may send no more than those", 5, 3],
  ] as const) {
    test(`is heard by a peer that has kept count of an earlier process's messages: ${what}`, {
      timeout,
    }, async (t) => {
      for (let kept = 0; kept < 65_536; kept += 4_096) {
        const { listener, users, connections, accepted } = await listening(t);
        const peer = await PlainPeer.bind(t);
        const reader = new PartAssembler({
          maxMessageBytes: 1_000,
          room: { take: () => true, giveBack() {} },
          expireAfterMs: Number.POSITIVE_INFINITY,
          resyncAfterMs: Number.POSITIVE_INFINITY,
        });
        reader.pass(kept, 0);
        const heard: string[] = [];
        for (let sent = 1; sent <= 4; sent += 1) {
          await peer.sendMessage(listener.bound, message(Buffer.alloc(asked)));
          await accepted();
          await users[0]!.has(sent);
          connections[0]!.send(message(`try ${sent}`));
          for (let text: string | undefined; text !== `try ${sent}`; ) {
            const bytes = await peer.next();
            const part = decodeDatagram(bytes);
            text = textOf(bytes, part);
            if (reader.push(bytes, part, 0) !== undefined && text !== "") heard.push(text);
          }
        }
        const sure = ["try 1", "try 2", "try 3", "try 4"].slice(tries - 1);
        assert.deepEqual(heard.slice(-sure.length), sure, `one that had come to ${kept}`);
        assert.deepEqual(connections[0]!.lost, {});
      }
    });
  }

  test("keeps peers apart by their addresses", { timeout }, async (t) => {
    const { listener, users, accepted } = await listening(t);
    const [one, other] = [await PlainPeer.bind(t), await PlainPeer.bind(t)];
    const [a, b] = [message(Buffer.alloc(1_000, 1)), message(Buffer.alloc(1_000, 2))];
    const [partsOfA, partsOfB] = [datagramsOf(a, 7), datagramsOf(b, 7)];
    for (const [at, part] of partsOfA.entries()) {
      await one.send(listener.bound, part);
      await other.send(listener.bound, partsOfB[at]!);
    }
    await accepted(2);
    await Promise.all(users.map((user) => user.has(1)));
    assert.deepEqual(users.map(({ messages }) => messages[0]!.payload[0]).sort(), [1, 2]);
  });

  test("gives up begun messages of unproven peers when memory runs out", { timeout }, async (t) => {
    const { listener, users, accepted } = await listening(t, { receiveBudgetBytes: 3 * 4 * 493 });
    const peers = await Promise.all(Array.from({ length: 5 }, () => PlainPeer.bind(t)));
    for (const peer of peers) await peer.send(listener.bound, datagramsOf(message(Buffer.alloc(900)), 1)[0]!);
    // The last one has its memory, the first two have lost theirs.
    for (const peer of [peers[4]!, peers[0]!]) {
      await peer.send(listener.bound, datagramsOf(message(Buffer.alloc(900)), 1)[1]!);
      peer.number = 2;
      await peer.sendMessage(listener.bound, message("next"));
    }
    await accepted(2);
    await Promise.all(users.map((user) => user.has(1)));
    const counts = users.map((user) => user.count).sort();
    assert.ok(counts[0]! >= 1);
    assert.equal(listener.counts.openConnections, 5);
  });
});

describe("a dialed peer", () => {
  test("that knows no notices is taken as it is, and hears a heartbeat", { timeout }, async (t) => {
    const transport = new UdpTransport({ dialSilenceMs: 30 });
    t.after(() => transport.close());
    const peer = await PlainPeer.bind(t);
    const user = new CollectingUser();
    const connection = await transport.dial(peer.address, () => user);
    const first = await peer.next();
    const { start, end } = decodeDatagram(first);
    const heartbeat = decodeMessage(first, start, end);
    assert.ok(heartbeat.onward.isEmpty && heartbeat.return.isEmpty);
    connection.send(message("hello"));
    assert.equal((await peer.nextMessage()).payload.toString(), "hello");
    await peer.sendMessage(connection.local, message("answer"));
    await user.has(1);
    connection.close();
    assert.equal(await user.end, "closed_here");
  });

  test("numbers its messages one after another, notices among them", { timeout }, async (t) => {
    const transport = new UdpTransport({ dialSilenceMs: 30 });
    t.after(() => transport.close());
    const peer = await PlainPeer.bind(t);
    const connection = await transport.dial(peer.address, () => new CollectingUser());
    for (let sent = 0; sent < 5; sent += 1) connection.send(message("hello"));
    let last = decodeDatagram(await peer.next()).number;
    const steps: number[] = [];
    while (steps.length < 7) {
      const { number } = decodeDatagram(await peer.next());
      steps.push(numberDistance(number, last));
      last = number;
    }
    // Two heartbeats go around the circle before the first message.
    assert.deepEqual(steps, [1, 20_000, 20_000, 1, 1, 1, 1]);
  });

  test("that speaks first is there", { timeout }, async (t) => {
    const transport = new UdpTransport({ dialSilenceMs: 60_000 });
    t.after(() => transport.close());
    const peer = await PlainPeer.bind(t);
    const user = new CollectingUser();
    const dial = transport.dial(peer.address, () => user);
    const socket = await addressOfDialer(peer);
    await peer.sendMessage(socket, message("hello"));
    await dial;
    await user.has(1);
  });

  test("that goes away is noticed with the next message", { timeout }, async (t) => {
    const transport = new UdpTransport({ dialSilenceMs: 30 });
    t.after(() => transport.close());
    const socket = createSocket("udp4");
    socket.bind(0, "127.0.0.1");
    await once(socket, "listening");
    const { address, port } = socket.address();
    const user = new CollectingUser();
    const connection = await transport.dial({ host: address, port }, () => user);
    socket.close();
    await once(socket, "close");
    connection.send(message("hello"));
    assert.equal(await user.end, "connection_failed");
    assert.match(user.error?.message ?? "", /ECONNREFUSED/);
  });

  test("that answered before, and is silent, is asked and then given up", { timeout }, async (t) => {
    const clock = new FakeClock();
    const transport = new UdpTransport({ clock });
    t.after(() => transport.close());
    const peer = await PlainPeer.bind(t);
    const user = new CollectingUser();
    const dial = transport.dial(peer.address, () => user);
    const socket = await addressOfDialer(peer);
    await peer.say(socket, notice("challenge", peer.lastNotice!.dialerId, id(5)));
    const confirm = await peer.nextNotice();
    assert.equal(confirm.kind, "confirm");
    await peer.say(socket, notice("welcome", confirm.dialerId, id(5)));
    await dial;
    await clock.advance(12_500);
    assert.equal((await peer.nextNotice()).kind, "ping");
    await peer.say(socket, notice("pong", confirm.dialerId, id(5)));
    await peer.sendMessage(socket, message("I live"));
    await user.has(1);
    await clock.advance(35_000);
    assert.equal(await user.end, "connection_failed");
    assert.match(user.error?.message ?? "", /no sign of life for 3\d s/);
  });

  test("is not ended by somebody who does not know the ids", { timeout }, async (t) => {
    const { listener, users, accepted } = await listening(t);
    const transport = new UdpTransport();
    t.after(() => transport.close());
    const user = new CollectingUser();
    const connection = await transport.dial(listener.bound, () => user);
    await accepted();
    const stranger = await PlainPeer.bind(t);
    await stranger.say(listener.bound, notice("goodbye", id(0), id(0)));
    connection.send(message("hello"));
    await users[0]!.has(1);
    assert.equal(users[0]!.ended, undefined);
  });

  test("of which the listener has lost its memory is dialed anew", { timeout }, async (t) => {
    const { listener, connections, users, accepted } = await listening(t);
    const clock = new FakeClock();
    const transport = new UdpTransport({ clock });
    t.after(() => transport.close());
    const user = new CollectingUser();
    await transport.dial(listener.bound, () => user);
    await accepted();
    // Without a goodbye, as if its process had been killed.
    (connections[0] as unknown as { abandon(reason: string): void }).abandon("idle");
    await users[0]!.end;
    await clock.advance(12_500);
    assert.equal(await user.end, "closed_by_peer");
  });
});

/** Where the dialer's socket is, from what it has said to `peer`. */
async function addressOfDialer(peer: PlainPeer): Promise<SocketAddress> {
  peer.lastNotice = await peer.nextNotice();
  assert.equal(peer.lastNotice.kind, "hello");
  return peer.lastSender!;
}

/** A look-up of `several.invalid` finds `addresses`. */
function lookUpFinds(t: TestContext, addresses: readonly string[]): void {
  const found = addresses.map((address) => ({ address, family: 4 }));
  // Node looks up IP addresses as well.
  const lookup = dns.lookup as (host: string, options: object, done: (...answer: unknown[]) => void) => void;
  const lookUp: typeof lookup = (host, options, done) => {
    if (host === "several.invalid") process.nextTick(done, null, found);
    else lookup(host, options, done);
  };
  t.mock.method(dns, "lookup", lookUp as typeof dns.lookup);
}

for (const [what, first, said] of [
  ["where nothing listens at the first", "127.0.0.2", /^can't connect to .*: nothing listens there/],
  ["where no way leads to the first", "255.255.255.255", /^can't connect to several.invalid:1: /],
] as const) {
  test(`a name with several addresses is dialed at the next one ${what}`, { timeout }, async (t) => {
    lookUpFinds(t, [first, "127.0.0.1"]);
    const [dialing, listening] = [new UdpTransport(), new UdpTransport()];
    t.after(() => {
      dialing.close();
      listening.close();
    });
    const { bound } = await listening.listen(bind, () => new CollectingUser());
    let attached = 0;
    const dial = ({ port }: SocketAddress): Promise<Connection> =>
      dialing.dial({ host: "several.invalid", port }, () => {
        attached += 1;
        return new CollectingUser();
      });
    const connection = await dial(bound);
    assert.deepEqual([connection.peer, attached], [bound, 1]);
    await assert.rejects(dial({ host: "", port: 1 }), { code: "connect_failed", message: said });
    assert.equal(attached, 1);
  });
}
