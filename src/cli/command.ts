import { Command, CommanderError, type ErrorOptions, Option } from "commander";
import type { Cli } from "./cli.js";
import { type RefusedFlag, refusal, refusedFlags } from "./refusals.js";

/** What a command does. It gets its flags by their camel-case names and its arguments; it may give an exit code. */
export type Action<Options> = (
  cli: Cli,
  options: Options,
  ...args: (string | undefined)[]
) => Promise<number | undefined> | Promise<void>;

/** Runs the action of the command that was found. */
export type Run = (
  command: CliCommand,
  load: () => Promise<Action<never>>,
  options: object,
  args: readonly (string | undefined)[],
) => Promise<void>;

/** What a command module is given to describe its commands with. */
export interface Describing {
  readonly run: Run;
}

/** A failed parse, with the usage of the command it failed in. */
export class UsageError extends Error {
  override name = "UsageError";
  readonly usage: string;
  readonly tip: string | undefined;

  constructor(message: string, tip: string | undefined, usage: string) {
    super(message);
    this.tip = tip;
    this.usage = usage;
  }
}

export class CliCommand extends Command {
  override createCommand(name?: string): CliCommand {
    return new CliCommand(name);
  }

  /** Commander's way to say what is wrong with a command line. */
  override error(message: string, _options?: ErrorOptions): never {
    const [text, ...more] = message.replace(/^error: /, "").split("\n");
    const tip = more.join(" ").replace(/^\(|\)$/g, "");
    throw new UsageError(text!, tip === "" ? undefined : tip, `${pathOf(this)} ${this.usage()}`);
  }

  /** A flag with or without a value, that may be given once. */
  flag(flags: string, description: string, settings: FlagSettings = {}): this {
    const option = new Option(flags, description);
    if (settings.shownDefault !== undefined) option.description += ` [default: ${settings.shownDefault}]`;
    if (settings.hidden) option.hideHelp();
    if (settings.choices !== undefined) option.choices([...settings.choices]);
    if (settings.repeated) {
      return this.addOption(
        option.argParser((value: string, before: string[] | undefined) => [...(before ?? []), value]),
      );
    }
    this.addOption(option);
    let seen = false;
    return this.on(`option:${option.name()}`, () => {
      if (seen) this.error(`the flag '${flags}' was given more than once`);
      seen = true;
    });
  }

  /** Flags that `ockam` has here and that are refused by name. */
  refuse(...flags: readonly RefusedFlag[]): this {
    for (const name of flags) {
      const [text, why] = refusedFlags[name];
      const option = new Option(text.replace("<", "[").replace(">", "]"), why).hideHelp();
      this.addOption(option);
      this.on(`option:${option.name()}`, () => {
        throw refusal(`${option.long ?? option.short} of \`${pathOf(this)}\``, why);
      });
    }
    return this;
  }

  /** Lines that show how it is used; each begins with what a person types. */
  examples(...lines: readonly string[]): this {
    return this.addHelpText("after", `\nExamples:\n${lines.map((line) => `  $ ${line}`).join("\n")}`);
  }

  /** Text after the flags. */
  remarks(text: string): this {
    return this.addHelpText("after", `\n${text}`);
  }

  /** `help WORD…` gives the help of what is below this one; a word that is no command is named. */
  answersHelp(): this {
    const help = (words: readonly string[]): void => {
      let found: Command = this;
      for (const word of words) {
        const next = found.commands.find((command) => command.name() === word);
        if (next === undefined) found.error(`unknown command '${word}'`);
        found = next;
      }
      found.help();
    };
    this.command("help [command...]").description("print the help of a command").action(help);
    return this;
  }

  /** A command below this one. */
  verb(usage: string, summary: string): CliCommand {
    return this.command(usage).description(summary).summary(summary).usage(usageOf(usage)) as CliCommand;
  }

  /** What it does; the module that does it is loaded only then. */
  does<Options>({ run }: Describing, load: () => Promise<Action<Options>>): this {
    return this.action(async (...given: unknown[]) => {
      const options = given.at(-2) as object;
      const args = given.slice(0, -2) as (string | undefined)[];
      await run(this, load as () => Promise<Action<never>>, options, args);
    });
  }
}

interface FlagSettings {
  /** Said in the help; the action knows it itself. */
  readonly shownDefault?: string;
  readonly hidden?: boolean;
  readonly choices?: readonly string[];
  /** It may be given several times: the values are collected. */
  readonly repeated?: boolean;
}

/** `[FLAGS] [NAME]` of `create [NAME]`. */
function usageOf(words: string): string {
  const at = words.indexOf(" ");
  return at < 0 ? "[FLAGS]" : `[FLAGS] ${words.slice(at + 1)}`;
}

/** `portway node create`. */
export function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

/** True for the end of a run that only printed help or the version. */
export function isShown(error: unknown): error is CommanderError {
  return error instanceof CommanderError && !isHelpInstead(error);
}

/** True for a command that was given nothing to do: its help was printed as an error. */
export function isHelpInstead(error: unknown): error is CommanderError {
  return error instanceof CommanderError && error.code === "commander.help" && error.exitCode !== 0;
}

export function deprecated(what: string, instead: string): string {
  return `${what} is deprecated: ${instead}`;
}
