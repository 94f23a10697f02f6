import assert from "node:assert/strict";
import { test } from "node:test";
import { checkSession, readRecording } from "./recorded-vectors.js";

const { sessions } = readRecording();

for (const session of sessions) {
  test(`what passed between Portway and Ockam is read and written alike: ${session.name}`, () => {
    checkSession(session);
  });
}

test("both have dialed the other, and both have spoken in every recorded session", () => {
  assert.deepEqual([...new Set(sessions.map(({ dialer }) => dialer))].sort(), ["Ockam", "Portway"]);
  for (const { name, dialer, listener, frames } of sessions) {
    assert.notEqual(dialer, listener, name);
    for (const side of ["dialer", "listener"] as const) {
      const own = frames.filter(({ from }) => from === side);
      assert.ok(own.length > 1 && "version" in own[0]!, `${name}: the ${side} has said nothing`);
    }
  }
});
