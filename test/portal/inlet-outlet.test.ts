import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { afterEach, beforeEach, test } from "node:test";
import { systemClock } from "../../src/base/clock.js";
import { silentLog } from "../../src/base/log.js";
import { Address } from "../../src/model/address.js";
import { Message } from "../../src/model/message.js";
import { Route } from "../../src/model/route.js";
import { Inlet, type InletOptions } from "../../src/portal/inlet.js";
import { Outlet, type OutletOptions } from "../../src/portal/outlet.js";
import { disconnect, ping, pong } from "../../src/portal/portal-message.js";
import { sessionLimits } from "../../src/portal/session.js";
import type { Link } from "../../src/routing/link.js";
import type { Router } from "../../src/routing/router.js";
import type { Outcome } from "../../src/routing/worker.js";
import { createTestGate, createTestNode } from "../support/router-pair.js";

const outletAddress = Address.local("outlet");
const link: Link = {
  route: Route.empty,
  isUp: true,
  watch: (listener) => {
    listener.up();
    return { [Symbol.dispose]() {} };
  },
  heard() {},
  renew() {},
  [Symbol.dispose]() {},
};

let router: Router;
let undo: (() => void)[];

beforeEach(() => {
  router = createTestNode();
  undo = [];
});

afterEach(() => {
  for (const step of undo.reverse()) step();
});

/** A target that does `serve` with each connection; gives its port. */
async function target(serve: (socket: net.Socket) => void): Promise<number> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    serve(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  undo.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as net.AddressInfo).port;
}

function outlet(port: number, more: Partial<OutletOptions> = {}): Outlet {
  const options = { router, address: outletAddress, clock: systemClock, log: silentLog, changed: () => {} };
  const made = new Outlet({
    ...options,
    target: { host: "127.0.0.1", port },
    connectTimeoutMs: 5_000,
    ...more,
  });
  undo.push(() => {
    made[Symbol.dispose]();
    made.closeSessions();
  });
  return made;
}

async function inlet(
  tail = Route.of(outletAddress),
  more: Partial<
    Pick<InletOptions, "openTimeoutMs" | "plainSockets" | "link" | "changed" | "sessionLimits">
  > = {},
) {
  const bind = { host: "127.0.0.1", port: 0 };
  const options = {
    router,
    bind,
    link,
    tail,
    clock: systemClock,
    log: silentLog,
    changed: () => {},
    ...more,
  };
  const made = await Inlet.listen(options);
  undo.push(() => made[Symbol.dispose]());
  return made;
}

interface Ending {
  readonly text: string;
  /** The code of the error that ended it; empty for an orderly end. */
  readonly error: string;
}

/** Connects, sends `text`, and gives what came until the end. */
function talk(port: number, text: string): Promise<Ending> {
  return new Promise((resolve) => {
    let heard = "";
    let code = "";
    const socket = net.connect(port, "127.0.0.1", () => {
      if (text !== "") socket.write(text);
    });
    socket.on("data", (data) => {
      heard += data;
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      code = error.code ?? "unknown";
    });
    socket.on("close", () => resolve({ text: heard, error: code }));
  });
}

for (const plainSockets of [false, true]) {
  test(`bytes go to the target and back, and its end ends the client (plain sockets: ${plainSockets})`, async () => {
    const out = outlet(await target((socket) => socket.once("data", (data) => socket.end(`got ${data}`))));
    const opened = await inlet(Route.of(outletAddress), { plainSockets });
    assert.deepEqual(await talk(opened.bound.port, "hello"), { text: "got hello", error: "" });
    assert.equal(opened.counts.view().bytesIn, 5);
    assert.equal(opened.counts.view().bytesOut, 9);
    assert.equal(opened.counts.outcome, "connected");
    assert.equal(out.counts.view().opened, 1);
  });
}

test("a target that speaks first is heard", async () => {
  outlet(await target((socket) => socket.end("220 ready")));
  const opened = await inlet();
  assert.deepEqual(await talk(opened.bound.port, ""), { text: "220 ready", error: "" });
});

test("an outlet that is named twice, as an Ockam inlet does after a recovery, takes the ping", async () => {
  outlet(await target((socket) => socket.end("ok")));
  const opened = await inlet(Route.of(outletAddress, outletAddress));
  assert.equal((await talk(opened.bound.port, "")).text, "ok");
});

test("on plain sockets neither end reads with what Node does not document", async (t) => {
  const port = await target((socket) => socket.once("data", (data) => socket.end(data)));
  const probe = net.connect(port, "127.0.0.1");
  await once(probe, "connect");
  let owner = (probe as unknown as { _handle: object })._handle;
  while (!Object.hasOwn(owner, "useUserBuffer")) owner = Object.getPrototypeOf(owner);
  probe.destroy();
  const reads = t.mock.method(owner as { useUserBuffer(): void }, "useUserBuffer");
  for (const plainSockets of [true, false]) {
    const far = outlet(port, { plainSockets });
    const near = await inlet(undefined, { plainSockets });
    assert.equal((await talk(near.bound.port, "hello")).text, "hello");
    assert.equal(reads.mock.callCount() > 0, !plainSockets);
    near[Symbol.dispose]();
    far[Symbol.dispose]();
  }
});

