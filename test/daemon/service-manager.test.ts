import assert from "node:assert/strict";
import { mkdirSync, readFileSync, watch, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { silentLog } from "../../src/base/log.js";
import { createServiceManager } from "../../src/daemon/service-manager.js";
import { startDaemon, temporaryDirectory } from "./daemon-fixture.js";

/** A `systemd-notify` that writes its arguments and its socket to a file, in a directory for PATH. */
function fakeSystemdNotify(t: TestContext): { readonly searchPath: string; readonly told: () => string[] } {
  const directory = temporaryDirectory(t);
  const searchPath = join(directory, "bin");
  mkdirSync(searchPath);
  const toldPath = join(directory, "told");
  writeFileSync(toldPath, "");
  const script = `#!/bin/sh\necho "$NOTIFY_SOCKET $*" >> '${toldPath}'\n`;
  writeFileSync(join(searchPath, "systemd-notify"), script, { mode: 0o755 });
  return {
    searchPath,
    told: () =>
      readFileSync(toldPath, "utf8")
        .split("\n")
        .filter((line) => line !== ""),
  };
}

test("a service manager hears that a daemon is ready and that it stops", async (t) => {
  const { searchPath, told } = fakeSystemdNotify(t);
  using manager = createServiceManager({ socketPath: "/run/notify", searchPath }, silentLog);
  await manager.ready("serving /x");
  await manager.stopping();
  assert.deepEqual(told(), [
    `/run/notify READY=1 STATUS=serving /x MAINPID=${process.pid}`,
    "/run/notify STOPPING=1",
  ]);
});

test("a watchdog gets signs of life, at least twice in its time", async (t) => {
  const { searchPath, told } = fakeSystemdNotify(t);
  using manager = createServiceManager({ socketPath: "/n", searchPath, watchdogMs: 40 }, silentLog);
  await manager.ready("");
  // The timer of the watchdog keeps no process alive; the watcher does.
  const changes = watch(join(searchPath, "..", "told"));
  await new Promise<void>((resolve) => {
    const look = (): void => {
      if (told().filter((line) => line === "/n WATCHDOG=1").length >= 2) resolve();
    };
    changes.on("change", look);
    look();
  });
  changes.close();
});

test("without systemd-notify a daemon that must tell a service manager is refused, and leaves nothing", async (t) => {
  assert.throws(
    () => createServiceManager({ socketPath: "/n", searchPath: "/nonexistent:relative" }, silentLog),
    {
      exitCode: 78,
    },
  );
  const environment = { PATH: "/nonexistent", NOTIFY_SOCKET: "/run/notify" };
  const daemon = startDaemon(t, { environment });
  assert.equal(await daemon.exited, 78);
  assert.match(daemon.stderr, /NOTIFY_SOCKET is set.* systemd-notify is not in PATH.* Type=exec/);
});

test("a daemon tells its service manager that it is ready before it ends, and that it ends", async (t) => {
  const { searchPath, told } = fakeSystemdNotify(t);
  const environment = { PATH: searchPath, NOTIFY_SOCKET: "/run/notify" };
  const daemon = startDaemon(t, { environment });
  await daemon.ready;
  daemon.kill("SIGTERM");
  assert.equal(await daemon.exited, 0);
  assert.deepEqual(
    told().map((line) => line.split(" ")[1]),
    ["READY=1", "STOPPING=1"],
  );
});
