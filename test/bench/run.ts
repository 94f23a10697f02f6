import { existsSync } from "node:fs";
import os from "node:os";
import { parseArgs } from "node:util";
import { messageOf } from "../../src/base/errors.js";
import { Scope } from "../../src/base/scope.js";
import { maxDataBytes } from "../../src/portal/portal-message.js";
import { apiLatency, BareServer, messages, unaryCalls } from "./api-loads.js";
import { bringUp, type Chain, type ChainKind } from "./chains.js";
import { cliFile } from "./daemon.js";
import {
  aloneFigures,
  apiFigures,
  type Figure,
  fullSize,
  type PortalLoad,
  portalLoads,
  quickSize,
  type Size,
  scaled,
  tapFigure,
} from "./figures.js";
import { daemonWithNode, grpcCalls, grpcJsServer } from "./grpc-loads.js";
import { Placed } from "./placement.js";
import { benchFile, Program, run } from "./program.js";
import { rotated, spreadOf } from "./statistics.js";
import { type Contender, printTable, Results } from "./table.js";
import { TapLoad } from "./tap.js";
import { UnaryClient } from "./unary-client.js";

const loadTimeoutMs = 150_000;
const apiLoads = ["unary", "grpc", "messages", "api"];
const tapLoad = "tap";
const known = [...new Set(portalLoads.map(({ name }) => name)), ...apiLoads, tapLoad];

const { values } = parseArgs({
  options: {
    rounds: { type: "string" },
    only: { type: "string" },
    quick: { type: "boolean", default: false },
    against: { type: "string", default: "portway" },
    help: { type: "boolean", default: false },
  },
});

if (values.help) {
  console.log(`Compares Portway with a chain of three plain Node pipe() proxies, and its API with a bare connect-node
server and with grpc-js.

  node dist/test/bench/run.js [--rounds 7] [--only ${known.join(",")}] [--quick] [--against portway|pipe]

Each round brings up fresh processes and runs each load on each contender several times, by turns; a lone ping in many
short turns, from one client. A/A is the yardstick once more: how far its ratio is from 1 tells what a ratio is worth.
--quick is a look, not a measurement.

Everything runs in the session of the bench, daemons as \`portway serve\`: Linux shares its cores out among sessions
first, and to wake a process of another session costs more.

On which core a lone ping wakes the next process is the scheduler's choice: to wake one on another core that sleeps
costs twice as much as what a process does with a ping. For ping1 all processes share one core, and for ping2 neighbours
are on two: there the chains differ in what they do alone.`);
  process.exit(0);
}

const size: Size = values.quick ? quickSize : fullSize;
const warmUpCalls = 2 * size.calls;
const rounds = Number(values.rounds ?? (values.quick ? 3 : 7));
const only = values.only?.split(",") ?? known;
const wrong = only.filter((name) => !known.includes(name));
if (
  !Number.isInteger(rounds) ||
  rounds < 1 ||
  wrong.length > 0 ||
  !["portway", "pipe"].includes(values.against)
) {
  console.error(`bench: see --help${wrong.length > 0 ? `; unknown in --only: ${wrong.join(", ")}` : ""}`);
  process.exit(64);
}
const against = values.against as ChainKind;
if (against === "portway" && !existsSync(cliFile)) {
  console.error(`bench: ${cliFile} is missing: build first, or compare --against pipe`);
  process.exit(70);
}

const contenders: readonly Contender[] = ["yardstick", "portway", "yardstick again"];
const kindOf = (contender: Contender): ChainKind => (contender === "portway" ? against : "pipe");

/** Short loads, whose speed changes with what else a core does. */
const apiTurns = 7;
const tapTurns = 9;

const results = new Results();

/** Measures the contenders by turns; of each the median counts. `figures` by their names in what `measure` gives. */
async function byTurns<Name extends string>(
  round: number,
  turns: number,
  figures: Readonly<Record<Name, Figure>>,
  measure: (contender: Contender, turn: number) => Promise<Readonly<Record<Name, number>>>,
): Promise<void> {
  const answers = new Map(contenders.map((contender) => [contender, [] as Record<Name, number>[]]));
  for (let turn = 0; turn < turns; turn += 1) {
    for (const contender of rotated(contenders, round + turn)) {
      stopIfInterrupted();
      answers.get(contender)!.push(await measure(contender, turn));
    }
  }
  for (const [contender, all] of answers) {
    for (const [name, figure] of Object.entries(figures) as [Name, Figure][])
      results.add(figure, contender, spreadOf(all.map((answer) => answer[name])).median);
  }
}

