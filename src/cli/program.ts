import { type Command, Option } from "commander";
import { version } from "../base/version.js";
import { CliCommand, type Describing } from "./command.js";
import type { Io } from "./io.js";
import { refusal, refusedCommands } from "./refusals.js";

/** A command of the first level; what is below it is loaded only when it is asked for. */
interface Noun {
  readonly summary: string;
  readonly load: () => Promise<(command: CliCommand, describing: Describing) => void>;
}

const nouns: Readonly<Record<string, Noun>> = {
  node: {
    summary: "Create, list, show, start, stop and delete nodes",
    load: async () => (await import("./commands/node.js")).describeNode,
  },
  "tcp-listener": {
    summary: "Let other nodes connect to a node",
    load: async () => (await import("./commands/tcp-listener.js")).describeTcpListener,
  },
  "tcp-connection": {
    summary: "Connect a node to another node",
    load: async () => (await import("./commands/tcp-connection.js")).describeTcpConnection,
  },
  "udp-listener": {
    summary: "Let other nodes reach a node over UDP",
    load: async () => (await import("./commands/udp-listener.js")).describeUdpListener,
  },
  "udp-connection": {
    summary: "Connect a node to another node over UDP",
    load: async () => (await import("./commands/udp-connection.js")).describeUdpConnection,
  },
  service: {
    summary: "Start and list the services of a node",
    load: async () => (await import("./commands/service.js")).describeService,
  },
  worker: {
    summary: "List the addresses of a node at which messages are delivered",
    load: async () => (await import("./commands/service.js")).describeWorker,
  },
  message: {
    summary: "Send a message along a route and print the reply",
    load: async () => (await import("./commands/message.js")).describeMessage,
  },
  relay: {
    summary: "Make a node reachable through another node",
    load: async () => (await import("./commands/relay.js")).describeRelay,
  },
  "tcp-outlet": {
    summary: "Offer a TCP server to inlets",
    load: async () => (await import("./commands/tcp-outlet.js")).describeTcpOutlet,
  },
  "tcp-inlet": {
    summary: "Open a local TCP port that leads to an outlet",
    load: async () => (await import("./commands/tcp-inlet.js")).describeTcpInlet,
  },
  serve: {
    summary: "Run the daemon in the foreground",
    load: async () => (await import("./commands/system.js")).describeServe,
  },
  status: {
    summary: "Show the daemon and its nodes",
    load: async () => (await import("./commands/system.js")).describeStatus,
  },
  reset: {
    summary: "Stop the daemon and delete what Portway created",
    load: async () => (await import("./commands/system.js")).describeReset,
  },
  token: {
    summary: "Replace the token of the API's TCP addresses",
    load: async () => (await import("./commands/system.js")).describeToken,
  },
  completion: {
    summary: "Print a completion script for a shell",
    load: async () => (await import("./commands/system.js")).describeCompletion,
  },
};

const rootRemarks = `Environment:
  PORTWAY_HOME                 where the daemon keeps its socket, token, state and logs [default: ~/.portway]
  PORTWAY_DEFAULT_TIMEOUT      how long a call may take, beside what it waits for [default: 30s]
  PORTWAY_COMMAND_RETRY_COUNT  as --retry-count, for the commands that have it
  PORTWAY_COMMAND_RETRY_DELAY  as --retry-delay
  NO_COLOR, NO_INPUT, QUIET    as --no-color, --no-input, --quiet
  Those of the daemon          in \`portway serve --help\`

Output: on a terminal for people; in a pipe the bare value (a name, an address) or JSON.
Exit codes: 0 done, 64 wrong usage, 69 no daemon, 70 failed, 77 not permitted, 130 canceled.

Nodes speak without encryption and without authentication: keep their listeners on loopback or on networks
where you trust everyone.`;

/** The command line of Portway; of the first-level commands those in `loaded` with all that is below them. */
export async function createProgram(
  io: Io,
  describing: Describing,
  loaded: readonly string[],
): Promise<CliCommand> {
  const program = new CliCommand("portway")
    .description("Lets applications in private networks reach each other.")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      getOutHelpWidth: () => io.stdout.columns ?? 100,
      getErrHelpWidth: () => io.stderr.columns ?? 100,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .configureHelp({ subcommandTerm: termOf })
    .version(`portway ${version}`, "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .showSuggestionAfterError(true)
    .allowExcessArguments(false) as CliCommand;
  defineGlobals(program);
  program.addHelpText("after", `\n${rootRemarks}`);
  for (const [name, noun] of Object.entries(nouns)) {
    const command = program.verb(name, noun.summary);
    if (!loaded.includes(name)) continue;
    (await noun.load())(command, describing);
    if (command.commands.length > 0) command.answersHelp();
  }
  return program.answersHelp();
}

export const nounNames: readonly string[] = Object.keys(nouns);

/** The first word of a command line that is no flag and no flag's value; `help node` counts as `node`. */
export function nounIn(argv: readonly string[]): string | undefined {
  for (let at = 0; at < argv.length; at += 1) {
    const word = argv[at]!;
    if (word === "--output" || word === "--jq") at += 1;
    else if (!word.startsWith("-") && word !== "help") return word;
  }
  return undefined;
}

/** Throws for a command that `ockam` has and Portway has not. */
export function refuseCommand(noun: string | undefined): void {
  if (noun !== undefined && Object.hasOwn(refusedCommands, noun)) {
    throw refusal(`the command \`${noun}\``, refusedCommands[noun]!);
  }
}

/** `create [NAME]`: that a command has flags goes without saying. */
function termOf(command: Command): string {
  const words = command.registeredArguments.map((argument) =>
    argument.required ? `<${argument.name()}>` : `[${argument.name()}]`,
  );
  return [command.name(), ...words].join(" ");
}

function defineGlobals(program: CliCommand): void {
  program
    .flag("--output <FORMAT>", "plain, or json for JSON only", { choices: ["plain", "json"] })
    .flag("--jq <QUERY>", "print what this jq query makes of the JSON")
    .flag("--compact-output", "print JSON on one line")
    .flag("-q, --quiet", "only errors on standard error, and no questions")
    .addOption(
      new Option("-v, --verbose", "tell the calls that are made; -vv with their content").argParser(
        (_: string, count: number | undefined) => (count ?? 0) + 1,
      ),
    )
    .flag("--no-color", "no colours")
    .flag("--no-input", "no questions")
    .flag("--no-start", "start no daemon if none answers")
    .flag("--pretty", "JSON on many lines, as it is by default", { hidden: true })
    .flag("--test-argument-parser", "only check the command line", { hidden: true });
}
