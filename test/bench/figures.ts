import type { Placement } from "./placement.js";

/** What a figure must reach, as a ratio to the yardstick or as it stands. */
export interface Wanted {
  readonly what: "ratio" | "value";
  readonly atLeast?: number;
  readonly atMost?: number;
}

/** One row of the table. */
export interface Figure {
  readonly key: string;
  readonly name: string;
  readonly unit: string;
  readonly wanted?: Wanted;
}

/** One run of the load tool, and the figures that its result gives. */
export interface PortalLoad {
  readonly name: string;
  readonly args: (size: Size) => readonly (string | number)[];
  /**
   * So many times its size runs first, so that cold code is not measured: enough for V8 to have made of the code what it
   * will make of it. 0 where the first run is what counts.
   */
  readonly warmUp: number;
  /** Runs as often, by turns with the other chains, and its median counts: one run depends on what else a core does. */
  readonly turns?: number;
  /**
   * One run of the load tool takes all chains by turns, and tells of each. Behind a load of the same kind, its size runs
   * first just once: only the load tool is new then.
   */
  readonly takesAll?: true;
  /** On which cores the processes stay meanwhile; wherever the scheduler puts them if absent. */
  readonly placement?: Placement;
  /** Figures by their names in the load tool's result. */
  readonly figures: Readonly<Record<string, Figure>>;
}

/** How much a load does. */
export interface Size {
  readonly mb: number;
  readonly connections: number;
  readonly pings: number;
  readonly held: number;
  readonly calls: number;
  readonly messages: number;
}

export const fullSize: Size = {
  mb: 1024,
  connections: 3_000,
  pings: 4_000,
  held: 3_000,
  calls: 4_000,
  messages: 3_000_000,
};
export function scaled(size: Size, by: number): Size {
  const parts = Object.entries(size).map(([name, value]) => [name, Math.ceil(value * by)]);
  return Object.fromEntries(parts) as unknown as Size;
}

export const quickSize: Size = {
  mb: 128,
  connections: 500,
  pings: 1_000,
  held: 1_000,
  calls: 1_000,
  messages: 500_000,
};

const ratio = (atLeast: number): Wanted => ({ what: "ratio", atLeast });
const bytesPerSecond = (key: string, name: string): Figure => ({
  key,
  name,
  unit: "Gbit/s",
  wanted: ratio(1.4),
});
const cpuPerGB = (key: string, name: string): Figure => ({ key, name, unit: "CPU s/GB" });

/** Of what takes a second or a few. */
const turns = 3;
/** They take about a tenth of a second. */
const pingsInTurn = 500;

/** Few turns are enough where the scheduler's choice is no part of it. */
function lonePing(name: string, text: string, sizePerTurn: number): PortalLoad {
  return {
    name,
    warmUp: 8,
    takesAll: true,
    args: ({ pings }) => ["pings", "--n", pingsInTurn, "--turns", Math.ceil(pings / sizePerTurn)],
    figures: {
      p50_us: { key: name, name: `${text}, p50`, unit: "µs", wanted: { what: "ratio", atMost: 1 } },
      p99_us: { key: `${name}-p99`, name: `${text}, p99`, unit: "µs" },
    },
  };
}

