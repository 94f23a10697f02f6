import assert from "node:assert/strict";
import { test } from "node:test";
import { homeAt } from "../../src/home/home.js";

test("all that a daemon has lies in its home, and the socket and the lock in the directory that only it may enter", () => {
  const { path, runDirectory, ...places } = homeAt("/somewhere/portway");
  assert.equal(path, "/somewhere/portway");
  assert.equal(runDirectory, "/somewhere/portway/run");
  assert.deepEqual(places, {
    socketPath: "/somewhere/portway/run/api.sock",
    tokenPath: "/somewhere/portway/token",
    lockPath: "/somewhere/portway/run/daemon.lock",
    madePath: "/somewhere/portway/run/made-by-portway",
    logDirectory: "/somewhere/portway/logs",
    daemonLogPath: "/somewhere/portway/logs/daemon.log",
  });
});
