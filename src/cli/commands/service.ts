import type { CliCommand, Describing } from "../command.js";
import { withNode, withYes } from "./shared.js";

export function describeService(service: CliCommand, describing: Describing): void {
  service.examples("portway service start hop --at n3", "portway service list --at n3");

  withNode(service.verb("start <SERVICE>", "Start a service; hop is the one that can be started"))
    .flag("--addr <ADDRESS>", "its worker address", { shownDefault: "the name of the service" })
    .remarks(
      `hop forwards whatever reaches it to the next address of its route, whoever sent it: it opens all workers of
the node, and whatever they lead to, to everyone who can reach the node. Not for nodes that strangers reach.`,
    )
    .does(describing, async () => (await import("../actions/service.js")).start)
    .examples("portway service start hop --at n3", "portway service start hop --addr h1 --at n3");

  withNode(service.verb("list", "List the services of a node"))
    .does(describing, async () => (await import("../actions/service.js")).list)
    .examples("portway service list --at n3");

  for (const verb of ["stop", "delete"]) {
    withYes(withNode(service.verb(`${verb} [ADDRESS]`, "Stop a service that was started")))
      .does(describing, async () => (await import("../actions/service.js")).remove)
      .examples(`portway service ${verb} hop --at n3`);
  }
}

export function describeWorker(worker: CliCommand, describing: Describing): void {
  withNode(worker.verb("list", "List the addresses of a node at which messages are delivered"))
    .does(describing, async () => (await import("../actions/service.js")).listWorkers)
    .examples("portway worker list --at n3");
}
