import type { CliCommand } from "../command.js";

/** The flags of a command that may be tried again. */
export function withRetryFlags(command: CliCommand): CliCommand {
  return command
    .flag("--retry-count <N>", "try again so often", { hidden: true })
    .flag("--retry <N>", "as --retry-count", { hidden: true })
    .flag("--retry-delay <DURATION>", "wait between the attempts", { hidden: true })
    .flag("--no-retry", "do not try again, whatever the environment says", { hidden: true });
}

/** `--at NODE` of a command about something on a node. */
export function withNode(command: CliCommand, flag = "--at <NODE>"): CliCommand {
  return command.flag(flag, "the node, by name", { shownDefault: "the default node" });
}

/** `--at NODE` of a command that creates a node where there is none. */
export function withNodeOrNew(command: CliCommand, flag = "--at <NODE>"): CliCommand {
  return command.flag(flag, "the node, by name", {
    shownDefault: "the default node, created if there is none",
  });
}

/** `--wait` of a command that shows what comes up and goes down by itself. */
export function withWait(command: CliCommand): CliCommand {
  return command.flag("--wait <DURATION>", "wait until it is up; fails if it is not up in time");
}

/** `-y` of a command that asks on a terminal. */
export function withYes(command: CliCommand): CliCommand {
  return command.flag("-y, --yes", "do not ask");
}
