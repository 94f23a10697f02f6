import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { homeAt } from "../../src/home/home.js";
import { benchFile, Program, run } from "./program.js";

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

export function bringUp(kind: ChainKind, targetPort: number): Promise<Chain> {
  return kind === "pipe" ? pipeChain(targetPort) : portwayChain(targetPort);
}

/** Three plain `a.pipe(b); b.pipe(a)` proxies, one behind the other. */
async function pipeChain(targetPort: number): Promise<Chain> {
  const programs: Program[] = [];
  const stop = async (): Promise<void> => {
    for (const program of programs.reverse()) await program[Symbol.asyncDispose]();
  };
  try {
    let port = targetPort;
    for (let at = 0; at < 3; at += 1) {
      const program = new Program(benchFile("pipe-proxy.js"), ["0", String(port)]);
      programs.push(program);
      port = await program.port();
    }
    const pids = programs.map(({ pid }) => pid).reverse();
    return { port, pids, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

const cliTimeoutMs = 60_000;

/**
 * The tutorial's topology in three daemons with three homes: n2 with a listener; n3 with a hop, a relay at n2 and an
 * outlet; n1 with a connection to n2 and an inlet. Everything goes through the CLI.
 */
async function portwayChain(targetPort: number): Promise<Chain> {
  const root = mkdtempSync(join(tmpdir(), "pwb-")); // short: a Unix socket lies in it
  const homes: string[] = [];
  const home = (name: string): Cli => {
    const path = join(root, name);
    homes.push(path);
    return (...args) => portway(path, args);
  };
  const stop = async (): Promise<void> => {
    try {
      for (const path of homes) if (existsSync(path)) await portway(path, ["reset", "-y"]);
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  };
  try {
    const [cli1, cli2, cli3] = [home("1"), home("2"), home("3")];
    await cli2("node", "create", "n2", "--tcp-listener-address", "127.0.0.1:0");
    const n2 = await show(cli2, "n2");
    const listener = n2.route.verbose;

    await cli3("node", "create", "n3");
    await cli3("service", "start", "hop", "--at", "n3");
    await cli3("relay", "create", "n3", "--at", listener, "--to", "n3");
    await cli3(
      "tcp-outlet",
      "create",
      "--at",
      "n3",
      "--from",
      "/service/outlet",
      "--to",
      `127.0.0.1:${targetPort}`,
    );
    const n3 = await show(cli3, "n3");

    await cli1("node", "create", "n1");
    const peer = `127.0.0.1:${listener.slice(listener.lastIndexOf("/") + 1)}`;
    const connection = (await cli1("tcp-connection", "create", "--from", "n1", "--to", peer)).trim();
    const relay = `${connection}/service/forward_to_n3`;
    const to = `${relay}/service/hop/service/outlet`;
    const bound = (
      await cli1("tcp-inlet", "create", "--at", "n1", "--from", "127.0.0.1:0", "--to", to)
    ).trim();
    const n1 = await show(cli1, "n1");
    return {
      port: Number(bound.slice(bound.lastIndexOf(":") + 1)),
      pids: [n1.pid, n2.pid, n3.pid],
      daemons: { socketPath: homeAt(homes[0]!).socketPath, echoRoute: `${relay}/service/echo` },
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

type Cli = (...args: string[]) => Promise<string>;

export const cliFile = join(import.meta.dirname, "../../src/main.js");

function portway(home: string, args: readonly string[]): Promise<string> {
  const { PATH } = process.env;
  const env = { PATH, HOME: home, PORTWAY_HOME: home, NO_COLOR: "1", NO_INPUT: "1" };
  return run(cliFile, args, { env, timeoutMs: cliTimeoutMs });
}

async function show(cli: Cli, node: string): Promise<{ pid: number; route: { verbose: string } }> {
  return JSON.parse(await cli("node", "show", node, "--output", "json"));
}