test("a target that refuses resets the client, and both ends say so", async () => {
  const port = await target(() => {});
  undo.pop()?.();
  const out = outlet(port);
  const opened = await inlet();
  const ending = await talk(opened.bound.port, "hello");
  assert.equal(ending.text, "");
  assert.equal(ending.error, "ECONNRESET");
  assert.equal(opened.counts.outcome, "refused");
  assert.equal(out.counts.outcome, "refused");
  assert.match(out.counts.lastError, /127\.0\.0\.1:\d+.*refused/);
  const reachable = opened.liveness.conditions.find(({ type }) => type === "TargetReachable");
  assert.equal(reachable?.holds, false);
});

test("a target whose host is unknown is named in the outlet's last error", async () => {
  const out = outlet(80, { target: { host: "no-such-host.invalid", port: 80 } });
  const opened = await inlet();
  assert.equal((await talk(opened.bound.port, "hello")).error, "ECONNRESET");
  assert.match(out.counts.lastError, /no-such-host\.invalid/);
});

test("an outlet that takes no more sessions refuses at once", async () => {
  const port = await target((socket) => socket.end("ok"));
  const out = outlet(port, { maxSessions: 0 });
  const opened = await inlet();
  const refused: Ending = { text: "", error: "ECONNRESET" };
  assert.deepEqual(await talk(opened.bound.port, ""), refused);
  assert.equal(opened.counts.outcome, "refused");
  assert.deepEqual(out.counts.view().failed, { too_many_sessions: 1 });
  out.drain();
  assert.deepEqual(await talk(opened.bound.port, ""), refused);
  assert.deepEqual(opened.counts.view().failed, { target_refused: 2 });
});

test("sessions whose refusal nobody takes count for the limit, and what is beyond it waits with them", async () => {
  const full = createTestGate();
  let room = 0;
  const heard: number[] = [];
  const far = Address.local("far");
  router.register(
    far,
    {
      handle({ payload }): Outcome {
        if (room === 0) return full;
        room -= 1;
        heard.push(payload[0]!);
        return undefined;
      },
    },
    { kind: "reply" },
  );
  const out = outlet(1, { maxSessions: 2 });
  const refused = (): number => out.counts.view().failed["target_refused"] ?? 0;
  const ask = (): Outcome =>
    router.send(Message.of({ onward: Route.of(outletAddress), return: Route.of(far), payload: ping }));
  assert.deepEqual([ask(), ask()], [undefined, undefined]);
  while (refused() < 2) await new Promise(setImmediate);
  assert.equal(ask(), full);
  room = 1;
  assert.equal(ask(), full);
  room = 2;
  assert.equal(ask(), undefined);
  assert.deepEqual(heard, [pong[0], pong[0], disconnect[0]]);
  assert.deepEqual(out.counts.view().failed, { target_refused: 2, too_many_sessions: 1 });
  room = Number.POSITIVE_INFINITY;
  full.open();
  assert.equal(heard.length, 7);
  assert.equal(ask(), undefined);
  while (refused() < 3) await new Promise(setImmediate);
});

test("an outlet has sessions from their ping to their end", async () => {
  const out = outlet(await target(() => {}));
  const opened = await inlet();
  const client = net.connect(opened.bound.port, "127.0.0.1");
  undo.push(() => void client.destroy());
  while (!out.hasSessions) await new Promise(setImmediate);
  assert.equal(out.counts.open, 0);
  while (out.counts.open === 0) await new Promise(setImmediate);
  client.destroy();
  while (out.hasSessions) await new Promise(setImmediate);
  assert.equal(out.counts.open, 0);
});

test("what a program has not taken of a session that has ended keeps it open, and goes with the inlet", async () => {
  const bytes = Buffer.alloc(24 * 1024 * 1024, 7);
  const out = outlet(await target((socket) => socket.end(bytes)));
  const limits = { ...sessionLimits, localQueueBytes: 2 * bytes.byteLength };
  const opened = await inlet(Route.of(outletAddress), { sessionLimits: limits });
  const client = net.connect(opened.bound.port, "127.0.0.1").pause();
  undo.push(() => void client.destroy());
  while (out.counts.view().opened === 0 || out.counts.open > 0) await new Promise(setImmediate);
  assert.equal(opened.counts.view().bytesOut, bytes.byteLength);
  assert.equal(opened.counts.open, 1);
  opened[Symbol.dispose]();
  assert.equal(opened.counts.open, 0);
  // The reset comes as an error or, to a reader that is behind, as an end.
  client.on("error", () => {}).resume();
  await new Promise((resolve) => client.on("close", resolve));
});

