import type { Command, Option } from "commander";

/** One command of the tree: the words and flags that can follow it. */
export interface Level {
  /** The words after `portway`: empty, or `node create`. */
  readonly path: string;
  /** The last of them, and those before; undefined for the root. */
  readonly step: { readonly parent: string; readonly word: string } | undefined;
  readonly words: readonly Word[];
  readonly flags: readonly Flag[];
  /** An argument may be the path of a file. */
  readonly takesFile: boolean;
}

export interface Word {
  readonly name: string;
  readonly summary: string;
}

export interface Flag {
  readonly long: string;
  readonly short: string | undefined;
  readonly description: string;
  readonly takesValue: boolean;
  readonly takesFile: boolean;
  readonly choices: readonly string[];
}

/** The commands of the tree with what can follow them, the root first; flags of the root are possible everywhere. */
export function levelsOf(program: Command): Level[] {
  return levelsBelow(program, undefined, flagsOf(program));
}

function levelsBelow(command: Command, step: Level["step"], globals: readonly Flag[]): Level[] {
  const words = command.createHelp().visibleCommands(command);
  const own = step === undefined ? globals : [...flagsOf(command), ...globals];
  const path = step === undefined ? "" : `${step.parent} ${step.word}`.trim();
  const level: Level = {
    path,
    step,
    words: words.map((word) => ({ name: word.name(), summary: word.summary() || word.description() })),
    flags: own,
    takesFile: command.registeredArguments.some((argument) => /CONFIGURATION|FILE/.test(argument.name())),
  };
  const below = words.filter((word) => word.name() !== "help");
  return [level, ...below.flatMap((word) => levelsBelow(word, { parent: path, word: word.name() }, globals))];
}

function flagsOf(command: Command): Flag[] {
  return command
    .createHelp()
    .visibleOptions(command)
    .filter((option) => option.long != null)
    .map(flagOf);
}

function flagOf(option: Option): Flag {
  return {
    long: option.long!,
    short: option.short ?? undefined,
    description: option.description,
    takesValue: option.required || option.optional,
    takesFile: /<FILE>/.test(option.flags),
    choices: option.long === "--shell" ? ["bash", "zsh", "fish"] : (option.argChoices ?? []),
  };
}

/** Flags whose value is completed, with the same completion for all levels that have them. */
export function valueFlags(levels: readonly Level[]): Flag[] {
  const byLong = new Map<string, Flag>();
  for (const flag of levels.flatMap((level) => level.flags)) {
    if (flag.takesValue && !byLong.has(flag.long)) byLong.set(flag.long, flag);
  }
  return [...byLong.values()];
}
