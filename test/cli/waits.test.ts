import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { deferred } from "../../src/base/signals.js";
import { run } from "../../src/cli/run.js";
import { noColours } from "../../src/cli/style.js";
import { Waits } from "../../src/cli/waits.js";
import { FakeIo } from "../support/fake-io.js";

/** The calls that these commands make are never answered. */
const silent = [
  "ListNodes",
  "GetNode",
  "DeleteNode",
  "CreateService",
  "CreateOutlet",
  "GetServerInfo",
] as const;

describe("of things that are waited for at the same time", () => {
  test("the one that is not general is shown, whichever began first", async (t) => {
    const { waits, written, tick } = fixture(t);
    const done = deferred<void>();
    const all = [
      waits.during("an answer", done.promise, { isGeneral: true }),
      waits.during("the relay", done.promise),
      waits.during("an answer", done.promise, { isGeneral: true }),
    ];
    tick(60_000);
    assert.equal(written(), "the relay…\n");
    done.resolve();
    await Promise.all(all);
  });

  test("two that say the same are one line, and another line the next time", async (t) => {
    const { waits, written, tick } = fixture(t);
    for (const lines of [1, 2]) {
      const done = deferred<void>();
      const all = [waits.during("an answer", done.promise), waits.during("an answer", done.promise)];
      tick(60_000);
      assert.equal(written(), "an answer…\n".repeat(lines));
      done.resolve();
      await Promise.all(all);
    }
  });

  test("what goes on is shown when another ends, and a text between has a line of its own", async (t) => {
    const { waits, written, tick } = fixture(t, true);
    const lastDrawn = (): string => written().split("\r\u001b[2K").at(-1)!;
    const [first, second] = [deferred<void>(), deferred<void>()];
    const one = waits.during("one", first.promise);
    const two = waits.during("two", second.promise);
    tick(1_000);
    first.resolve();
    await one;
    assert.match(lastDrawn(), /^. two… 1 s$/);
    waits.wipe();
    assert.equal(lastDrawn(), "");
    second.resolve();
    await two;
    tick(60_000);
    assert.equal(lastDrawn(), "");
  });
});

describe("a daemon that does not answer is waited for in sight", () => {
  for (const line of [
    "node list",
    "node show a",
    "node delete a -y",
    "service start hop --at a",
    "tcp-outlet create --at a --to 1",
    "status",
  ]) {
    test(line, async (t) => {
      t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
      const io = new FakeIo();
      for (const method of silent) io.daemon.silent.add(method);
      const running = run(line.split(" "), io);
      await until(() => io.daemon.calls.some((method) => method !== "GetServerInfo" || line === "status"));
      t.mock.timers.tick(999);
      assert.equal(io.stderr.text, "");
      t.mock.timers.tick(1);
      assert.equal(io.stderr.text, "Waiting for the daemon's answer…\n");
      t.mock.timers.tick(30_000);
      assert.equal(await running, 70);
    });
  }
});

test("on a terminal that shows control sequences a wait is one line", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const io = new FakeIo({ terminal: true, env: { TERM: "dumb" } });
  for (const method of silent) io.daemon.silent.add(method);
  const running = run(["node", "list"], io);
  await until(() => io.daemon.calls.includes("ListNodes"));
  t.mock.timers.tick(5_000);
  assert.equal(io.stderr.text, "Waiting for the daemon's answer…\n");
  t.mock.timers.tick(30_000);
  assert.equal(await running, 70);
});

describe("a line of standard input", () => {
  const line = ["message", "send", "hi", "--to", "-"];

  test("that does not come is waited for in sight", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
    const typed = deferred<string>();
    let isRead = false;
    const io = new FakeIo({
      stdin: {
        isTerminal: false,
        readLine: () => {
          isRead = true;
          return typed.promise;
        },
        end: async () => {},
      },
    });
    const running = run(line, io);
    await until(() => isRead);
    t.mock.timers.tick(1_000);
    assert.equal(io.stderr.text, "Waiting for a line of standard input…\n");
    typed.resolve("/service/uppercase");
    assert.equal(await running, 0, io.stderr.text);
    assert.equal(io.stdout.text, "HI");
  });

  test("is asked for where a person types it", async () => {
    const io = new FakeIo({ terminal: true, stdin: "/service/uppercase" });
    assert.equal(await run(line, io), 0, io.stderr.text);
    assert.match(io.stderr.text, /^--to: type the line that "-" stands for\.\n/);
  });
});

function fixture(t: TestContext, isTerminal = false) {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  let nowMs = 0;
  t.mock.method(performance, "now", () => nowMs);
  let written = "";
  const sink = {
    isTerminal,
    columns: 80,
    write(text: string): void {
      written += text;
    },
  };
  return {
    waits: new Waits(sink, noColours, isTerminal),
    written: () => written,
    tick(ms: number): void {
      nowMs += ms;
      t.mock.timers.tick(ms);
    },
  };
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}
