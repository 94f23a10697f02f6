import assert from "node:assert/strict";
import { test } from "node:test";
import { checkExchange, checkSession, readRecording } from "./recorded-vectors.js";

const { sessions, exchanges } = readRecording();

for (const session of sessions) {
  test(`what passed between Portway and Ockam is read and written alike: ${session.name}`, () => {
    checkSession(session);
  });
}

for (const exchange of exchanges) {
  test(`what passed between Portway and Ockam over UDP is read and written alike: ${exchange.name}`, () => {
    checkExchange(exchange);
  });
}

test("over UDP both have dialed the other, in one part and in several, and one of them ends with an empty part", () => {
  assert.deepEqual(exchanges.map(({ dialer }) => dialer).sort(), ["Ockam", "Portway"]);
  for (const { name, datagrams } of exchanges) {
    for (const side of ["dialer", "listener"]) {
      const totals = new Set(datagrams.filter(({ from }) => from === side).map(({ total }) => total));
      assert.ok(totals.has(1) && totals.size > 1, `${name}, the ${side}: ${[...totals]}`);
    }
  }
  assert.ok(exchanges.some(({ datagrams }) => datagrams.some(({ partHex }) => partHex === "")));
});

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