test("a session that nobody answers ends at its deadline", async () => {
  router.register(outletAddress, { handle: () => undefined }, { kind: "outlet" });
  const opened = await inlet(Route.of(outletAddress), { openTimeoutMs: 30 });
  assert.equal((await talk(opened.bound.port, "hello")).error, "ECONNRESET");
  assert.equal(opened.counts.outcome, "timed_out");
  assert.deepEqual(opened.counts.view().failed, { timed_out: 1 });
});

test("a session that nobody answered says nothing of the target once a later one has met it", async () => {
  let pings = 0;
  const worker = {
    handle({ return: onward }: Message): Outcome {
      pings += 1;
      if (pings === 1) return undefined;
      return router.forward(Message.of({ onward, return: Route.of(outletAddress), payload: pong }));
    },
  };
  router.register(outletAddress, worker, { kind: "outlet" });
  const opened = await inlet(Route.of(outletAddress), { openTimeoutMs: 100 });
  const first = talk(opened.bound.port, "hello");
  while (pings === 0) await new Promise(setImmediate);
  const client = net.connect(opened.bound.port, "127.0.0.1");
  undo.push(() => void client.destroy());
  while (opened.counts.outcome !== "connected") await new Promise(setImmediate);
  assert.equal((await first).error, "ECONNRESET");
  assert.deepEqual(opened.counts.view().failed, { timed_out: 1 });
  assert.equal(opened.counts.outcome, "connected");
});

test("a route that can't be taken resets the client at once", async () => {
  const opened = await inlet(Route.of(Address.local("nobody")));
  assert.equal((await talk(opened.bound.port, "hello")).error, "ECONNRESET");
  assert.equal(opened.counts.outcome, "unroutable");
});

test("a disconnect instead of a pong is a refusal", async () => {
  const worker = {
    handle(message: Message) {
      const onward = message.return;
      return router.forward(Message.of({ onward, return: Route.of(outletAddress), payload: disconnect }));
    },
  };
  router.register(outletAddress, worker, { kind: "outlet" });
  const opened = await inlet();
  assert.equal((await talk(opened.bound.port, "hello")).error, "ECONNRESET");
  assert.equal(opened.counts.outcome, "refused");
});

test("only a ping opens a session at an outlet", async () => {
  const out = outlet(1);
  const send = (payload: Buffer) =>
    router.send(Message.of({ onward: Route.of(outletAddress), return: Route.of(outletAddress), payload }));
  assert.equal(send(pong), "unexpected");
  assert.equal(send(Buffer.alloc(0)), "unexpected");
  assert.equal(
    router.send(Message.of({ onward: Route.of(outletAddress), return: Route.empty, payload: Buffer.of(0) })),
    "route_exhausted",
  );
  assert.equal(out.counts.view().opened, 0);
});

test("an inlet's path is active once the echo at its end answers", async () => {
  let timesHeard = 0;
  const heard = () => {
    timesHeard += 1;
  };
  const opened = await inlet(Route.of(outletAddress), { link: { ...link, heard } });
  await opened.settled;
  assert.equal(opened.liveness.state, "active");
  assert.equal(timesHeard, 1);
  assert.ok(opened.liveness.roundTripMs !== undefined);
});

test("an inlet tells that its link is up before anything is known of the path behind it", async () => {
  let up = (): void => {};
  const watch: Link["watch"] = (listener) => {
    up = () => listener.up();
    return { [Symbol.dispose]() {} };
  };
  const told: string[][] = [];
  const opened = await inlet(Route.of(outletAddress), {
    link: { ...link, watch },
    changed: () =>
      void told.push(opened.liveness.conditions.filter(({ holds }) => holds).map(({ type }) => type)),
  });

  up();

  assert.deepEqual(told, [["Bound", "Connected"]]);
  await opened.settled;
  assert.deepEqual(told.slice(1), [["Bound", "Connected", "PathReachable"]]);
});

test("an inlet whose port is taken says so", async () => {
  const port = await target(() => {});
  const bind = { host: "127.0.0.1", port };
  const options = { router, bind, link, tail: Route.of(outletAddress), clock: systemClock, log: silentLog };
  await assert.rejects(Inlet.listen({ ...options, changed: () => {} }), { code: "address_in_use" });
});

test("disposing an inlet ends its clients, and no worker is left", async () => {
  outlet(await target(() => {}));
  const before = [...router.workers()].length;
  const opened = await inlet();
  const socket = net.connect(opened.bound.port, "127.0.0.1");
  socket.on("error", () => {});
  await once(socket, "connect");
  while (opened.counts.open === 0) await new Promise((resolve) => setImmediate(resolve));
  opened[Symbol.dispose]();
  await new Promise((resolve) => socket.once("close", resolve));
  while ([...router.workers()].length > before) await new Promise((resolve) => setImmediate(resolve));
});
