import assert from "node:assert/strict";
import { homedir } from "node:os";
import { test } from "node:test";
import { homeAt, userHome } from "../../src/home/home.js";

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

test("of a user that the system does not know there is no home", () => {
  assert.equal(userHome(), homedir());
  const unknown = (): never => {
    throw new Error("uv_os_homedir returned ENOENT");
  };
  assert.equal(userHome(unknown), "");
});
