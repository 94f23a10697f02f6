import { Scope } from "../../src/base/scope.js";
import { Daemon } from "./daemon.js";
import { benchFile, Program } from "./program.js";

/** Three processes between a client and the target. */
export interface Chain extends AsyncDisposable {
  /** Where a client connects, on 127.0.0.1. */
  readonly port: number;
  /** In the order from the client to the target. */
  readonly pids: readonly number[];
  /** Only of a chain of daemons. */
  readonly daemons?: Daemons;
}

export interface Daemons {
  /** The socket of the API of the daemon that the inlet is on. */
  readonly socketPath: string;
  /** The route from n1 to the echo service of n3: two hops, through the relay. */
  readonly echoRoute: string;
}

export type ChainKind = "pipe" | "portway";

export async function bringUp(kind: ChainKind, targetPort: number): Promise<Chain> {
  const scope = new Scope();
  try {
    const chain = await (kind === "pipe" ? pipeChain : portwayChain)(scope, targetPort);
    return { ...chain, [Symbol.asyncDispose]: () => scope[Symbol.asyncDispose]() };
  } catch (error) {
    await scope[Symbol.asyncDispose]();
    throw error;
  }
}

type Parts = Omit<Chain, keyof AsyncDisposable>;

/** Three plain `a.pipe(b); b.pipe(a)` proxies, one behind the other. */
async function pipeChain(scope: Scope, targetPort: number): Promise<Parts> {
  const pids: number[] = [];
  let port = targetPort;
  for (let at = 0; at < 3; at += 1) {
    const program = scope.own(new Program(benchFile("pipe-proxy.js"), ["0", String(port)]));
    port = await program.port();
    pids.unshift(program.pid);
  }
  return { port, pids };
}

/**
 * The tutorial's topology in three daemons with three homes: n2 with a listener; n3 with a hop, a relay at n2 and an
 * outlet; n1 with a connection to n2 and an inlet. Everything goes through the CLI.
 */
async function portwayChain(scope: Scope, targetPort: number): Promise<Parts> {
  const daemon2 = scope.own(await Daemon.serve());
  await daemon2.cli("node", "create", "n2", "--tcp-listener-address", "127.0.0.1:0");
  const listener = JSON.parse(await daemon2.cli("node", "show", "n2", "--output", "json")).route.verbose;

  const daemon3 = scope.own(await Daemon.serve());
  const target = `127.0.0.1:${targetPort}`;
  await daemon3.cli("node", "create", "n3");
  await daemon3.cli("service", "start", "hop", "--at", "n3");
  await daemon3.cli("relay", "create", "n3", "--at", listener, "--to", "n3");
  await daemon3.cli("tcp-outlet", "create", "--at", "n3", "--from", "/service/outlet", "--to", target);

  const daemon1 = scope.own(await Daemon.serve());
  const peer = `127.0.0.1:${listener.slice(listener.lastIndexOf("/") + 1)}`;
  await daemon1.cli("node", "create", "n1");
  const connection = (await daemon1.cli("tcp-connection", "create", "--from", "n1", "--to", peer)).trim();
  const relay = `${connection}/service/forward_to_n3`;
  const to = `${relay}/service/hop/service/outlet`;
  const inlet = ["tcp-inlet", "create", "--at", "n1", "--from", "127.0.0.1:0", "--to", to];
  const bound = (await daemon1.cli(...inlet)).trim();
  return {
    port: Number(bound.slice(bound.lastIndexOf(":") + 1)),
    pids: [daemon1.pid, daemon2.pid, daemon3.pid],
    daemons: { socketPath: daemon1.home.socketPath, echoRoute: `${relay}/service/echo` },
  };
}
