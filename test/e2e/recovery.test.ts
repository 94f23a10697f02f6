import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Liveness } from "../../gen/portway/v1/resource_pb.js";
import { State } from "../../gen/portway/v1/resource_pb.js";
import { Machine } from "./support/machine.js";
import { freePort } from "./support/ports.js";
import { connectTo, endOf, exchange, exchangeOn, fateOf } from "./support/tcp-client.js";
import { behaviours, TcpTarget } from "./support/tcp-target.js";
import { Tutorial } from "./support/tutorial.js";
import { patienceMs, until, withSlack } from "./support/until.js";

/** From the moment on at which a node can be dialed again. */
const backMs = withSlack(5_000);
/** Until a peer counts as dead that says nothing and closes nothing. */
const blackHoleMs = withSlack(15_000);
/** Until a session ends whose far end is gone behind other nodes: it is asked every 8 s, and three times. */
const silentMs = withSlack(32_000);
/** One attempt: a session that was asked for too early is not heard of any more. */
const tryMs = 500;
const atOnceMs = withSlack(1_000);
const restarts = 20;

async function build(echo: TcpTarget): Promise<Tutorial> {
  return await Tutorial.build({ by: "relay", daemons: 3, target: echo.address });
}

/** The inlet's route and the relay carry bytes again; how long that took. */
async function serves(tutorial: Tutorial, limitMs: number): Promise<number> {
  const { tookMs } = await until(
    "the inlet serves",
    async () => (await exchange(tutorial.inletPort, "hello?", tryMs)) === "hello?",
    limitMs,
  );
  const active = await until(
    "the relay is active",
    async () => (await tutorial.relayStatus()).liveness?.state === State.ACTIVE,
    limitMs,
  );
  return tookMs + active.tookMs;
}

/** Something that was up, is not, and says why and when it is tried next. */
function isHonestlyDown(liveness: Liveness | undefined): boolean {
  if (liveness?.state !== State.DEGRADED) return false;
  const { failure, lastSuccessTime, reconciling } = liveness;
  assert.match(failure!.lastError, /./);
  assert.ok(failure!.count > 0 && reconciling && lastSuccessTime !== undefined);
  return failure?.nextRetryTime !== undefined;
}

async function allSayThatTheyAreDown(tutorial: Tutorial, limitMs: number): Promise<void> {
  const say: [string, () => Promise<Liveness | undefined>][] = [
    ["n1's connection", async () => (await tutorial.connectionStatus()).liveness],
    ["n3's relay", async () => (await tutorial.relayStatus()).liveness],
    ["n1's inlet", async () => (await tutorial.inletStatus()).path],
  ];
  await Promise.all(
    say.map(([what, now]) => until(`${what} is down`, async () => isHonestlyDown(await now()), limitMs)),
  );
}

async function shown(machine: Machine, command: string): Promise<Record<string, unknown>> {
  return JSON.parse(await machine.run(`${command} --output json`));
}

async function openSession({ inletPort }: Tutorial) {
  const socket = await connectTo(inletPort);
  assert.equal(await exchangeOn(socket, "open"), "open");
  return socket;
}

test("what is made before its peer is there says that it is connecting, and works once the peer is", async () => {
  await using machine = new Machine();
  const port = await freePort();
  await machine.run("node create n3");
  const relay = await machine.cli(
    `relay create early --at /dnsaddr/localhost/tcp/${port} --to n3 --no-connection-wait`,
  );
  assert.equal(relay.code, 0, relay.stderr);
  const status = async () => {
    const got = await machine.client.relays.getRelay({ name: "nodes/n3/relays/early" });
    return got.relay!.status!;
  };
  await until("it was tried", async () => (await status()).liveness?.failure !== undefined);
  const { liveness } = await status();
  assert.equal(liveness?.state, State.CONNECTING);
  assert.match(liveness!.failure!.lastError, /refused/);
  assert.ok(liveness?.failure?.nextRetryTime !== undefined && liveness.lastSuccessTime === undefined);

  await using peer = new Machine();
  await peer.run(`node create n2 --tcp-listener-address=127.0.0.1:${port}`);
  const { tookMs } = await until(
    "the relay is active",
    async () => (await status()).liveness?.state === State.ACTIVE,
    backMs,
  );
  assert.ok(tookMs < backMs, `${tookMs} ms`);
});

