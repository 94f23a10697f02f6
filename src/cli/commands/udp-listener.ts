import type { CliCommand, Describing } from "../command.js";
import { withNode, withNodeOrNew, withYes } from "./shared.js";

export function describeUdpListener(listener: CliCommand, describing: Describing): void {
  listener.examples(
    "portway udp-listener create 127.0.0.1:7000 --at n1",
    "portway udp-listener list --at n1",
  );

  withNodeOrNew(listener.verb("create <ADDRESS>", "Bind a UDP listener on a node"))
    .remarks(
      "Messages over UDP may be lost, and where one comes from can be forged. Prints the route to the listener;\na node is not made with one. Outlets can't be reached through it.",
    )
    .does(describing, async () => (await import("../actions/udp-listener.js")).create)
    .examples("portway udp-listener create 127.0.0.1:7000 --at n1", "portway udp-listener create :0");

  withNode(listener.verb("list", "List the UDP listeners of a node"))
    .does(describing, async () => (await import("../actions/udp-listener.js")).list)
    .examples("portway udp-listener list --at n1");

  withNode(listener.verb("show [ADDRESS]", "Show a UDP listener"))
    .does(describing, async () => (await import("../actions/udp-listener.js")).show)
    .examples("portway udp-listener show 127.0.0.1:7000 --at n1");

  withYes(withNode(listener.verb("delete [ADDRESS]", "Close a UDP listener")))
    .does(describing, async () => (await import("../actions/udp-listener.js")).remove)
    .examples("portway udp-listener delete 127.0.0.1:7000 --at n1");
}
