import { parseArgs } from "node:util";
import { bulk, conns, hold, pingpong, pings, type Result } from "./load-commands.js";
import { parseEndpoint } from "./load-sockets.js";
import { serveTarget } from "./load-target.js";

/** No load may take longer: a tunnel that stands still ends it. */
const deadlineMs = 120_000;

const usage = `Loads a TCP tunnel from one side and serves the target on the other; prints one line of JSON.

  node load.js target   --addr HOST:PORT                                    says {"port":N}, then serves
  node load.js bulk     --addr HOST:PORT --streams 1 --mb 512 --dir down|up  gbit_s
  node load.js conns    --addr HOST:PORT --n 5000 --conc 32                  conns_s
  node load.js pingpong --addr HOST:PORT --n 5000 --size 64 --streams 1      p50_us p99_us rt_s
  node load.js pings    --addr HOST:PORT,... --n 500 --turns 1 --warm 0      [{p50_us p99_us},...], by turns
  node load.js hold     --addr HOST:PORT --n 1000 --warm 0                   KiB_per_conn

--pids A,B,C  adds the CPU that those processes used meanwhile; hold reads their memory.`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    addr: { type: "string", default: "127.0.0.1:9100" },
    streams: { type: "string", default: "1" },
    mb: { type: "string", default: "512" },
    dir: { type: "string", default: "down" },
    n: { type: "string", default: "5000" },
    conc: { type: "string", default: "32" },
    warm: { type: "string", default: "0" },
    turns: { type: "string", default: "1" },
    size: { type: "string", default: "64" },
    pids: { type: "string", default: "" },
  },
});

function count(
  name: "streams" | "mb" | "n" | "conc" | "size" | "warm" | "turns",
  max = 1e9,
  min = 1,
): number {
  const value = Number(values[name]);
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new Error(`--${name} ${values[name]}: expected a whole number from ${min} to ${max}`);
  }
  return value;
}

async function run(command: string | undefined): Promise<Result | Result[] | undefined> {
  const endpoints = values.addr.split(",").map(parseEndpoint);
  if (endpoints.length > 1 && command !== "pings") throw new Error(`--addr ${values.addr}: expected one`);
  const endpoint = endpoints[0]!;
  const pids = values.pids === "" ? [] : values.pids.split(",").map(Number);
  switch (command) {
    case "target": {
      const { port } = serveTarget(endpoint);
      console.log(JSON.stringify({ port }));
      return undefined;
    }
    case "bulk":
      if (values.dir !== "down" && values.dir !== "up")
        throw new Error(`--dir ${values.dir}: expected down or up`);
      return bulk(endpoint, { streams: count("streams"), mb: count("mb"), up: values.dir === "up", pids });
    case "conns":
      return conns(endpoint, { n: count("n"), conc: count("conc"), pids });
    case "pingpong":
      return pingpong(endpoint, {
        n: count("n"),
        size: count("size", 262_144),
        streams: count("streams"),
        pids,
      });
    case "pings":
      return pings(endpoints, {
        n: count("n"),
        turns: count("turns"),
        warm: count("warm", 1e6, 0),
        size: count("size", 262_144),
      });
    case "hold":
      return hold(endpoint, { n: count("n"), warm: count("warm", 1e6, 0), pids });
    default:
      throw new Error(usage);
  }
}

try {
  const deadline = setTimeout(() => {
    console.error(`load: ${positionals.join(" ")} did not end in ${deadlineMs / 1000} s`);
    process.exit(1);
  }, deadlineMs);
  const result = await run(positionals[0]);
  clearTimeout(deadline);
  if (result !== undefined) {
    const round = (_: string, value: unknown) =>
      typeof value === "number" ? Math.round(value * 1000) / 1000 : value;
    console.log(JSON.stringify(result, round));
    process.exit(0);
  }
} catch (error) {
  console.error(`load: ${error instanceof Error ? error.message : error}`);
  process.exit(1);
}
