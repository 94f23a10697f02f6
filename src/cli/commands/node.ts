import type { CliCommand, Describing } from "../command.js";
import { withYes } from "./shared.js";

export function describeNode(node: CliCommand, describing: Describing): void {
  node.examples("portway node create n1", "portway node list", "portway node delete --all");
  describeCreate(node.verb("create [NAME_OR_CONFIGURATION]", "Create a node and start it"), describing);

  node
    .verb("list", "List the nodes")
    .does(describing, async () => (await import("../actions/node.js")).list)
    .examples("portway node list", "portway node list --jq '.[].node_name'");

  node
    .verb("show [NAME]", "Show a node: its address, services, inlets and outlets")
    .does(describing, async () => (await import("../actions/node.js")).show)
    .examples("portway node show n1", "portway node show n1 --jq .route.verbose");

  withYes(node.verb("delete [NAME]", "Stop a node and forget it with all that it has"))
    .flag("--all", "delete all nodes")
    .flag("-f, --force", "has no effect", { hidden: true })
    .does(describing, async () => (await import("../actions/node.js")).remove)
    .examples("portway node delete n1", "portway node delete --all -y");

  node
    .verb("default [NAME]", "Show the node that is used where none is named, or choose it")
    .does(describing, async () => (await import("../actions/node.js")).makeDefault)
    .examples("portway node default", "portway node default n1");

  node
    .verb("stop [NAME]", "Stop a node and keep its name and its address")
    .flag("-f, --force", "has no effect", { hidden: true })
    .does(describing, async () => (await import("../actions/node.js")).stop)
    .examples("portway node stop n1");

  node
    .verb("start [NAME]", "Start a stopped node on the address that it had")
    .remarks(
      `Its own listener and its HTTP server come back. Relays, inlets, outlets, connections, services that were
started and added listeners do not: create them again.`,
    )
    .does(describing, async () => (await import("../actions/node.js")).start)
    .examples("portway node start n1");

  node
    .verb("logs [NAME]", "Print where the log of a node is")
    .does(describing, async () => (await import("../actions/node.js")).logs)
    .remarks("The file is there from the first line on. A full one is renamed, and a new one begins.")
    .examples('tail -F "$(portway node logs n1)"');
}

function describeCreate(create: CliCommand, describing: Describing): void {
  create
    .flag("-t, --tcp-listener-address <ADDRESS>", "where other nodes can connect, port 0 for a free one", {
      shownDefault: "127.0.0.1:0",
    })
    .flag("--http-server", "answer `HEAD /` and `GET /show` over HTTP on 127.0.0.1")
    .flag("--enable-http-server", "as --http-server", { hidden: true })
    .flag("--http-server-port <PORT>", "the port of the HTTP server", { shownDefault: "a free one" })
    .flag("--no-status-endpoint", "has no effect: there is none unless --http-server asks for it", {
      hidden: true,
    })
    .flag("-f, --foreground", "stay, and delete the node at SIGINT or SIGTERM")
    .flag("-e, --exit-on-eof", "with --foreground: delete the node at the end of standard input too")
    .flag("-s, --skip-is-running-check", "succeed if the node runs already with the same settings")
    .flag("--configuration <YAML>", "the configuration itself, as YAML or JSON")
    .flag("--node-config <YAML>", "as --configuration", { hidden: true })
    .flag("--variable <NAME=VALUE>", "a variable of the configuration; may be repeated", { repeated: true })
    .refuse(
      "identity",
      "udpListener",
      "launchConfiguration",
      "launchConfig",
      "enrollmentTicket",
      "project",
      "projectName",
      "authorityIdentity",
      "authorityRoute",
      "credentialScope",
      "childProcess",
      "opentelemetryContext",
      "statusEndpoint",
    )
    .remarks(
      `The argument is a name, or a configuration: the path of a file, an https URL, or YAML or JSON in { }.
Without one the node gets a random name. The flags win over the configuration.

A listener address that is not loopback opens the node to the network without encryption and without
authentication.`,
    )
    .does(describing, async () => (await import("../actions/node-create.js")).create)
    .examples(
      "portway node create n1",
      "portway node create n2 --tcp-listener-address 127.0.0.1:7000",
      "portway node create ./n3.yaml --variable PORT=9000",
      "portway node create '{name: n4, tcp-outlets: {web: {to: 9000}}}'",
      "portway node create n5 --foreground",
    );
}
