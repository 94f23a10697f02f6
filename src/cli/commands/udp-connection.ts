import type { CliCommand, Describing } from "../command.js";
import { withNode, withNodeOrNew, withRetryFlags, withWait, withYes } from "./shared.js";

export function describeUdpConnection(connection: CliCommand, describing: Describing): void {
  connection.examples(
    "portway udp-connection create --from n1 --to 127.0.0.1:7000",
    "portway udp-connection list --at n1",
  );

  withRetryFlags(
    withNodeOrNew(connection.verb("create", "Connect a node to another node over UDP"), "--from <NODE>"),
  )
    .flag("-t, --to <ADDRESS>", "the other node's listener, host:port")
    .flag("--timeout <DURATION>", "how long to wait for the connection", { shownDefault: "5s" })
    .flag("--no-connection-wait", "do not wait: it is dialed until it is there")
    .refuse("identity")
    .remarks(
      "Prints the address to begin a route with, /worker/ADDRESS. It stays the same for as long as the\nconnection exists: when the link is lost it is dialed again. A peer that says nothing counts as there.",
    )
    .does(describing, async () => (await import("../actions/udp-connection.js")).create)
    .examples("portway udp-connection create --from n1 --to 127.0.0.1:7000");

  withNode(connection.verb("list", "List the UDP connections of a node"))
    .does(describing, async () => (await import("../actions/udp-connection.js")).list)
    .examples("portway udp-connection list --at n1");

  withWait(withNode(connection.verb("show [ADDRESS]", "Show a UDP connection, by worker address or peer")))
    .does(describing, async () => (await import("../actions/udp-connection.js")).show)
    .examples(
      "portway udp-connection show 127.0.0.1:7000 --at n1",
      "portway udp-connection show 127.0.0.1:7000 --at n1 --wait 30s",
    );

  withYes(withNode(connection.verb("delete [ADDRESS]", "Close a UDP connection, by worker address or peer")))
    .does(describing, async () => (await import("../actions/udp-connection.js")).remove)
    .examples("portway udp-connection delete 127.0.0.1:7000 --at n1");
}
