import { isUtf8 } from "node:buffer";
import { readFileSync } from "node:fs";
import { PortwayError } from "../base/errors.js";

/**
 * Throws `bad_argument` for a word of the command line that is not UTF-8: Node.js has put U+FFFD where it can't read it.
 * That character may also have been given, and only the bytes tell: where the system has them not, all passes.
 */
export function refuseOtherEncodings(
  words: readonly string[],
  commandLine: () => Buffer | undefined = ownCommandLine,
): void {
  if (!words.some((word) => word.includes("\uFFFD"))) return;
  // Each word ends with a zero byte; those of Node.js itself come first.
  const given = (commandLine()?.toString("latin1") ?? "").split("\0").slice(0, -1).slice(-words.length);
  const at = given.findIndex((word) => !isUtf8(Buffer.from(word, "latin1")));
  if (at < 0) return;
  throw new PortwayError(
    "bad_argument",
    `argument ${at + 1}, "${words[at]}", is not UTF-8: expected a text (\`portway message send --hex\` takes any bytes)`,
  );
}

function ownCommandLine(): Buffer | undefined {
  try {
    return readFileSync("/proc/self/cmdline");
  } catch {
    return undefined;
  }
}
