import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, readlinkSync, renameSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { DaemonLogs } from "../../src/daemon/daemon-logs.js";
import { temporaryDirectory } from "./daemon-fixture.js";

const eventsIn = (path: string): string[] =>
  readFileSync(path, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line).event);

test("each node has a file, the daemon has one, and the lines of a node carry its name", (t) => {
  const directory = temporaryDirectory(t);
  const also: string[] = [];
  using logs = new DaemonLogs({ directory, level: "info", also: { write: (line) => void also.push(line) } });
  logs.log().info("daemon.one");
  logs.log("n1").info("node.one");
  assert.deepEqual(readdirSync(directory).sort(), ["daemon.log", "n1.log"]);
  assert.equal(JSON.parse(readFileSync(logs.logPath("n1"), "utf8")).node, "n1");
  assert.equal(also.length, 2);
});

test("a node called daemon has a file of its own", (t) => {
  const directory = temporaryDirectory(t);
  using logs = new DaemonLogs({ directory, level: "info" });
  logs.log().info("daemon.one");
  logs.log("daemon").info("node.one");
  assert.deepEqual(eventsIn(join(directory, "daemon.log")), ["daemon.one"]);
  assert.deepEqual(eventsIn(join(directory, "daemon.node.log")), ["node.one"]);
  assert.equal(logs.logPath("Daemon"), join(directory, "Daemon.node.log"), "the same file to some systems");
  assert.equal(logs.logPath("daemon-node"), join(directory, "daemon-node.log"));
});

test("a file that was moved away is left alone after a reopen", (t) => {
  const directory = temporaryDirectory(t);
  using logs = new DaemonLogs({ directory, level: "info" });
  const log = logs.log("n1");
  log.info("a.one");
  renameSync(logs.logPath("n1"), join(directory, "moved"));
  log.info("a.two");
  logs.reopen();
  log.info("a.three");
  assert.deepEqual(eventsIn(join(directory, "moved")), ["a.one", "a.two"]);
  assert.deepEqual(eventsIn(logs.logPath("n1")), ["a.three"]);
});

test("lines that could not be written are told of after a reopen too", (t) => {
  const directory = join(temporaryDirectory(t), "later", "logs");
  using logs = new DaemonLogs({ directory, level: "info" });
  const log = logs.log("n1");
  log.info("a.one");
  log.info("a.two");
  logs.reopen();
  mkdirSync(directory, { recursive: true });
  log.info("a.three");
  assert.deepEqual(eventsIn(logs.logPath("n1")), ["log.lost", "a.three"]);
});

test("the logs of many nodes keep at most 64 files open, and lose nothing", {
  skip: process.platform !== "linux",
}, (t) => {
  const directory = temporaryDirectory(t);
  using logs = new DaemonLogs({ directory, level: "info" });
  const nodes = Array.from({ length: 100 }, (_nothing, at) => `n${at}`);
  const nodeLogs = nodes.map((node) => logs.log(node));
  for (const event of ["a.one", "a.two"] as const) {
    for (const log of nodeLogs) log.info(event);
  }
  for (const node of nodes) assert.deepEqual(eventsIn(logs.logPath(node)), ["a.one", "a.two"]);
  const open = readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(directory);
    } catch {
      return false;
    }
  });
  assert.equal(open.length, 64);
});

test("an announcement is written whatever the level is", (t) => {
  const directory = temporaryDirectory(t);
  using logs = new DaemonLogs({ directory, level: "error" });
  logs.log().warn("a.warning");
  logs.announcement("daemon.ready", {});
  assert.deepEqual(eventsIn(join(directory, "daemon.log")), ["daemon.ready"]);
});

test("what is no file name can't become one", (t) => {
  using logs = new DaemonLogs({ directory: temporaryDirectory(t), level: "info" });
  for (const node of ["..", "a/b", "", ".hidden", "a\0"]) assert.throws(() => logs.logPath(node), TypeError);
});
