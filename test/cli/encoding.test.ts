import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import { refuseOtherEncodings } from "../../src/cli/encoding.js";
import { mainPath } from "../e2e/support/processes.js";

describe("a command line", () => {
  const words = ["message", "send", "\uFFFDx"];
  const commandLine = (last: string): Buffer =>
    Buffer.from(`/usr/bin/node\0main.js\0message\0send\0${last}\0`, "latin1");

  test("that is not UTF-8 is refused, and says where", () => {
    assert.throws(() => refuseOtherEncodings(words, () => commandLine("\xffx")), {
      code: "bad_argument",
      message: /^argument 3, "\uFFFDx", is not UTF-8/,
    });
  });

  test("with the character that stands for what can't be read passes, if that was given", () => {
    refuseOtherEncodings(words, () => commandLine("\xef\xbf\xbdx"));
  });

  test("passes where the system does not tell its bytes, and is not looked at without need", () => {
    refuseOtherEncodings(words, () => undefined);
    refuseOtherEncodings(["message", "send", "ä"], () => assert.fail("looked at"));
  });

  const skip = process.platform !== "linux" && "only Linux tells the bytes";
  test("of a process is refused before anything is sent", { skip }, () => {
    const script = 'exec "$0" "$1" message send "$(printf "\\377\\376")" --to /service/echo';
    const { status, stdout, stderr } = spawnSync("sh", ["-c", script, process.execPath, mainPath], {
      encoding: "utf8",
      env: { PATH: process.env["PATH"], PORTWAY_HOME: "/nonexistent/portway", NO_COLOR: "1" },
    });
    assert.deepEqual({ status, stdout }, { status: 64, stdout: "" });
    assert.match(stderr, /^error: argument 3, "\uFFFD\uFFFD", is not UTF-8: /);
  });
});
