import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { after, before, test } from "node:test";
import { writeBytes } from "./support/bytes.js";
import { hasProc, residentBytes } from "./support/processes.js";
import { connectTo, endOf, exchange, exchangeOn } from "./support/tcp-client.js";
import { behaviours, TcpTarget } from "./support/tcp-target.js";
import { Tutorial } from "./support/tutorial.js";
import { patienceMs, until, within, withSlack } from "./support/until.js";

const offeredBytes = 1024 * 1024 * 1024;
const stallMs = 10_000;
const mib = 1024 * 1024;
/** What one stream may hold in a daemon: a session's queue, a connection's queue, and what was read last. */
const limitBytes = 1 * mib + 0.5 * mib + 0.5 * mib;
const growthBytes = limitBytes + 32 * mib;

let echo: TcpTarget;
let tutorial: Tutorial;

before(async () => {
  echo = await TcpTarget.listen(behaviours.echoes);
  tutorial = await Tutorial.build({ by: "relay", daemons: 3, target: echo.address });
});

after(async () => {
  await tutorial?.[Symbol.asyncDispose]();
  await echo?.[Symbol.asyncDispose]();
});

/** Watches the memory of the three daemons; gives by how much each has grown at most. */
async function watchMemory(): Promise<{ stop(): readonly number[] }> {
  const pids = await Promise.all(tutorial.machines.map((machine) => machine.pid()));
  const atFirst = pids.map(residentBytes);
  const most = [...atFirst];
  const look = (): void =>
    pids.forEach((pid, at) => {
      most[at] = Math.max(most[at]!, residentBytes(pid));
    });
  const timer = setInterval(look, 50);
  return {
    stop() {
      clearInterval(timer);
      look();
      return most.map((bytes, at) => bytes - atFirst[at]!);
    },
  };
}

/** A session of another portal over the same links. */
async function openedSession(): Promise<Socket> {
  const socket = await connectTo(tutorial.inletPort);
  assert.equal(await exchangeOn(socket, "before"), "before");
  return socket;
}

/** While one session of a link takes nothing: the daemons stay small, and the others go on once it is cut. */
async function othersGoOn(name: string, other: Socket, stalled: () => Promise<bigint>): Promise<void> {
  const links = await tutorial.links();
  const memory = await watchMemory();
  const startMs = performance.now();
  const answers = Promise.all([
    within("an answer to a session that was open", exchangeOn(other, "after the cut"), withSlack(stallMs)),
    exchange(tutorial.inletPort, "new", withSlack(stallMs)),
  ]);
  answers.catch(() => {});
  await until(`the session of ${name} was cut`, async () => (await stalled()) === 1n, withSlack(stallMs));
  assert.deepEqual(await answers, ["after the cut", "new"]);
  const tookMs = performance.now() - startMs;
  assert.ok(tookMs < withSlack(stallMs), `${tookMs} ms`);
  for (const [at, grown] of memory.stop().entries()) {
    assert.ok(grown <= growthBytes, `the daemon of n${at + 1} has grown by ${grown} bytes`);
  }
  assert.deepEqual(await tutorial.links(), links, "a link was cut as well");
}

test("a client that never reads costs little memory, and is cut off alone", { skip: !hasProc }, async () => {
  const other = await openedSession();
  await using target = await TcpTarget.listen(behaviours.sends(offeredBytes));
  const socket = await connectTo(await tutorial.portal("never-reads", target.address));
  await until(
    "the session is open",
    async () => (await tutorial.inletStatus("never-reads")).sessions?.open === 1,
  );
  await othersGoOn(
    "never-reads",
    other,
    async () => (await tutorial.inletStatus("never-reads")).sessions!.stalled,
  );
  // With bytes unread some systems tell a program of a reset as of an end.
  assert.match(await endOf(socket), /end|ECONNRESET/);
  await until("the outlet's session has ended", async () => {
    return (await tutorial.outletStatus("never-reads")).sessions?.open === 0;
  });
  await until("the target's connection is closed", () => target.sockets.size === 0);
});

test("a target that never reads costs little memory, and is cut off alone", { skip: !hasProc }, async () => {
  const other = await openedSession();
  await using target = await TcpTarget.listen(behaviours.neverReads);
  const socket = await connectTo(await tutorial.portal("target-never-reads", target.address));
  const written = writeBytes(socket, offeredBytes);
  const end = endOf(socket, 2 * patienceMs);
  await othersGoOn("target-never-reads", other, async () => {
    return (await tutorial.outletStatus("target-never-reads")).sessions!.stalled;
  });
  assert.match(await end, /end|ECONNRESET|EPIPE/);
  socket.destroy();
  await within("the writer is done", written);
  await until("the inlet's session has ended", async () => {
    return (await tutorial.inletStatus("target-never-reads")).sessions?.open === 0;
  });
});
