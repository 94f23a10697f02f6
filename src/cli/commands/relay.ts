import type { CliCommand, Describing } from "../command.js";
import { withRetryFlags, withWait, withYes } from "./shared.js";

const nodeFlag = "--to <NODE>";

export function describeRelay(relay: CliCommand, describing: Describing): void {
  relay.examples("portway relay create n3 --at /node/n2 --to /node/n3", "portway relay list --to n3");
  describeCreate(relay.verb("create [NAME]", "Make a node reachable through another node"), describing);

  withHosted(relay.verb("list", "List the relays of a node"))
    .flag(nodeFlag, "the node, by name", { shownDefault: "the default node" })
    .does(describing, async () => (await import("../actions/relay.js")).list)
    .examples("portway relay list --to n3", "portway relay list --hosted --to n2");

  withWait(withHosted(relay.verb("show [NAME]", "Show a relay")))
    .flag("--at <NODE>", "the node that holds it, by name", { shownDefault: "the default node" })
    .does(describing, async () => (await import("../actions/relay.js")).show)
    .examples("portway relay show n3 --at n3", "portway relay show n3 --at n3 --wait 30s");

  withYes(withHosted(relay.verb("delete [NAME]", "Give a relay up")))
    .flag("--at <NODE>", "the node that holds it, by name", { shownDefault: "the default node" })
    .does(describing, async () => (await import("../actions/relay.js")).remove)
    .examples("portway relay delete n3 --at n3", "portway relay delete n3 --hosted --at n2");
}

function withHosted(command: CliCommand): CliCommand {
  return command.flag("--hosted", "the relays that the node hosts for others, not those that it holds");
}

function describeCreate(create: CliCommand, describing: Describing): void {
  withRetryFlags(create)
    .flag("--at <ROUTE>", "the node that hosts the relay: a route to it, or the name of a node here")
    .flag(nodeFlag, "the node to make reachable, by name", {
      shownDefault: "the default node, created if there is none",
    })
    .flag("--relay-address <NAME>", "the name to register", { shownDefault: "NAME" })
    .flag("--connection-wait <DURATION>", "how long to wait until it is up", { shownDefault: "5s" })
    .flag("--no-connection-wait", "do not wait: it is registered as soon as possible")
    .refuse("authorized", "projectRelay")
    .remarks(
      `NAME is "default" if it is left out. The node is then reached at the hosting node's address
/service/forward_to_NAME. It stays registered: a lost link is dialed again and registered again.`,
    )
    .does(describing, async () => (await import("../actions/relay.js")).create)
    .examples(
      "portway relay create n3 --at /node/n2 --to /node/n3",
      "portway relay create n3 --at /dnsaddr/relay.example.com/tcp/7000 --to n3",
    );
}