/** In the order in which they run: memory first, before a transfer has left garbage behind. */
export const portalLoads: readonly PortalLoad[] = [
  {
    name: "idle",
    warmUp: 0,
    args: ({ held }) => ["hold", "--n", held, "--warm", 1_000],
    figures: {
      KiB_per_conn: {
        key: "idle",
        name: "memory per idle connection, three processes",
        unit: "KiB",
        wanted: { what: "value", atMost: 20 },
      },
      rss_MiB: { key: "idle-rss", name: "resident memory with those connections", unit: "MiB" },
    },
  },
  {
    name: "down1",
    warmUp: 3,
    turns,
    args: ({ mb }) => ["bulk", "--mb", mb],
    figures: {
      gbit_s: bytesPerSecond("down1", "1 connection, down"),
      cpu_s_per_GB: cpuPerGB("down1-cpu", "1 connection, down: CPU"),
    },
  },
  {
    name: "up1",
    warmUp: 3,
    turns,
    args: ({ mb }) => ["bulk", "--mb", mb, "--dir", "up"],
    figures: { gbit_s: bytesPerSecond("up1", "1 connection, up") },
  },
  {
    name: "down8",
    warmUp: 3,
    turns,
    args: ({ mb }) => ["bulk", "--mb", mb, "--streams", 8],
    figures: {
      gbit_s: bytesPerSecond("down8", "8 connections, down"),
      cpu_s_per_GB: cpuPerGB("down8-cpu", "8 connections, down: CPU"),
    },
  },
  {
    name: "up8",
    warmUp: 3,
    turns,
    args: ({ mb }) => ["bulk", "--mb", mb, "--streams", 8, "--dir", "up"],
    figures: { gbit_s: bytesPerSecond("up8", "8 connections, up") },
  },
  {
    name: "conns",
    warmUp: 2,
    turns,
    args: ({ connections }) => ["conns", "--n", connections, "--conc", 16],
    figures: {
      conns_s: { key: "conns", name: "new connections", unit: "/s", wanted: ratio(1.4) },
      cpu_us_per_conn: { key: "conns-cpu", name: "new connections: CPU", unit: "µs" },
    },
  },
  lonePing("ping", "64-byte ping", 40),
  { ...lonePing("ping1", "64-byte ping on one core", 160), placement: "one core" },
  { ...lonePing("ping2", "64-byte ping, neighbours on two cores", 160), placement: "alternating" },
  {
    name: "ping64",
    warmUp: 2,
    turns,
    args: ({ pings }) => ["pingpong", "--n", pings * 10, "--streams", 64],
    figures: {
      rt_s: { key: "ping64", name: "64-byte round trips, 64 connections", unit: "/s", wanted: ratio(1.5) },
    },
  },
];

/** Routing with nobody who watches to the same with the tap compiled out. */
export const tapFigure: Figure = {
  key: "tap",
  name: "routing in one node, tap unused",
  unit: "messages/s",
  wanted: ratio(0.97),
};

export const apiFigures = {
  unary: { key: "unary", name: "GetNode, 32 in flight", unit: "calls/s", wanted: ratio(0.9) },
  unaryCpu: { key: "unary-cpu", name: "GetNode: CPU of the server", unit: "µs/call" },
  grpc: {
    key: "grpc",
    name: "GetNode over gRPC, 32 in flight, to grpc-js",
    unit: "calls/s",
    wanted: ratio(1),
  },
  grpcCpu: { key: "grpc-cpu", name: "GetNode over gRPC: CPU of the server", unit: "µs/call" },
} as const satisfies Record<string, Figure>;

/** Figures of Portway alone. */
export const aloneFigures = {
  messages1: { key: "messages1", name: "SendMessage of 64 bytes, two hops, 1 in flight", unit: "/s" },
  messages64: { key: "messages64", name: "SendMessage of 64 bytes, two hops, 64 in flight", unit: "/s" },
  apiIdle: { key: "api-idle", name: "GetNode, p99, idle daemon", unit: "ms" },
  apiLoaded: { key: "api-loaded", name: "GetNode, p99, while a portal saturates the loop", unit: "ms" },
} as const satisfies Record<string, Figure>;

/** Whether a figure reaches what is wanted; undefined where nothing is. */
export function holds(wanted: Wanted | undefined, value: number | undefined, ratio: number | undefined) {
  const measured = wanted?.what === "ratio" ? ratio : value;
  if (wanted === undefined || measured === undefined) return undefined;
  return measured >= (wanted.atLeast ?? -Infinity) && measured <= (wanted.atMost ?? Infinity);
}

export function wantedText(wanted: Wanted | undefined): string {
  if (wanted === undefined) return "";
  const bound = wanted.atLeast === undefined ? `≤ ${wanted.atMost}` : `≥ ${wanted.atLeast}`;
  return wanted.what === "ratio" ? `${bound} ×` : bound;
}
