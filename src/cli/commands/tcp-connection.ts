import type { CliCommand, Describing } from "../command.js";
import { withNode, withNodeOrNew, withRetryFlags, withWait, withYes } from "./shared.js";

export function describeTcpConnection(connection: CliCommand, describing: Describing): void {
  connection.examples(
    "portway tcp-connection create --from n1 --to 127.0.0.1:7000",
    "portway tcp-connection list --at n1",
  );

  withRetryFlags(withNodeOrNew(connection.verb("create", "Connect a node to another node"), "--from <NODE>"))
    .flag("-t, --to <ADDRESS>", "the other node's listener, host:port")
    .flag("--timeout <DURATION>", "how long to wait for the connection", { shownDefault: "5s" })
    .flag("--no-connection-wait", "do not wait: it is dialed until it is there")
    .refuse("identity")
    .remarks(
      "Prints the address to begin a route with, /worker/ADDRESS. It stays the same for as long as the\nconnection exists: when the link is lost it is dialed again.",
    )
    .does(describing, async () => (await import("../actions/tcp-connection.js")).create)
    .examples("portway tcp-connection create --from n1 --to 127.0.0.1:7000");

  withNode(connection.verb("list", "List the TCP connections of a node"))
    .does(describing, async () => (await import("../actions/tcp-connection.js")).list)
    .examples("portway tcp-connection list --at n1");

  withWait(withNode(connection.verb("show [ADDRESS]", "Show a TCP connection, by worker address or peer")))
    .does(describing, async () => (await import("../actions/tcp-connection.js")).show)
    .examples(
      "portway tcp-connection show 127.0.0.1:7000 --at n1",
      "portway tcp-connection show 127.0.0.1:7000 --at n1 --wait 30s",
    );

  withYes(withNode(connection.verb("delete [ADDRESS]", "Close a TCP connection, by worker address or peer")))
    .does(describing, async () => (await import("../actions/tcp-connection.js")).remove)
    .examples("portway tcp-connection delete 127.0.0.1:7000 --at n1");
}
