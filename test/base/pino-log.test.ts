import assert from "node:assert/strict";
import { test } from "node:test";
import { PortwayError } from "../../src/base/errors.js";
import type { Log, LogFacts } from "../../src/base/log.js";
import { createPinoLog, type LogLevel, logLevels } from "../../src/base/pino-log.js";

function recorded(
  level: LogLevel = "debug",
  facts: LogFacts = {},
): {
  readonly log: Log;
  readonly lines: string[];
  last(): Record<string, unknown>;
} {
  const lines: string[] = [];
  const log = createPinoLog({ level, lines: { write: (line) => void lines.push(line) }, facts });
  return {
    log,
    lines,
    last() {
      const { time: _time, ...rest } = JSON.parse(lines.at(-1)!);
      return rest;
    },
  };
}

test("a line is one JSON object with level, time, event and facts", () => {
  const { log, lines } = recorded();
  log.info("connection.opened", { peer: "127.0.0.1:1", elapsedMs: 1.5, ok: true, nothing: null });
  assert.equal(lines.length, 1);
  assert.match(
    lines[0]!,
    /^\{"level":"info","time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z","event":"connection.opened",.*\}\n$/,
  );
  const { time: _time, ...line } = JSON.parse(lines[0]!);
  assert.deepEqual(line, {
    level: "info",
    event: "connection.opened",
    peer: "127.0.0.1:1",
    elapsedMs: 1.5,
    ok: true,
    nothing: null,
  });
});

test("only the levels from the one that is asked for are written", () => {
  for (const [at, level] of logLevels.entries()) {
    const { log, lines } = recorded(level);
    for (const one of logLevels) log[one]("a.b");
    assert.deepEqual(
      lines.map((line) => JSON.parse(line).level),
      logLevels.slice(at),
    );
  }
});

test("facts of a log are on every line of it", () => {
  const { log, last, lines } = recorded("debug", { node: "n1", token: "x" });
  log.warn("a.b", { hops: 2 });
  assert.deepEqual(last(), { level: "warn", node: "n1", token: "[redacted]", event: "a.b", hops: 2 });
  log.info("a.b", { node: "n2" });
  assert.equal(lines.at(-1)!.split('"node"').length, 2);
  assert.equal(last()["node"], "n2");
});

test("what is named like a secret is left out wherever it stands, and what only speaks of one is not", () => {
  const { log, last } = recorded();
  const secret = "s3cr3t";
  log.info("a.b", {
    token: secret,
    apiToken: secret,
    "x-portway-token": secret,
    payload: new Uint8Array(3),
    headers: { Authorization: secret, cookie: [secret], deep: { password: { is: secret } } },
    list: [{ TOKEN: secret }],
    tokenPath: "/home/token",
    payloadBytes: 3,
  });
  assert.equal(JSON.stringify(last()).includes(secret), false);
  assert.deepEqual(last(), {
    level: "info",
    event: "a.b",
    token: "[redacted]",
    apiToken: "[redacted]",
    "x-portway-token": "[redacted]",
    payload: "[redacted]",
    headers: { Authorization: "[redacted]", cookie: "[redacted]", deep: { password: "[redacted]" } },
    list: [{ TOKEN: "[redacted]" }],
    tokenPath: "/home/token",
    payloadBytes: 3,
  });
});

test("facts that JSON can't hold, or that have no end, become a line all the same", () => {
  const { log, last, lines } = recorded();
  const circle: Record<string, unknown> = {};
  circle["circle"] = circle;
  log.info("a.b", {
    big: 2n ** 70n,
    bytes: Buffer.from("abc"),
    date: new Date(0),
    never: new Date(Number.NaN),
    absent: undefined,
    call: () => {},
    not: Number.NaN,
    circle,
    many: Array.from({ length: 1000 }, (_nothing, at) => at),
    long: "x".repeat(100_000),
    line: "a\nb",
  });
  const line = last();
  assert.equal(line["big"], "1180591620717411303424");
  assert.equal(line["bytes"], "<3 bytes>");
  assert.equal(line["date"], "1970-01-01T00:00:00.000Z");
  assert.equal(line["not"], null);
  assert.equal("absent" in line || "call" in line, false);
  assert.equal((line["many"] as unknown[]).length, 101);
  assert.match(String(line["long"]), /^x{8192}… 91808 more characters$/);
  assert.equal(lines.at(-1)!.split("\n").length, 2);
});

test("an error is told with its code, facts, stack and causes", () => {
  const { log, last } = recorded();
  const cause = Object.assign(new Error("refused"), { code: "ECONNREFUSED" });
  const error = new PortwayError("connect_failed", "no way", { to: "x:1", token: "x" }, { cause });
  log.error("a.b", { error, all: new AggregateError([cause], "two") });
  const { error: told, all } = last() as { error: Record<string, unknown>; all: Record<string, unknown> };
  assert.equal(told["name"], "PortwayError");
  assert.equal(told["code"], "connect_failed");
  assert.deepEqual(told["facts"], { to: "x:1", token: "[redacted]" });
  assert.match(String(told["stack"]), /pino-log.test/);
  assert.equal((told["cause"] as Record<string, unknown>)["code"], "ECONNREFUSED");
  assert.equal((all["errors"] as Record<string, unknown>[])[0]?.["message"], "refused");
});

test("a fact can't take the place of the fields of a line", () => {
  const { log, last } = recorded("debug", { time: 1 });
  log.info("a.b", { level: "none", event: "c.d" });
  assert.deepEqual(last(), { level: "info", time_: 1, event: "a.b", level_: "none", event_: "c.d" });
});
