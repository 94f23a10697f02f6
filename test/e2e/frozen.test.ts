import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { State } from "../../gen/portway/v1/resource_pb.js";
import { writeBytes } from "./support/bytes.js";
import { connectTo, endOf, exchange } from "./support/tcp-client.js";
import { behaviours, TcpTarget } from "./support/tcp-target.js";
import { Tutorial } from "./support/tutorial.js";
import { patienceMs, until, withSlack } from "./support/until.js";

const backMs = withSlack(5_000);
const blackHoleMs = withSlack(15_000);
const stallMs = withSlack(10_000);
/** One attempt: a session that was asked for too early is not heard of any more. */
const tryMs = 500;
const manyBytes = 1024 * 1024 * 1024;

describe("a daemon that stands still", { concurrency: true }, () => {
  test("in the middle: the others notice within 15 s, and all goes on when it does", async () => {
    await using echo = await TcpTarget.listen(behaviours.echoes);
    await using tutorial = await Tutorial.build({ by: "relay", daemons: 3, target: echo.address });
    assert.equal(await exchange(tutorial.inletPort, "before"), "before");
    const pid = await tutorial.n2.pid();
    process.kill(pid, "SIGSTOP");
    try {
      const noticed = await Promise.all([
        until(
          "n1's connection is down",
          async () => (await tutorial.connectionStatus()).liveness?.state === State.DEGRADED,
          blackHoleMs,
        ),
        until(
          "n3's relay is down",
          async () => (await tutorial.relayStatus()).liveness?.state === State.DEGRADED,
          blackHoleMs,
        ),
        until(
          "n1's inlet is down",
          async () => (await tutorial.inletStatus()).path?.state === State.DEGRADED,
          blackHoleMs,
        ),
      ]);
      for (const { tookMs } of noticed) assert.ok(tookMs < blackHoleMs, `${tookMs} ms`);
      console.log(`noticed after ${noticed.map(({ tookMs }) => Math.round(tookMs))} ms`);
    } finally {
      process.kill(pid, "SIGCONT");
    }
    const { tookMs } = await until(
      "the inlet serves",
      async () => (await exchange(tutorial.inletPort, "after", tryMs)) === "after",
      backMs,
    );
    assert.ok(tookMs < backMs, `${tookMs} ms`);
    await until("all are up", async () => {
      const states = [
        (await tutorial.connectionStatus()).liveness?.state,
        (await tutorial.relayStatus()).liveness?.state,
        (await tutorial.inletStatus()).path?.state,
      ];
      return states.every((state) => state === State.ACTIVE);
    });
  });

  test("at the far end, while data is pushed to it: the relay serves others and cuts its link", async () => {
    await using echo = await TcpTarget.listen(behaviours.echoes);
    await using target = await TcpTarget.listen((socket) => socket.resume());
    await using tutorial = await Tutorial.build({ by: "relay", daemons: 3, target: echo.address });
    const { n1, n2, n3, n2Port } = tutorial;
    const socket = await connectTo(await tutorial.portal("pushed", target.address));
    const end = endOf(socket, 2 * patienceMs);
    const pid = await n3.pid();
    await until("it is open", async () => (await tutorial.inletStatus("pushed")).sessions?.open === 1);
    process.kill(pid, "SIGSTOP");
    let tookMs = 0;
    try {
      void writeBytes(socket, manyBytes);
      const startMs = performance.now();
      const held = async (): Promise<number> => {
        const { relayRegistrations } = await n2.client.relays.listRelayRegistrations({ parent: "nodes/n2" });
        return relayRegistrations.length;
      };
      while ((await held()) > 0) {
        // Another node's connection, which has nothing to do with n3.
        const reply = await n1.client.messages.sendMessage({
          to: `/dnsaddr/localhost/tcp/${n2Port}/service/echo`,
          payload: Buffer.from("there?"),
          timeout: { seconds: 2n },
        });
        assert.equal(Buffer.from(reply.payload).toString(), "there?");
        assert.ok(performance.now() - startMs < stallMs, "the link of the frozen node was not cut");
      }
      tookMs = performance.now() - startMs;
    } finally {
      process.kill(pid, "SIGCONT");
    }
    console.log(`cut after ${Math.round(tookMs)} ms`);
    const back = await until(
      "the inlet serves",
      async () => (await exchange(tutorial.inletPort, "after", tryMs)) === "after",
      backMs,
    );
    assert.ok(back.tookMs < backMs, `${back.tookMs} ms`);
    assert.equal((await tutorial.connectionStatus()).links, 1n, "n1's link was cut too");
    socket.destroy();
    await end;
    await until("the target's connection is closed", () => target.sockets.size === 0);
  });
});
