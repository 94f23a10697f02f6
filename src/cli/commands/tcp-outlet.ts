import type { CliCommand, Describing } from "../command.js";
import { withNode, withNodeOrNew, withRetryFlags, withYes } from "./shared.js";

export function describeTcpOutlet(outlet: CliCommand, describing: Describing): void {
  outlet.examples("portway tcp-outlet create --at n3 --to 127.0.0.1:9000", "portway tcp-outlet list --at n3");

  withRetryFlags(withNodeOrNew(outlet.verb("create", "Offer a TCP server to inlets")))
    .flag("--to <HOST:PORT>", "the TCP server; a port alone is on 127.0.0.1")
    .flag("--from <ADDRESS>", "the outlet's worker address", { shownDefault: "outlet, then random ones" })
    .refuse("tls", "allow", "expression", "ebpf", "privileged", "skipHandshake", "enableNagle")
    .does(describing, async () => (await import("../actions/tcp-outlet.js")).create)
    .examples(
      "portway tcp-outlet create --at n3 --from /service/outlet --to 127.0.0.1:9000",
      "portway tcp-outlet create --to 5432",
    );

  withNode(outlet.verb("list", "List the outlets of a node"))
    .does(describing, async () => (await import("../actions/tcp-outlet.js")).list)
    .examples("portway tcp-outlet list --at n3");

  withNode(outlet.verb("show [ADDRESS]", "Show an outlet"))
    .does(describing, async () => (await import("../actions/tcp-outlet.js")).show)
    .examples("portway tcp-outlet show outlet --at n3");

  withYes(withNode(outlet.verb("delete [ADDRESS]", "Remove an outlet; its sessions go on to their end")))
    .flag("--all", "delete all outlets of the node")
    .does(describing, async () => (await import("../actions/tcp-outlet.js")).remove)
    .examples("portway tcp-outlet delete outlet --at n3", "portway tcp-outlet delete --all --at n3");
}
