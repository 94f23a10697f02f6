import type { Command } from "commander";
import { PortwayError } from "../../base/errors.js";
import { missingArgument } from "../argument.js";
import type { Action } from "../command.js";
import { bashCompletion } from "../completion/bash.js";
import { fishCompletion } from "../completion/fish.js";
import { type Level, levelsOf } from "../completion/levels.js";
import { zshCompletion } from "../completion/zsh.js";
import { refusal } from "../refusals.js";

const scripts: Readonly<Record<string, (levels: readonly Level[]) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

/** Prints the completion script of the whole command tree below `program`, all of which must be loaded. */
export function completionOf(program: Command): Action<{ readonly shell?: string }> {
  return async (cli, { shell }): Promise<void> => {
    const known = Object.keys(scripts).join(", ");
    if (shell === undefined) throw missingArgument("--shell", `one of ${known}`);
    if (shell === "powershell" || shell === "elvish")
      throw refusal(`--shell ${shell}`, `expected one of ${known}`);
    const script = Object.hasOwn(scripts, shell) ? scripts[shell] : undefined;
    if (script === undefined) {
      throw new PortwayError(
        "bad_argument",
        `--shell: "${shell}" is no shell that is known: expected one of ${known}`,
      );
    }
    cli.output.write(script(levelsOf(program)));
  };
}
