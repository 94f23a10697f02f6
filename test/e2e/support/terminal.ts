import { spawn, spawnSync } from "node:child_process";
import { stripVTControlCharacters } from "node:util";
import type { Machine } from "./machine.js";
import { mainPath } from "./processes.js";
import { until, within } from "./until.js";

/** Runs what follows it with a pseudo-terminal as its three streams, which are ours on the other side. */
const withPython = [
  "python3",
  "-c",
  "import os,pty,sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))",
] as const;
const withScript = ["script", "-q", "-e", "/dev/null", "-c"] as const;

const canRun = (command: string, args: readonly string[]): boolean =>
  spawnSync(command, args, { stdio: "ignore" }).status === 0;

const tool = canRun("python3", ["-c", "import pty"])
  ? "python3"
  : canRun("script", ["--version"])
    ? "script"
    : undefined;

/** Why tests on a terminal can't run; false if they can. */
export const noTerminal =
  tool === undefined && "neither python3 nor script is here to make a pseudo-terminal";

export interface TerminalAnswer {
  /** Standard output and standard error, as a person sees them, without colours and with plain line ends. */
  readonly screen: string;
  readonly code: number;
}

/** Runs a command on a pseudo-terminal. Each answer is typed once its question is on the screen. */
export async function onTerminal(
  machine: Machine,
  command: string,
  answers: readonly { readonly question: RegExp; readonly type: string }[] = [],
): Promise<TerminalAnswer> {
  const words = [process.execPath, mainPath, ...command.split(" ")];
  const [program, ...args] =
    tool === "python3" ? [...withPython, ...words] : [...withScript, words.map(quoted).join(" ")];
  const child = spawn(program!, args, {
    env: { ...machine.environment, TERM: "xterm" },
    stdio: ["pipe", "pipe", "inherit"],
  });
  let raw = "";
  const screen = (): string => stripVTControlCharacters(raw).replaceAll("\r\n", "\n");
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    raw += text;
  });
  const ended = new Promise<number>((resolve) => child.once("close", (code) => resolve(code ?? -1)));
  for (const { question, type } of answers) {
    await until(`${question} is on the screen`, () => question.test(screen()));
    child.stdin.write(`${type}\n`);
  }
  const code = await within(`portway ${command} ends`, ended);
  return { screen: screen(), code };
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
