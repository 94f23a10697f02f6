import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { State } from "../../gen/portway/v1/resource_pb.js";
import { type Outcome, portway } from "../support/fake-io.js";
import { FakeDaemon } from "../support/fake-services.js";

/** The relay r of n1, whose host refuses connections; its state is the next of `states` each time it is read, and then the last. */
async function relayIn(...states: readonly State[]): Promise<{ daemon: FakeDaemon; reads(): number }> {
  const daemon = new FakeDaemon();
  await portway("node create n1 -t 7000", { daemon });
  await portway("relay create r --at /dnsaddr/localhost/tcp/9 --to n1 --no-connection-wait", { daemon });
  const relay = daemon.nodes.get("n1")!.relays.get("r")!;
  let reads = 0;
  Object.defineProperty(relay, "status", {
    enumerable: true,
    get: () => {
      const state = states[Math.min(reads, states.length - 1)];
      reads += 1;
      return { liveness: { state, failure: { count: 1, lastError: "127.0.0.1:9 refused the connection" } } };
    },
  });
  return { daemon, reads: () => reads };
}

function show(daemon: FakeDaemon, flags: string): Promise<Outcome> {
  return portway(`relay show r --at n1${flags}`, { daemon });
}

describe("show --wait", () => {
  test("shows a relay once it is up", async () => {
    const { daemon } = await relayIn(State.CONNECTING, State.DEGRADED, State.ACTIVE);
    const { code, stdout, stderr } = await show(daemon, " --wait 20s");
    assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: "r", stderr: "" });
  });

  test("says what stands in the way of one that is not up in time", async () => {
    const { daemon } = await relayIn(State.CONNECTING);
    const { code, stdout, stderr } = await show(daemon, " --wait 300ms");
    assert.deepEqual({ code, stdout }, { code: 70, stdout: "" });
    assert.match(
      stderr,
      /the relay r of the node n1 is not up after 0\.3 s: connecting, 127\.0\.0\.1:9 refused/,
    );
  });

  test("does not wait for what needs a person, nor for what is gone", async () => {
    const failed = await relayIn(State.FAILED);
    const { code, stderr } = await show(failed.daemon, " --wait 10m");
    assert.equal(code, 70);
    assert.match(stderr, /does not come up by itself: failed, 127\.0\.0\.1:9 refused/);

    const { daemon, reads } = await relayIn(State.CONNECTING);
    const waiting = show(daemon, " --wait 10m");
    while (reads() === 0) await new Promise((resolve) => setImmediate(resolve));
    await portway("relay delete r --at n1 -y", { daemon });
    const gone = await waiting;
    assert.equal(gone.code, 70);
    assert.match(gone.stderr, /there is no relay r/);
  });

  test("looks once without it, and with a wait of nothing", async () => {
    const { daemon } = await relayIn(State.CONNECTING);
    assert.deepEqual(await show(daemon, ""), { code: 0, stdout: "r", stderr: "" });
    assert.equal((await show(daemon, " --wait 0s")).code, 70);
  });

  test("the JSON of what is down says why, and that of what is up does not", async () => {
    const down = await relayIn(State.CONNECTING);
    const { stdout } = await show(down.daemon, " --output json");
    assert.equal(JSON.parse(stdout).last_failure, "127.0.0.1:9 refused the connection");
    const up = await relayIn(State.ACTIVE);
    assert.ok(!("last_failure" in JSON.parse((await show(up.daemon, " --output json")).stdout)));
  });

  test("is there for inlets and TCP connections as well", async () => {
    const daemon = new FakeDaemon();
    await portway("node create n1 -t 7000", { daemon });
    await portway("tcp-inlet create web --at n1 --from 6000 --to /dnsaddr/localhost/tcp/9/service/o", {
      daemon,
    });
    const inlet = await portway("tcp-inlet show web --at n1 --wait 10ms", { daemon });
    assert.equal(inlet.code, 70);
    assert.match(
      inlet.stderr,
      /the path of the inlet web of the node n1 is not up after 0\.01 s: connecting/,
    );

    const { stdout } = await portway("tcp-inlet show web --at n1 --output json", { daemon });
    assert.equal(JSON.parse(stdout).last_failure, "refused");

    await portway("tcp-connection create --from n1 --to 127.0.0.1:7000", { daemon });
    const connection = await portway("tcp-connection show 127.0.0.1:7000 --at n1 --wait 1s", { daemon });
    assert.equal(connection.code, 0, connection.stderr);
  });

  test("refuses what it can't wait for", async () => {
    const { daemon } = await relayIn(State.CONNECTING);
    for (const [flags, said] of [
      [" --wait soon", /--wait: .*soon/],
      [" --wait 2h", /--wait: 2h is too long/],
      [" --hosted --wait 1s", /--wait is for the relays that the node holds/],
    ] as const) {
      const { code, stderr } = await show(daemon, flags);
      assert.equal(code, 64, flags);
      assert.match(stderr, said);
    }
  });
});
