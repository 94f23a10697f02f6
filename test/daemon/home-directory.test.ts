import assert from "node:assert/strict";
import { chmodSync, mkdirSync, rmSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { DaemonLogs } from "../../src/daemon/daemon-logs.js";
import { prepareHome } from "../../src/daemon/home-directory.js";
import { homeAt } from "../../src/home/home.js";
import { madeParts } from "../../src/home/made-parts.js";
import { temporaryDirectory } from "./daemon-fixture.js";

const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);

test("a home is made with its parents, for its user alone", (t) => {
  const directory = temporaryDirectory(t);
  const home = homeAt(join(directory, "a", "b"));
  prepareHome(home);
  for (const path of [join(directory, "a"), home.path, home.runDirectory, home.logDirectory]) {
    assert.equal(modeOf(path), "700", path);
  }
});

test("a home that is empty, or that was made here, is closed to others", (t) => {
  const directory = temporaryDirectory(t);
  const empty = homeAt(join(directory, "empty"));
  mkdirSync(empty.path, { mode: 0o755 });
  prepareHome(empty);
  assert.equal(modeOf(empty.path), "700");
  const home = homeAt(join(directory, "home"));
  prepareHome(home);
  for (const path of [home.path, home.runDirectory, home.logDirectory]) chmodSync(path, 0o755);
  prepareHome(home);
  for (const path of [home.path, home.runDirectory, home.logDirectory])
    assert.equal(modeOf(path), "700", path);
});

test("the mode of a directory that holds other things is left alone, what is ours in it is closed", (t) => {
  const home = homeAt(join(temporaryDirectory(t), "volume"));
  mkdirSync(join(home.path, "logs"), { recursive: true, mode: 0o755 });
  mkdirSync(home.runDirectory, { mode: 0o755 });
  prepareHome(home);
  prepareHome(home);
  assert.equal(modeOf(home.path), "755");
  assert.equal(modeOf(home.logDirectory), "755");
  assert.equal(modeOf(home.runDirectory), "700");
});

test("what is made is noted, and what was there before is not", (t) => {
  const directory = temporaryDirectory(t);
  const home = homeAt(join(directory, "home"));
  assert.equal(madeParts(home), undefined);
  prepareHome(home);
  prepareHome(home);
  assert.deepEqual([...madeParts(home)!], ["home", "run", "logs"]);
  const volume = homeAt(join(directory, "volume"));
  mkdirSync(volume.logDirectory, { recursive: true });
  prepareHome(volume);
  assert.deepEqual([...madeParts(volume)!], ["run"]);
});

test("a home of a daemon that took no notes is known by its log, and noted", (t) => {
  const home = homeAt(join(temporaryDirectory(t), "home"));
  mkdirSync(home.logDirectory, { recursive: true });
  using logs = new DaemonLogs({ directory: home.logDirectory, level: "error" });
  logs.announcement("daemon.ready", { pid: 1 });
  assert.deepEqual([...madeParts(home)!], ["home", "run", "logs", "token"]);
  prepareHome(home);
  rmSync(home.daemonLogPath);
  assert.deepEqual([...madeParts(home)!], ["home", "run", "logs", "token"]);
});

test("a directory of the home that is a link, or that others can write into, is refused", (t) => {
  const directory = temporaryDirectory(t);
  const home = homeAt(join(directory, "home"));
  mkdirSync(home.path, { mode: 0o700 });
  symlinkSync(directory, home.runDirectory);
  assert.throws(() => prepareHome(home), { exitCode: 78, message: /run is a symbolic link/ });
  const open = homeAt(join(directory, "open"));
  prepareHome(open);
  chmodSync(open.runDirectory, 0o770);
  assert.throws(() => prepareHome(open), {
    exitCode: 78,
    message: /run has mode 770: others can write into it/,
  });
});
