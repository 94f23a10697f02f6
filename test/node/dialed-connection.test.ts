import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "../../src/base/log.js";
import { DialedConnection } from "../../src/node/dialed-connection.js";
import type { Attach, Connection, Transport } from "../../src/transport/transport.js";
import { FakeClock } from "../support/fake-clock.js";
import { createTestNode } from "../support/router-pair.js";

/** A connection to a peer that ends each link after so long, and how often it was dialed. */
function dialing(linkMs: number, clock: FakeClock) {
  const counted = { times: 0 };
  const connection: Connection = {
    peer: { host: "192.0.2.1", port: 4000 },
    local: { host: "192.0.2.2", port: 50_000 },
    traffic: { receivedMessages: 0, receivedBytes: 0, sentMessages: 0, sentBytes: 0 },
    queuedBytes: 0,
    send: () => undefined,
    close() {},
  };
  const transport: Transport = {
    type: 255,
    isReliable: true,
    async dial(_peer, attach: Attach) {
      counted.times += 1;
      const user = attach(connection);
      clock.after(linkMs, () => user.closed("closed_by_peer", undefined));
      return connection;
    },
    listen: () => Promise.reject(new Error("it only dials")),
    close() {},
  };
  const { peer } = connection;
  const dialed = new DialedConnection({
    peer,
    by: "created_connection",
    router: createTestNode(),
    transport,
    clock,
    log: silentLog,
    changed: () => {},
    disposed: () => {},
  });
  return { dialed, counted };
}

/** How often a peer is dialed in a minute that ends each link after so long. */
async function dials(linkMs: number): Promise<number> {
  const clock = new FakeClock();
  const { dialed, counted } = dialing(linkMs, clock);
  using _dialed = dialed;
  await clock.advance(60_000);
  return counted.times;
}

test("a peer that ends each link at once is dialed ever less often, as one that does not answer", async () => {
  const times = await dials(1);
  assert.ok(times >= 20 && times <= 50, `${times} dials`);
});

test("a link that has lasted is dialed again soon", async () => {
  const times = await dials(1_000);
  assert.ok(times >= 54, `${times} dials`);
});

test("it was up when its link came, and whenever its user heard from the far end over it", async () => {
  const clock = new FakeClock();
  const { dialed } = dialing(30_000, clock);
  using _dialed = dialed;
  await clock.advance(1);
  const { lastSuccessTimeMs: cameMs = 0 } = dialed.liveness;
  await clock.advance(20_000);
  assert.equal(dialed.liveness.lastSuccessTimeMs, cameMs);
  dialed.heard();
  assert.equal(dialed.liveness.lastSuccessTimeMs, clock.wallMs());
  const heardMs = clock.wallMs();

  await clock.advance(10_001);

  assert.equal(dialed.liveness.state, "degraded");
  dialed.heard();
  assert.deepEqual([dialed.liveness.state, dialed.liveness.lastSuccessTimeMs], ["degraded", heardMs]);
});
