import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { TargetOutcome } from "../../gen/portway/v1/portal_service_pb.js";
import { hashOf, readBytes, writeBytes } from "./support/bytes.js";
import { freePort } from "./support/ports.js";
import { hasProc } from "./support/processes.js";
import { connectTo, exchange, exchangeOn, fateOf } from "./support/tcp-client.js";
import { behaviours, TcpTarget } from "./support/tcp-target.js";
import { portOf, Tutorial } from "./support/tutorial.js";
import { until, within, withSlack } from "./support/until.js";

const manyBytes = 200 * 1024 * 1024;
const manyConnections = 500;
/** A reset that an inlet or an outlet decides on by itself needs no waiting. */
const atOnceMs = withSlack(1_000);

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

/** Both ends of a portal have let go of all sessions. */
async function allClosed(name?: string): Promise<void> {
  await until(
    "no session is open at the inlet",
    async () => (await tutorial.inletStatus(name)).sessions?.open === 0,
  );
  await until(
    "no session is open at the outlet",
    async () => (await tutorial.outletStatus(name)).sessions?.open === 0,
  );
}

test("200 MB come down unchanged", async () => {
  await using target = await TcpTarget.listen(behaviours.sends(manyBytes));
  const socket = await connectTo(await tutorial.portal("down", target.address));
  const { bytes, hash } = await within("the download", readBytes(socket));
  assert.deepEqual([bytes, hash], [manyBytes, hashOf(manyBytes)]);
  await allClosed("down");
  const { sessions } = await tutorial.outletStatus("down");
  assert.deepEqual([sessions?.bytesIn, sessions?.bytesOut], [BigInt(manyBytes), 0n]);
});

test("200 MB go up unchanged", async () => {
  await using target = await TcpTarget.listen(behaviours.takes(manyBytes));
  const socket = await connectTo(await tutorial.portal("up", target.address));
  const answer = until("the target has told the hash", () => (said.length === 64 ? said : undefined));
  let said = "";
  socket.setEncoding("latin1").on("data", (text: string) => {
    said += text;
  });
  await writeBytes(socket, manyBytes);
  assert.equal((await answer).value, hashOf(manyBytes));
  await allClosed("up");
});

test("500 connections at once each get their own bytes", async () => {
  const openedBefore = (await tutorial.outletStatus()).sessions!.opened;
  const sockets = await Promise.all(
    Array.from({ length: manyConnections }, () => connectTo(tutorial.inletPort)),
  );
  const text = (at: number): string => `${at}:`.padEnd(1_000, String(at % 10));
  const answers = await Promise.all(
    sockets.map((socket, at) => within(`connection ${at}`, exchangeOn(socket, text(at)))),
  );
  for (const [at, answer] of answers.entries()) assert.equal(answer, text(at));
  const { sessions } = await tutorial.outletStatus();
  assert.deepEqual([sessions?.open, sessions!.opened - openedBefore], [manyConnections, 500n]);
  for (const socket of sockets) socket.destroy();
  await allClosed();
  await until("the target's connections are closed", () => echo.sockets.size === 0);
});

test("1000 downloads that their clients abort leave nothing behind", async () => {
  await using target = await TcpTarget.listen(behaviours.sends(manyBytes));
  const port = await tutorial.portal("aborted", target.address);
  const workers = await tutorial.workers();
  const abort = async (): Promise<void> => {
    const socket = await connectTo(port);
    await within("data comes", once(socket, "data"));
    socket.destroy();
  };
  const many = async (): Promise<void> => {
    for (let round = 0; round < 25; round += 1) await Promise.all(Array.from({ length: 20 }, abort));
    await allClosed("aborted");
    await until("the target's connections are closed", () => target.sockets.size === 0);
  };
  await many();
  const memory = hasProc ? await tutorial.memory() : [];
  await many();
  assert.deepEqual(await tutorial.workers(), workers);
  if (!hasProc) return;
  for (const [at, bytes] of (await tutorial.memory()).entries()) {
    const grown = bytes - memory[at]!;
    assert.ok(grown < 16 * 1024 * 1024, `the daemon of n${at + 1} has grown by ${grown} bytes`);
  }
});

test("a target that closes first: the client gets all that it sent, and the end", async () => {
  await using target = await TcpTarget.listen(behaviours.closesFirst);
  const socket = await connectTo(await tutorial.portal("first", target.address));
  assert.equal((await within("the end", readBytes(socket))).bytes, "that is all".length);
  await allClosed("first");
});

test("a client that closes first: the target gets all that it sent, and the end", async () => {
  const got: Buffer[] = [];
  let hasEnded = false;
  await using target = await TcpTarget.listen((socket) =>
    socket
      .on("data", (data) => got.push(data))
      .once("end", () => {
        hasEnded = true;
      }),
  );
  const socket = await connectTo(await tutorial.portal("client-first", target.address));
  socket.end("that was all");
  await until("the target sees the end", () => hasEnded);
  assert.equal(Buffer.concat(got).toString(), "that was all");
  await allClosed("client-first");
});

