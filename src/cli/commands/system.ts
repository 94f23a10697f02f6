import type { CliCommand, Describing } from "../command.js";
import { withYes } from "./shared.js";

export function describeServe(serve: CliCommand, describing: Describing): void {
  serve
    .flag("--api-address <ADDRESS>", "serve the API on this TCP address too; may be repeated", {
      repeated: true,
    })
    .flag("--tls-cert <FILE>", "certificate for the API's TCP addresses, PEM")
    .flag("--tls-key <FILE>", "its private key, PEM")
    .flag("--tls-client-ca <FILE>", "clients may show a certificate of this authority, PEM")
    .flag("--log-level <LEVEL>", "debug, info, warn or error", { shownDefault: "info" })
    .flag("--autostarted", "as a client starts it: end when idle, say nothing", { hidden: true })
    .flag("--idle-timeout <DURATION>", "with --autostarted: how long it may be idle", { hidden: true })
    .remarks(
      `The API is always served on the Unix socket run/api.sock of PORTWAY_HOME. On TCP every call needs the token
in the file \`token\` there, or a client certificate; an address that is not loopback needs TLS.

SIGTERM and SIGINT let open sessions finish (PORTWAY_DRAIN_MS below); a second one ends at once.

Environment, for a daemon that a command starts as well:
  PORTWAY_API_ADDRESS    as --api-address, several with commas between
  PORTWAY_TLS_CERT, PORTWAY_TLS_KEY, PORTWAY_TLS_CLIENT_CA
                         as --tls-cert, --tls-key, --tls-client-ca
  PORTWAY_LOG_LEVEL      as --log-level
  PORTWAY_DRAIN_MS       how long sessions may take to finish, in milliseconds [default: 8500]
  PORTWAY_IDLE_EXIT_MS   how long a daemon that a command started stays without nodes [default: 5000]

Exit codes: 0 ended as asked, 64 a flag is wrong, 69 another daemon has PORTWAY_HOME or somebody removed it, 73 something
that it needs can't be made, 78 a variable, a file or a directory is wrong, 70 any other failure, 130 a second SIGINT, 143
a second SIGTERM.`,
    )
    .does(describing, async () => (await import("../actions/serve.js")).serve)
    .examples("portway serve", "portway serve --api-address 127.0.0.1:4600");
}

export function describeStatus(status: CliCommand, describing: Describing): void {
  status
    .description("Show the daemon and its nodes; starts no daemon")
    .flag("--timeout <DURATION>", "how long to wait for the daemon's answers", { shownDefault: "10s" })
    .does(describing, async () => (await import("../actions/status.js")).status)
    .examples("portway status", "portway status --jq .running");
}

export function describeReset(reset: CliCommand, describing: Describing): void {
  withYes(reset)
    .refuse("resetAll")
    .remarks(
      "Deletes only what Portway made in PORTWAY_HOME; the directory itself if Portway made it and nothing else is in it.",
    )
    .does(describing, async () => (await import("../actions/reset.js")).reset)
    .examples("portway reset -y");
}

export function describeToken(token: CliCommand, describing: Describing): void {
  token
    .verb("rotate", "Make a new API token; the old one is refused from then on")
    .does(describing, async () => (await import("../actions/token.js")).rotate)
    .examples('curl -H "authorization: Bearer $(cat "$(portway token rotate)")" …');
}

export function describeCompletion(completion: CliCommand, describing: Describing): void {
  completion
    .flag("--shell <SHELL>", "bash, zsh or fish")
    .does(describing, async () => (await import("../actions/completion.js")).completionOf(completion.parent!))
    .examples(
      "source <(portway completion --shell bash)",
      'portway completion --shell zsh > "$' + '{fpath[1]}/_portway"',
      "portway completion --shell fish > ~/.config/fish/completions/portway.fish",
    );
}
