import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { firstRelayState, type RelayEvent, type RelayState, step } from "../../src/relay/relay-state.js";

const events: fc.Arbitrary<RelayEvent> = fc.oneof(
  fc.constantFrom<RelayEvent>(
    { is: "linkUp" },
    { is: "linkDown" },
    { is: "confirmed" },
    { is: "due" },
    { is: "probeBack" },
  ),
  fc.record({ is: fc.constantFrom("unanswered" as const, "probeLost" as const), heard: fc.boolean() }),
  fc.record({ is: fc.constant("refused" as const), lasting: fc.boolean() }),
);

function run(sequence: readonly RelayEvent[], from: RelayState = firstRelayState): RelayState {
  return sequence.reduce(step, from);
}

test("any sequence of events ends stopped after stop, and nothing changes that", () => {
  fc.assert(
    fc.property(fc.array(events), fc.array(events), (before, after) => {
      const stopped = run([...before, { is: "stop" }]);
      assert.equal(stopped.at, "stopped");
      assert.equal(run(after, stopped), stopped);
    }),
  );
});

test("from wherever it is, a link that comes up, a confirmation and a probe make it idle", () => {
  fc.assert(
    fc.property(fc.array(events), (before) => {
      const state = run([
        ...before,
        { is: "linkDown" },
        { is: "linkUp" },
        { is: "confirmed" },
        { is: "probeBack" },
      ]);
      assert.deepEqual(state, { ...firstRelayState, at: "idle", wasRegistered: true });
    }),
  );
});

test("without a link it is down, and with one it is not", () => {
  fc.assert(
    fc.property(fc.array(events), (sequence) => {
      let linked = false;
      let state = firstRelayState;
      for (const event of sequence) {
        if (event.is === "linkUp") linked = true;
        if (event.is === "linkDown") linked = false;
        state = step(state, event);
        assert.equal(state.at !== "down", linked);
      }
    }),
  );
});

test("the counts in a row stay below their limits, and a person is needed only while it waits or asks again", () => {
  fc.assert(
    fc.property(fc.array(events, { maxLength: 60 }), (sequence) => {
      let state = firstRelayState;
      for (const event of sequence) {
        state = step(state, event);
        assert.ok(state.lostProbes < 2);
        if (state.needsPerson) assert.ok(["waiting", "registering", "renewing"].includes(state.at), state.at);
      }
    }),
  );
});

test("a name that was ours is somebody else's after five refusals in a row, and one that never was after the first", () => {
  const refusal: RelayEvent = { is: "refused", lasting: true };
  const never = run([{ is: "linkUp" }, refusal]);
  assert.equal(never.needsPerson, true);

  let state = run([{ is: "linkUp" }, { is: "confirmed" }, { is: "linkDown" }, { is: "linkUp" }]);
  for (let count = 1; count <= 5; count += 1) {
    state = run([refusal], state);
    assert.equal(state.needsPerson, count === 5, `after ${count}`);
    state = step(state, { is: "due" });
  }
});

test("a link is given up after two silent registrations or two lost probes, unless something was heard", () => {
  for (const heard of [false, true]) {
    const unanswered: RelayEvent = { is: "unanswered", heard };
    const registering = run([{ is: "linkUp" }, unanswered, { is: "due" }, unanswered]);
    assert.equal(registering.at, heard ? "waiting" : "renewing");

    const probeLost: RelayEvent = { is: "probeLost", heard };
    const probing = run([{ is: "linkUp" }, { is: "confirmed" }, probeLost]);
    assert.equal(probing.at, "probing");
    assert.equal(step(probing, probeLost).at, heard ? "registering" : "renewing");
  }
});

test("a confirmation that comes while it waits to register again counts, and one that comes at any other time does not", () => {
  const waiting = run([{ is: "linkUp" }, { is: "unanswered", heard: false }]);
  assert.equal(waiting.at, "waiting");
  assert.equal(step(waiting, { is: "confirmed" }).at, "probing");

  const idle = run([{ is: "linkUp" }, { is: "confirmed" }, { is: "probeBack" }]);
  for (const state of [firstRelayState, idle, step(idle, { is: "due" })]) {
    assert.equal(step(state, { is: "confirmed" }), state);
  }
});
