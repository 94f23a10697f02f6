import { setTimeout as sleep } from "node:timers/promises";
import type { Node } from "../../gen/portway/v1/node_service_pb.js";
import { PortwayError } from "../base/errors.js";
import type { Cli } from "./cli.js";
import { reasonOf } from "./failure.js";
import { isRunning } from "./forms/node.js";
import { idOf } from "./names.js";

const lookMs = 2_000;

/** Ends when a node in the foreground shall: at an interruption or, with `exitOnEof`, at the end of standard input. */
export function foregroundEnd(cli: Cli, exitOnEof: boolean): AbortSignal {
  const interruption = cli.io.interruption();
  if (!exitOnEof) return interruption;
  const over = new AbortController();
  const end = (): void => over.abort();
  interruption.addEventListener("abort", end, { once: true });
  void cli.io.stdin.end().then(end, end);
  return over.signal;
}

interface Foreground {
  readonly node: Node;
  readonly end: AbortSignal;
  readonly remove: () => Promise<void>;
}

/**
 * Stays until `end`; then deletes the node. Throws if the node goes away before: someone deleted or stopped it, or its
 * daemon is gone.
 */
export async function stayInForeground(cli: Cli, { node, end, remove }: Foreground): Promise<number> {
  const id = idOf(node.name);
  if (cli.output.isForPeople && !end.aborted) cli.notices.info(`The node ${id} is deleted at Ctrl-C.`);
  await watch(cli, node, end);
  await cli.notices.during(`Deleting the node ${id}`, remove());
  return 0;
}

/** Looks at the node every two seconds until `signal` ends. */
async function watch(cli: Cli, node: Node, signal: AbortSignal): Promise<void> {
  const { nodes } = await cli.client();
  while (!signal.aborted) {
    try {
      await sleep(lookMs, undefined, { signal });
      const { node: now } = await nodes.getNode({ name: node.name }, cli.call(0, signal));
      if (now === undefined || now.uid !== node.uid || !isRunning(now)) throw stopped(node);
    } catch (error) {
      if (signal.aborted) return;
      const reason = await reasonOf(error);
      if (reason === "NODE_NOT_FOUND") throw gone(node, "was deleted");
      if (reason === "DAEMON_UNREACHABLE" || reason === "DRAINING") throw gone(node, "ended with its daemon");
      throw error;
    }
  }
}

function stopped({ name }: Node): PortwayError {
  return new PortwayError("node_stopped", `the node ${idOf(name)} was stopped`, { node: idOf(name) });
}

function gone({ name }: Node, how: string): PortwayError {
  return new PortwayError("node_not_found", `the node ${idOf(name)} ${how}`, { node: idOf(name) });
}