describe("a daemon that dies", { concurrency: true }, () => {
  test("in the middle: both ends hear of it at once, say so, and serve again without a command", async () => {
    await using echo = await TcpTarget.listen(behaviours.echoes);
    await using tutorial = await build(echo);
    const { n1, n2, n3 } = tutorial;
    const session = await openSession(tutorial);
    const end = endOf(session);
    await n2.kill9();
    const { tookMs } = await until(
      "the target's connection is closed",
      () => echo.sockets.size === 0,
      atOnceMs,
    );
    assert.ok(tookMs < atOnceMs);
    assert.match(await end, /ECONNRESET|end/);
    await allSayThatTheyAreDown(tutorial, atOnceMs);
    assert.equal((await shown(n3, "relay show n3 --at n3"))["connection_status"], "Down");
    assert.equal((await shown(n1, "tcp-inlet show web --at n1"))["status"], "Down");
    const id = tutorial.connection.split("/").pop();
    const connection = await shown(n1, `tcp-connection show ${id} --at n1`);
    assert.match(String(connection["last_failure"]), /refused|ended|reset/);
    assert.equal(await fateOf(tutorial.inletPort, atOnceMs), "ECONNRESET");

    await tutorial.startN2();
    const servedMs = await serves(tutorial, backMs);
    assert.ok(servedMs < backMs, `served again after ${servedMs} ms`);
    assert.equal(
      await n1.run(`message send hello --from n1 --to ${tutorial.toN3}/service/uppercase`),
      "HELLO",
    );
    assert.equal((await tutorial.connectionStatus()).links, 2n);

    const tookAll: number[] = [];
    for (let restart = 0; restart < restarts; restart += 1) {
      await n2.kill9();
      await tutorial.startN2();
      tookAll.push(Math.round(await serves(tutorial, backMs)));
    }
    assert.ok(Math.max(...tookAll) < backMs, `${tookAll}`);
    assert.equal((await tutorial.connectionStatus()).links, BigInt(restarts + 2));
    const { tcpConnections } = await n1.client.nodes.listTcpConnections({ parent: "nodes/n1" });
    assert.equal(tcpConnections.length, 1);
    console.log(`served again after ${tookAll.sort((a, b) => a - b)} ms`);
  });

  test("at the far end: its sessions end, new ones are told, and it is back when it is made again", async () => {
    await using echo = await TcpTarget.listen(behaviours.echoes);
    await using tutorial = await build(echo);
    const { n2, n3, n2Port, inletPort } = tutorial;
    const session = await openSession(tutorial);
    const end = endOf(session, silentMs + patienceMs);
    await n3.kill9();
    const killedMs = performance.now();
    await until(
      "n2 hosts no relay",
      async () => (await n2.run("relay list --hosted --to n2 --output json")) === "[]",
    );
    await until(
      "the inlet's path is down",
      async () => isHonestlyDown((await tutorial.inletStatus()).path),
      blackHoleMs,
    );
    assert.match(await end, /ECONNRESET|end/);
    const tookMs = performance.now() - killedMs;
    assert.ok(tookMs < silentMs, `the session ended after ${tookMs} ms`);
    assert.equal((await tutorial.inletStatus()).sessions?.open, 0);

    await n3.run("node create n3");
    await n3.run(`tcp-outlet create --at n3 --from /service/outlet --to ${echo.address}`);
    await n3.run("service start hop --at n3");
    await n3.run(`relay create n3 --at /dnsaddr/localhost/tcp/${n2Port} --to n3`);
    assert.ok((await serves(tutorial, backMs)) < backMs);
    assert.equal(await exchange(inletPort, "again"), "again");
  });

  test("at the near end: the target's connections are closed, and n2 forgets it at once", async () => {
    await using echo = await TcpTarget.listen(behaviours.echoes);
    await using tutorial = await build(echo);
    const { n1, n2 } = tutorial;
    const session = await openSession(tutorial);
    const end = endOf(session);
    const connections = async (): Promise<number> =>
      (await n2.client.nodes.listTcpConnections({ parent: "nodes/n2" })).tcpConnections.length;
    assert.equal(await connections(), 2);
    await n1.kill9();
    assert.match(await end, /ECONNRESET|end|close/);
    await until("n2 has one connection", async () => (await connections()) === 1, atOnceMs);
    const { tookMs } = await until(
      "the target's connection is closed",
      () => echo.sockets.size === 0,
      silentMs,
    );
    assert.ok(tookMs < silentMs);
    const { sessions } = await tutorial.outletStatus();
    assert.deepEqual([sessions?.open, sessions?.failed], [0, { silent: 1n }]);
  });
});