async function portalRound(
  round: number,
  chains: ReadonlyMap<Contender, Chain>,
  targetPid: number,
): Promise<void> {
  const paths = [...chains.values()].map(({ pids }) => [process.pid, ...pids, targetPid]);
  let isWarm = false;
  for (const load of portalLoads.filter(({ name }) => only.includes(name))) {
    const { placement } = load;
    if (placement !== undefined && !Placed.isPossible(placement)) {
      progress(`left out, for want of taskset or of cores: ${load.name}`);
      continue;
    }
    using _placed = placement === undefined ? undefined : new Placed(paths, placement);
    if (load.takesAll) {
      await loadAll(chains, load, size.pings * (isWarm ? 1 : load.warmUp));
      isWarm = true;
    } else {
      await byTurns(round, load.turns ?? 1, load.figures, async (contender, turn) => {
        const chain = chains.get(contender)!;
        if (load.warmUp > 0 && turn === 0) await loadChain(chain, load.args(scaled(size, load.warmUp)));
        return loadChain(chain, load.args(size));
      });
    }
    progress(`round ${round + 1} of ${rounds}: ${load.name}`);
  }
}

/** One run that takes all chains by turns, after `warm` of what it does on each of them. */
async function loadAll(
  chains: ReadonlyMap<Contender, Chain>,
  { args, figures }: PortalLoad,
  warm: number,
): Promise<void> {
  const addresses = [...chains.values()].map(({ port }) => `127.0.0.1:${port}`).join(",");
  const all = [...args(size), "--warm", warm, "--addr", addresses];
  const answers: Record<string, number>[] = JSON.parse(
    await run(benchFile("load.js"), all, { timeoutMs: loadTimeoutMs }),
  );
  for (const [at, contender] of [...chains.keys()].entries()) {
    for (const [name, figure] of Object.entries(figures)) results.add(figure, contender, answers[at]![name]!);
  }
}

async function loadChain(
  { port, pids }: Chain,
  load: readonly (string | number)[],
): Promise<Record<string, number>> {
  const [command = "", ...rest] = load;
  const args = [command, "--addr", `127.0.0.1:${port}`, "--pids", pids.join(","), ...rest];
  return JSON.parse(await run(benchFile("load.js"), args, { timeoutMs: loadTimeoutMs }));
}

async function apiRound(round: number, chain: Chain): Promise<void> {
  const { daemons } = chain;
  if (daemons === undefined) return;
  using client = UnaryClient.connect(daemons.socketPath);
  const daemon = { client, pid: chain.pids[0]! };
  const alone = (figure: Figure, value: number): void => results.add(figure, "portway", value);
  if (only.includes("unary")) {
    await using bare = await BareServer.start(daemon);
    await using again = await BareServer.start(daemon);
    const servers = { yardstick: bare, portway: daemon, "yardstick again": again } as const;
    const figures = { perSecond: apiFigures.unary, cpuUs: apiFigures.unaryCpu };
    await byTurns(round, apiTurns, figures, async (contender, turn) => {
      if (turn === 0) await unaryCalls(servers[contender], warmUpCalls);
      return unaryCalls(servers[contender], size.calls);
    });
  }
  if (only.includes("grpc")) {
    await using daemon = await daemonWithNode();
    await using grpcJs = await grpcJsServer(daemon);
    await using again = await grpcJsServer(daemon);
    const servers = { yardstick: grpcJs, portway: daemon, "yardstick again": again } as const;
    const figures = { perSecond: apiFigures.grpc, cpuUs: apiFigures.grpcCpu };
    await byTurns(round, apiTurns, figures, async (contender, turn) => {
      if (turn === 0) await grpcCalls(servers[contender], warmUpCalls);
      return grpcCalls(servers[contender], size.calls);
    });
  }
  if (only.includes("messages")) {
    alone(aloneFigures.messages1, await messages(client, daemons, size.calls / 4, 1));
    alone(aloneFigures.messages64, await messages(client, daemons, size.calls, 64));
  }
  if (only.includes("api")) {
    const { idle, loaded } = await apiLatency(chain, client, size.mb * 2);
    alone(aloneFigures.apiIdle, idle);
    alone(aloneFigures.apiLoaded, loaded);
  }
  progress(`round ${round + 1} of ${rounds}: API`);
}

