import assert from "node:assert/strict";
import { describe, mock, test } from "node:test";
import { Notices } from "../../src/cli/notices.js";
import { noColours } from "../../src/cli/style.js";

describe("a wait that takes longer than a second", () => {
  for (const [where, isTerminal] of [
    ["a terminal", true],
    ["a pipe", false],
  ] as const) {
    test(`is not shown before, on ${where}`, async () => {
      const { written } = await wait(isTerminal, 999);
      assert.equal(written, "");
    });
  }

  test("is one line in a pipe, however long it takes", async () => {
    const { written, result } = await wait(false, 20_000);
    assert.equal(written, "Waiting for it…\n");
    assert.equal(result, "done");
  });

  test("turns on a terminal with the seconds, and is wiped away", async () => {
    const { written } = await wait(true, 3_050);
    const drawn = written.split("\r\u001b[2K").filter((text) => text !== "");
    assert.equal(drawn.length, 21);
    assert.match(drawn[0]!, /^⠋ Waiting for it… 1 s$/);
    assert.match(drawn.at(-1)!, /Waiting for it… 3 s$/);
    assert.notEqual(drawn[0]![0], drawn[1]![0]);
    assert.ok(written.endsWith("\r\u001b[2K"));
  });

  test("fits into a narrow terminal", async () => {
    const { written } = await wait(true, 1_001, { columns: 20 });
    assert.match(written, /⠋ Waiting f…… 1 s/);
  });

  test("is not shown under --quiet", async () => {
    const { written } = await wait(true, 20_000, { quiet: true });
    assert.equal(written, "");
  });

  test("leaves no timer behind when it fails", async () => {
    mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
    try {
      let written = "";
      const sink = {
        isTerminal: true,
        columns: 80,
        write(text: string): void {
          written += text;
        },
      };
      const notices = new Notices(sink, noColours, { quiet: false, verbosity: 0, redraws: true });
      await assert.rejects(notices.during("Waiting", Promise.reject(new Error("no"))), /no/);
      mock.timers.tick(10_000);
      assert.equal(written, "");
    } finally {
      mock.timers.reset();
    }
  });
});

async function wait(
  isTerminal: boolean,
  lastsMs: number,
  { columns = 80, quiet = false } = {},
): Promise<{ written: string; result: string }> {
  mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const clock = mock.method(performance, "now", () => nowMs);
  let nowMs = 0;
  let written = "";
  try {
    const sink = {
      isTerminal,
      columns,
      write(text: string): void {
        written += text;
      },
    };
    const notices = new Notices(sink, noColours, { quiet, verbosity: 0, redraws: isTerminal });
    let finish: (value: string) => void = () => {};
    const waiting = notices.during(
      "Waiting for it",
      new Promise<string>((resolve) => {
        finish = resolve;
      }),
    );
    while (nowMs < lastsMs) {
      const stepMs = Math.min(50, lastsMs - nowMs);
      nowMs += stepMs;
      mock.timers.tick(stepMs);
    }
    finish("done");
    const result = await waiting;
    return { written, result };
  } finally {
    clock.mock.restore();
    mock.timers.reset();
  }
}
