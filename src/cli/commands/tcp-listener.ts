import type { CliCommand, Describing } from "../command.js";
import { withNode, withNodeOrNew, withYes } from "./shared.js";

export function describeTcpListener(listener: CliCommand, describing: Describing): void {
  listener.examples(
    "portway tcp-listener create 127.0.0.1:7000 --at n1",
    "portway tcp-listener list --at n1",
  );

  withNodeOrNew(listener.verb("create <ADDRESS>", "Bind a TCP listener on a node"))
    .remarks("Through an added listener nothing but answers reaches the workers of the node by default.")
    .does(describing, async () => (await import("../actions/tcp-listener.js")).create)
    .examples("portway tcp-listener create 127.0.0.1:7000 --at n1", "portway tcp-listener create :0");

  withNode(listener.verb("list", "List the TCP listeners of a node"))
    .does(describing, async () => (await import("../actions/tcp-listener.js")).list)
    .examples("portway tcp-listener list --at n1");

  withNode(listener.verb("show [ADDRESS]", "Show a TCP listener"))
    .does(describing, async () => (await import("../actions/tcp-listener.js")).show)
    .examples("portway tcp-listener show 127.0.0.1:7000 --at n1");

  withYes(withNode(listener.verb("delete [ADDRESS]", "Unbind a TCP listener")))
    .does(describing, async () => (await import("../actions/tcp-listener.js")).remove)
    .examples("portway tcp-listener delete 127.0.0.1:7000 --at n1");
}