function progress(text: string): void {
  process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${text}` : `${text}\n`);
}

let isInterrupted = false;
// daemons outlive their parents: what was brought up is taken down before the process ends
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    isInterrupted = true;
  });
}

function stopIfInterrupted(): void {
  if (isInterrupted) throw new Error("interrupted");
}

async function tapRound(round: number): Promise<void> {
  if (!only.includes(tapLoad)) return;
  using load = await TapLoad.prepare();
  await byTurns(round, tapTurns, { perSecond: tapFigure }, async (contender) => {
    const tap = contender === "portway" ? "with" : "without";
    return { perSecond: await load.perSecond(tap, size.messages) };
  });
  progress(`round ${round + 1} of ${rounds}: ${tapLoad}`);
}

async function oneRound(round: number, target: Program): Promise<void> {
  await tapRound(round);
  if (only.every((name) => name === tapLoad)) return;
  await using chains = new Scope();
  const targetPort = await target.port();
  const up = new Map<Contender, Chain>();
  for (const contender of contenders) {
    stopIfInterrupted();
    up.set(contender, chains.own(await bringUp(kindOf(contender), targetPort)));
  }
  await portalRound(round, up, target.pid);
  stopIfInterrupted();
  await apiRound(round, up.get("portway")!);
}

function settingsOf({ name, args, warmUp, turns, takesAll }: PortalLoad): string {
  if (takesAll) {
    const warm = `${warmUp * size.pings}, or ${size.pings} behind another of them`;
    return `  ${name}: ${args(size).join(" ")}, all chains by turns, first ${warm}`;
  }
  return `  ${name}: ${args(size).join(" ")}${warmUp > 0 ? `, first ${warmUp} times that` : ""}${turns === undefined ? "" : `, ${turns} turns`}`;
}

const started = performance.now();
try {
  await using target = new Program(benchFile("load.js"), ["target", "--addr", "127.0.0.1:0"]);
  for (let round = 0; round < rounds; round += 1) await oneRound(round, target);
} catch (error) {
  progress("");
  console.error(`bench: ${isInterrupted ? "interrupted" : messageOf(error)}`);
  process.exit(isInterrupted ? 130 : 70);
}
progress("");
const minutes = ((performance.now() - started) / 60_000).toFixed(1);
console.log(`${rounds} interleaved rounds${values.quick ? " (quick: a look, not a measurement)" : ""}, ${minutes} min
Node ${process.version}, ${os.platform()} ${os.arch()}, ${os.availableParallelism()} cores (${os.cpus()[0]?.model ?? "?"}); loopback; load, target and all chains on the same cores and in one session
messages of at most ${maxDataBytes / 1024} KB of data. Each load, and how many times its size runs in every chain first, unmeasured; of turns the median counts, of pings that of all in a round:
${portalLoads.map(settingsOf).join("\n")}
  unary, grpc: ${size.calls} calls, first 2 times that, ${apiTurns} turns; messages: ${size.calls / 4} one by one and ${size.calls} of which 64 are in flight, first a quarter of that
  api: calls one by one for 2 s, then while 8 connections carry ${size.mb * 2} MiB; tap: ${size.messages} messages, first as many, ${tapTurns} turns
A/B is ${against} to pipe (or to the bare server), round by round; A/A is the yardstick to itself. Median (min–max).
`);
printTable(
  results,
  [
    ...portalLoads.flatMap(({ figures }) => Object.values(figures)),
    tapFigure,
    ...Object.values(apiFigures),
    ...Object.values(aloneFigures),
  ],
  against,
);