test("a target that refuses: a reset at once, a status that says so, and no harm to the next", async () => {
  const port = await freePort();
  const inletPort = await tutorial.portal("refused", `127.0.0.1:${port}`);
  assert.equal(await fateOf(inletPort, atOnceMs), "ECONNRESET");
  assert.equal((await tutorial.inletStatus("refused")).targetOutcome, TargetOutcome.REFUSED);
  const outlet = await tutorial.outletStatus("refused");
  assert.equal(outlet.targetOutcome, TargetOutcome.REFUSED);
  assert.match(outlet.lastError, new RegExp(`127.0.0.1:${port}: .*refused`));
  assert.match(await tutorial.n1.run("tcp-inlet show refused --at n1 --output plain"), /"status": "Up"/);

  await using _target = await TcpTarget.listen(behaviours.echoes, port);
  assert.equal(await exchange(inletPort, "and now?"), "and now?");
  const { targetOutcome, sessions } = await tutorial.inletStatus("refused");
  assert.equal(targetOutcome, TargetOutcome.CONNECTED);
  assert.deepEqual(sessions?.failed, { target_refused: 1n });
  assert.equal(await exchange(tutorial.inletPort, "the others"), "the others");
});

test("a target whose name is unknown: a reset, and the outlet says which name", async () => {
  const inletPort = await tutorial.portal("unknown", "no-such-host.invalid:80");
  assert.equal(await fateOf(inletPort), "ECONNRESET");
  assert.match((await tutorial.outletStatus("unknown")).lastError, /no-such-host\.invalid/);
  await allClosed("unknown");
});

test("clients that are gone before their session opens leave nothing behind", async () => {
  const { opened } = (await tutorial.outletStatus()).sessions!;
  const gone = 50;
  for (let at = 0; at < gone; at += 1) {
    const socket = await connectTo(tutorial.inletPort);
    if (at % 2 === 0) socket.destroy();
    else socket.resetAndDestroy();
  }
  await until("the outlet has seen them all", async () => {
    const { sessions } = await tutorial.outletStatus();
    return sessions!.opened - opened === BigInt(gone);
  });
  await allClosed();
  await until("the target's connections are closed", () => echo.sockets.size === 0);
  assert.equal(await exchange(tutorial.inletPort, "still there"), "still there");
});

test("a session that opens too late for its client is closed at the target too", async () => {
  const { n1, n2 } = tutorial;
  const created = await n1.client.portals.createInlet({
    parent: "nodes/n1",
    inletId: "impatient",
    inlet: {
      bindAddress: "127.0.0.1:0",
      to: tutorial.toOutlet,
      openTimeout: { seconds: 0n, nanos: 300_000_000 },
    },
  });
  const accepted = echo.accepted;
  const pid = await n2.pid();
  process.kill(pid, "SIGSTOP");
  try {
    assert.equal(await fateOf(portOf(created.inlet), withSlack(300)), "ECONNRESET");
  } finally {
    process.kill(pid, "SIGCONT");
  }
  await until("the outlet has connected all the same", () => echo.accepted > accepted);
  await until("the target's connection is closed", () => echo.sockets.size === 0);
  assert.equal((await tutorial.inletStatus("impatient")).targetOutcome, TargetOutcome.TIMED_OUT);
  await allClosed();
});

test("an inlet whose path is down resets its client at once", async () => {
  const { n1 } = tutorial;
  const port = await freePort();
  const to = `/dnsaddr/localhost/tcp/${await freePort()}/service/outlet`;
  const made = await n1.cli(
    `tcp-inlet create nowhere --at n1 --from 127.0.0.1:${port} --to ${to} --connection-wait 100ms`,
  );
  assert.equal(made.code, 0, made.stderr);
  assert.match(made.stderr, /does not reach its outlet's node yet: .*refused/);
  assert.equal(await fateOf(port, atOnceMs), "ECONNRESET");
  const status = await tutorial.inletStatus("nowhere");
  assert.equal(status.targetOutcome, TargetOutcome.UNROUTABLE);
  assert.match(status.path!.failure!.lastError, /refused/);
  assert.equal(JSON.parse(await n1.run("tcp-inlet show nowhere --at n1")).status, "Down");
});

test("an inlet whose outlet does not exist resets its client when the session may no longer open", async () => {
  const created = await tutorial.n1.client.portals.createInlet({
    parent: "nodes/n1",
    inletId: "silent",
    inlet: {
      bindAddress: "127.0.0.1:0",
      to: tutorial.toOutlet.replace(/outlet$/, "nobody"),
      openTimeout: { seconds: 1n },
    },
  });
  assert.equal(await fateOf(portOf(created.inlet), withSlack(1_000)), "ECONNRESET");
  assert.equal((await tutorial.inletStatus("silent")).targetOutcome, TargetOutcome.TIMED_OUT);
});
