import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { Message } from "../../../src/model/message.js";
import { Route } from "../../../src/model/route.js";
import type { SocketAddress } from "../../../src/model/socket-address.js";
import type { Connection } from "../../../src/transport/transport.js";
import { UdpTransport } from "../../../src/transport/udp/udp-transport.js";
import { windowMessages } from "../../../src/wire/parts.js";
import { CollectingUser, sendAll } from "../../suites/collecting-user.js";

const timeout = 60_000;

interface Faults {
  readonly lost: number;
  readonly doubled: number;
  readonly late: number;
  readonly seed: number;
}

/** Numbers from 0 to below 1, the same ones for the same seed. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Passes datagrams between a dialer and `to`, and does to them what networks do. Gives its address. */
async function link(t: TestContext, to: SocketAddress, { lost, doubled, late, seed }: Faults) {
  const random = generator(seed);
  const near = await bound();
  const far = await bound();
  let dialer: SocketAddress | undefined;
  const held: (() => void)[] = [];
  const pass = (socket: Socket, bytes: Buffer, at: SocketAddress): void => {
    const copies = random() < lost ? 0 : random() < doubled ? 2 : 1;
    for (let copy = 0; copy < copies; copy += 1) {
      const send = (): void => socket.send(bytes, at.port, at.host, () => {});
      if (random() < late) held.push(send);
      else send();
    }
    if (held.length > 8) for (const send of held.splice(0)) send();
  };
  near.on("message", (bytes, { address, port }) => {
    dialer = { host: address, port };
    pass(far, bytes, to);
  });
  far.on("message", (bytes) => pass(near, bytes, dialer!));
  t.after(() => {
    near.close();
    far.close();
  });
  const { address, port } = near.address();
  return { host: address, port };
}

async function bound(): Promise<Socket> {
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return socket;
}

function message(number: number, bytes: number): Message {
  const payload = Buffer.alloc(bytes);
  for (let at = 4; at < bytes; at += 1) payload[at] = (at * 31 + number * 17 + (at >>> 8)) % 256;
  payload.writeUInt32BE(number);
  return Message.of({ onward: Route.parse("worker"), return: Route.parse("back"), payload });
}

/** Sends `messages`, then last ones until one arrives. */
async function sendThrough(
  from: Connection,
  to: CollectingUser,
  messages: readonly Message[],
): Promise<void> {
  await sendAll(from, messages);
  const isLast = (): boolean => (to.messages.at(-1)?.payload.readUInt32BE() ?? 0) >= messages.length;
  for (let number = messages.length; !isLast(); number += 1) {
    await sendAll(from, [message(number, 4)]);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

for (const faults of [
  { lost: 0.02, doubled: 0, late: 0, seed: 1 },
  { lost: 0, doubled: 0.2, late: 0, seed: 2 },
  { lost: 0, doubled: 0, late: 0.02, seed: 3 },
  { lost: 0.05, doubled: 0.05, late: 0.05, seed: 4 },
  { lost: 0.3, doubled: 0.3, late: 0.3, seed: 5 },
]) {
  test(`over a link that ${words(faults)}, each message comes whole and once, or not at all`, {
    timeout,
  }, async (t) => {
    // Slow enough for the sockets in between: what is lost is lost by the link.
    const pace = { datagramsPerMs: 8, burstDatagrams: 8 };
    const here = new UdpTransport({ ...pace, dialSilenceMs: 5_000 });
    const there = new UdpTransport(pace);
    t.after(() => {
      here.close();
      there.close();
    });
    const [dialing, accepting] = [new CollectingUser(), new CollectingUser()];
    let accepted: Connection | undefined;
    const listener = await there.listen({ host: "127.0.0.1", port: 0 }, (connection) => {
      accepted = connection;
      return accepting;
    });
    const dialed = await here.dial(await link(t, listener.bound, faults), () => dialing);
    const random = generator(faults.seed + 100);
    const messages = Array.from({ length: 300 }, (_, at) => {
      const bytes = random() < 0.2 ? 4_000 + Math.floor(random() * 8_000) : 4 + Math.floor(random() * 1_200);
      return message(at, bytes);
    });
    // Whoever listens learns of the dialer with its first message, if it has not before.
    await sendThrough(dialed, accepting, messages);
    await sendThrough(accepted!, dialing, messages);
    for (const user of [accepting, dialing]) {
      const came = new Set<number>();
      let newest = 0;
      for (const { payload } of user.messages) {
        const number = payload.readUInt32BE();
        assert.ok(!came.has(number), `message ${number} came twice`);
        assert.ok(number > newest - windowMessages, `message ${number} after ${newest}`);
        const expected = messages[number] ?? message(number, 4);
        assert.ok(payload.equals(expected.payload), `message ${number} is not what was sent`);
        came.add(number);
        if (faults.late === 0) assert.ok(number >= newest, `message ${number} after ${newest}`);
        newest = Math.max(newest, number);
      }
      if (faults.lost === 0 && faults.late === 0)
        assert.ok(came.size === newest + 1, `${newest + 1 - came.size} are missing`);
    }
    const { lost } = accepted!;
    if (faults.lost > 0) assert.ok((lost?.["abandoned"] ?? 0) + (lost?.["skipped"] ?? 0) > 0);
    if (faults.late > 0) assert.ok((lost?.["outOfOrder"] ?? 0) > 0);
    if (faults.doubled > 0) assert.ok((lost?.["doubled"] ?? 0) + (lost?.["late"] ?? 0) > 0);
  });
}

function words({ lost, doubled, late }: Faults): string {
  const said = [
    ...(lost > 0 ? [`loses ${lost * 100} %`] : []),
    ...(doubled > 0 ? [`doubles ${doubled * 100} %`] : []),
    ...(late > 0 ? [`delivers ${late * 100} % late`] : []),
  ];
  return said.join(", ");
}
