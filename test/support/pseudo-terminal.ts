import { spawn, spawnSync } from "node:child_process";

/**
 * Runs a program on a terminal of its own, with python3's pty module, which forks, waits and copies. Arguments: a JSON
 * list of [what to wait for, what to type then], and the program.
 */
const bridge = `
import json, os, pty, select, sys
steps = json.loads(sys.argv[1])
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
seen = b""
while True:
    ready, _, _ = select.select([terminal], [], [], 30)
    if not ready:
        os.kill(pid, 9)
        break
    try:
        data = os.read(terminal, 65536)
    except OSError:
        break
    if not data:
        break
    seen += data
    sys.stdout.buffer.write(data)
    if steps and steps[0][0].encode() in seen:
        seen = b""
        os.write(terminal, steps.pop(0)[1].encode())
sys.stdout.flush()
_, status = os.waitpid(pid, 0)
sys.exit(os.waitstatus_to_exitcode(status) & 0xff)
`;

export interface TerminalRun {
  readonly code: number | null;
  /** What stood on the terminal, both streams and what was typed, with "\\n" line ends. */
  readonly screen: string;
}

/** False where there is no python3 to make a terminal with. */
export const hasTerminal: boolean =
  spawnSync("python3", ["-c", "import pty; import os; os.waitstatus_to_exitcode"]).status === 0;

/** Runs a program on a terminal; each step types its text after the first one has appeared. */
export function onTerminal(
  command: readonly string[],
  env: Readonly<Record<string, string>>,
  steps: readonly (readonly [appears: string, typed: string])[] = [],
): Promise<TerminalRun> {
  const child = spawn("python3", ["-c", bridge, JSON.stringify(steps), ...command], {
    env: { TERM: "xterm", ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let screen = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    screen += text;
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, screen: screen.replaceAll("\r\n", "\n") }));
  });
}
