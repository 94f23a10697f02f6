import assert from "node:assert/strict";
import { test } from "node:test";
import { Address } from "../../src/model/address.js";
import { defaultAccessPolicy } from "../../src/routing/access-policy.js";
import { type Arrival, join, part } from "../../src/routing/arrival.js";
import type { WorkerInfo, WorkerKind } from "../../src/routing/worker.js";
import { createTestNode, TestEnd } from "../support/router-pair.js";

type By = Arrival["by"];

const ways = {
  node_listener: true,
  added_listener: true,
  created_connection: true,
  route_connection: true,
  relay_connection: true,
} as const satisfies Record<By, true>;

const kinds = {
  service: true,
  relay_service: true,
  relay: true,
  relay_client: true,
  connection: true,
  reply: true,
  outlet: true,
  portal_session: true,
  listener: true,
  program: true,
} as const satisfies Record<WorkerKind, true>;

const allWays = Object.keys(ways) as By[];

interface Row {
  readonly what: string;
  readonly worker: Omit<WorkerInfo, "address">;
  readonly reachedThrough: readonly By[];
  readonly refusal?: string;
}

/** Who reaches what on a node of Ockam, by the worker. A worker that is bound to a connection: below. */
const table: readonly Row[] = [
  {
    what: "echo",
    worker: { kind: "service", service: "echo" },
    reachedThrough: ["node_listener", "route_connection", "relay_connection"],
  },
  {
    what: "uppercase",
    worker: { kind: "service", service: "uppercase" },
    reachedThrough: ["node_listener", "route_connection", "relay_connection"],
  },
  {
    what: "a hop that there was when the connection was made",
    worker: { kind: "service", service: "hop" },
    reachedThrough: ["node_listener", "created_connection", "relay_connection"],
  },
  {
    what: "a service of no kind that is known",
    worker: { kind: "service", service: "api" },
    reachedThrough: [],
  },
  { what: "a service without a name", worker: { kind: "service" }, reachedThrough: [] },
  { what: "the relay service", worker: { kind: "relay_service" }, reachedThrough: ["node_listener"] },
  { what: "a relay", worker: { kind: "relay" }, reachedThrough: ["node_listener"] },
  { what: "an outlet", worker: { kind: "outlet" }, reachedThrough: ["node_listener"] },
  {
    what: "a program",
    worker: { kind: "program" },
    reachedThrough: ["node_listener", "relay_connection"],
  },
  { what: "a listener", worker: { kind: "listener" }, reachedThrough: [] },
  { what: "a connection", worker: { kind: "connection" }, reachedThrough: [] },
  {
    what: "a reply worker",
    worker: { kind: "reply", hearsFrom: "here" },
    reachedThrough: [],
    refusal: "not_the_bound_connection",
  },
  {
    what: "the end of a relay",
    worker: { kind: "relay_client", hearsFrom: "here" },
    reachedThrough: [],
    refusal: "not_the_bound_connection",
  },
  {
    what: "the end of a portal session",
    worker: { kind: "portal_session", hearsFrom: "here" },
    reachedThrough: [],
    refusal: "not_the_bound_connection",
  },
];

const goal = Address.local("goal");

function arrive(by: By, hops: readonly string[] = []): TestEnd {
  return new TestEnd({ router: createTestNode(), by, hops });
}

for (const { what, worker, reachedThrough, refusal = "denied_by_policy" } of table) {
  for (const by of allWays) {
    const reaches = reachedThrough.includes(by);
    test(`what comes in by ${by} ${reaches ? "reaches" : "does not reach"} ${what}`, () => {
      const outcome = defaultAccessPolicy.decide(arrive(by, ["goal"]), undefined, {
        ...worker,
        address: goal,
      });
      assert.equal(outcome, reaches ? undefined : refusal);
    });
  }
}

test("every kind of worker is in the table", () => {
  assert.deepEqual(new Set(table.map(({ worker }) => worker.kind)), new Set(Object.keys(kinds)));
});

test("a hop that was started after the connection was made is reached through the node's listener alone", () => {
  const hop: WorkerInfo = { kind: "service", service: "hop", address: goal };
  for (const by of allWays) {
    const outcome = defaultAccessPolicy.decide(arrive(by, ["another"]), undefined, hop);
    assert.equal(outcome, by === "node_listener" ? undefined : "denied_by_policy", by);
  }
});

test("a hop is told from a service with the address of a hop", () => {
  const echo: WorkerInfo = { kind: "service", service: "echo", address: goal };
  assert.equal(
    defaultAccessPolicy.decide(arrive("created_connection", ["goal"]), undefined, echo),
    "denied_by_policy",
  );
});

test("a program hears from any connection that it has sent on itself, and from no other of that kind", () => {
  for (const by of ["added_listener", "created_connection", "route_connection"] as const) {
    const used = arrive(by);
    const worker: WorkerInfo = { kind: "program", address: goal, hasSentOn: (entrance) => entrance === used };
    assert.equal(defaultAccessPolicy.decide(used, undefined, worker), undefined, by);
    assert.equal(defaultAccessPolicy.decide(arrive(by), undefined, worker), "denied_by_policy", by);
  }
});

for (const kind of ["reply", "relay_client", "portal_session"] as const) {
  for (const by of allWays) {
    test(`a worker of kind ${kind} that is bound to a connection hears from that alone, by ${by}`, () => {
      const bound = arrive(by);
      const other = arrive(by);
      join(bound, other);
      const worker: WorkerInfo = { kind, address: goal, hearsFrom: bound };
      assert.equal(defaultAccessPolicy.decide(bound, undefined, worker), undefined);
      assert.equal(defaultAccessPolicy.decide(other, undefined, worker), "not_the_bound_connection");
      assert.equal(
        defaultAccessPolicy.decide(bound, undefined, { kind, address: goal }),
        "not_the_bound_connection",
        "unbound",
      );
    });
  }
}

for (const by of allWays) {
  test(`what comes in by ${by} leaves only on a connection that a relay has joined with it`, () => {
    const arrival = arrive(by);
    const joined = arrive("node_listener");
    const apart = arrive("node_listener");
    const connection = (end: Arrival): WorkerInfo => ({
      kind: "connection",
      address: end.address,
      hearsFrom: end,
    });
    join(arrival, joined);
    join(joined, apart);

    assert.equal(defaultAccessPolicy.decide(arrival, undefined, connection(joined)), undefined);
    assert.equal(defaultAccessPolicy.decide(joined, undefined, connection(arrival)), undefined);
    assert.equal(defaultAccessPolicy.decide(arrival, undefined, connection(apart)), "denied_by_policy");
    assert.equal(defaultAccessPolicy.decide(arrival, undefined, connection(arrival)), "denied_by_policy");

    part(joined);
    assert.equal(defaultAccessPolicy.decide(arrival, undefined, connection(joined)), "denied_by_policy");
    assert.equal(defaultAccessPolicy.decide(apart, undefined, connection(joined)), "denied_by_policy");
  });
}
