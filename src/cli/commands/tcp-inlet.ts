import type { CliCommand, Describing } from "../command.js";
import { withNode, withNodeOrNew, withRetryFlags, withWait, withYes } from "./shared.js";

export function describeTcpInlet(inlet: CliCommand, describing: Describing): void {
  inlet.examples(
    "portway tcp-inlet create --at n1 --from 127.0.0.1:6000 --to /node/n3/service/outlet",
    "portway tcp-inlet list --at n1",
  );
  describeCreate(inlet.verb("create [NAME]", "Open a local TCP port that leads to an outlet"), describing);

  withNode(inlet.verb("list", "List the inlets of a node"))
    .does(describing, async () => (await import("../actions/tcp-inlet.js")).list)
    .examples("portway tcp-inlet list --at n1");

  withWait(withNode(inlet.verb("show [NAME]", "Show an inlet")))
    .does(describing, async () => (await import("../actions/tcp-inlet.js")).show)
    .examples("portway tcp-inlet show web --at n1", "portway tcp-inlet show web --at n1 --wait 30s");

  withYes(withNode(inlet.verb("delete [NAME]", "Close an inlet and its sessions")))
    .flag("--all", "delete all inlets of the node")
    .does(describing, async () => (await import("../actions/tcp-inlet.js")).remove)
    .examples("portway tcp-inlet delete web --at n1", "portway tcp-inlet delete --all --at n1");
}

function describeCreate(create: CliCommand, describing: Describing): void {
  withRetryFlags(withNodeOrNew(create))
    .flag("--from <ADDRESS>", "where to listen; a port alone is on 127.0.0.1", {
      shownDefault: "127.0.0.1 and a free port",
    })
    .flag("--to <ROUTE>", "the route to the outlet; a segment - is a line of standard input")
    .flag("--alias <NAME>", "the inlet's name", { hidden: true })
    .flag("--connection-wait <DURATION>", "how long to wait until the outlet's node is reached", {
      shownDefault: "5s",
    })
    .flag("--no-connection-wait", "do not wait: it is reached as soon as possible")
    .flag("--retry-wait <DURATION>", "the longest wait between attempts to reach the outlet's node", {
      shownDefault: "a backoff of up to 3s",
    })
    .flag("--timeout <DURATION>", "how long the daemon may take to create it, beside the wait", {
      shownDefault: "10s",
    })
    .refuse(
      "via",
      "identity",
      "authorized",
      "allow",
      "expression",
      "udp",
      "noTcpFallback",
      "ebpf",
      "privileged",
      "tls",
      "tlsCertificateProvider",
      "skipHandshake",
      "enableNagle",
    )
    .remarks("NAME is random if it is left out.")
    .does(describing, async () => (await import("../actions/tcp-inlet.js")).create)
    .examples(
      "portway tcp-inlet create web --at n1 --from 127.0.0.1:6000 --to /node/n3/service/outlet",
      "portway tcp-inlet create --from 6000 --to /node/n2/service/forward_to_n3/service/outlet",
    );
}
