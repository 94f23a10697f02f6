import { dial, type Endpoint, type LoadSocket } from "./load-sockets.js";
import { cpuSeconds, residentKiB } from "./process-stats.js";
import { rotated } from "./statistics.js";

const zeros = Buffer.alloc(256 * 1024);
const mebibyte = 1_048_576;
const echoByte = Buffer.from("Ex");
/** How long a held connection must be idle before memory is read: what opening it left behind is freed by then. */
const settleMs = 2_000;

export type Result = Record<string, number>;

/** Bytes per second through `streams` connections at once, `mb` MiB in all, to (`up`) or from (`down`) the target. */
export async function bulk(
  endpoint: Endpoint,
  options: {
    readonly streams: number;
    readonly mb: number;
    readonly up: boolean;
    readonly pids: readonly number[];
  },
): Promise<Result> {
  const bytes = Math.floor((options.mb * mebibyte) / options.streams);
  const one = options.up ? upload : download;
  const cpu = cpuSeconds(options.pids);
  const started = performance.now();
  await Promise.all(Array.from({ length: options.streams }, () => one(endpoint, bytes)));
  const seconds = (performance.now() - started) / 1000;
  const total = bytes * options.streams;
  const result: Result = { gbit_s: (total * 8) / seconds / 1e9 };
  if (options.pids.length > 0) result["cpu_s_per_GB"] = (cpuSeconds(options.pids) - cpu) / (total / 1e9);
  return result;
}

/** New connections per second, `conc` at a time: each sends a byte, gets it back and closes. */
export async function conns(
  endpoint: Endpoint,
  options: { readonly n: number; readonly conc: number; readonly pids: readonly number[] },
): Promise<Result> {
  const cpu = cpuSeconds(options.pids);
  const started = performance.now();
  let left = options.n;
  const work = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      (await echoOnce(endpoint)).close();
    }
  };
  await Promise.all(Array.from({ length: options.conc }, work));
  const result: Result = { conns_s: options.n / ((performance.now() - started) / 1000) };
  if (options.pids.length > 0)
    result["cpu_us_per_conn"] = ((cpuSeconds(options.pids) - cpu) * 1e6) / options.n;
  return result;
}

/** `n` round trips of `size` bytes in all, on `streams` connections at once, one under way on each. */
export async function pingpong(
  endpoint: Endpoint,
  options: {
    readonly n: number;
    readonly size: number;
    readonly streams: number;
    readonly pids: readonly number[];
  },
): Promise<Result> {
  const each = Math.floor(options.n / options.streams);
  if (each < 1) throw new Error("fewer round trips than streams");
  const times = new Float64Array(each * options.streams);
  const cpu = cpuSeconds(options.pids);
  const started = performance.now();
  const pingOn = async (at: number): Promise<void> => {
    const pinging = await Pinging.open(endpoint, options.size);
    await pinging.fill(times.subarray(at * each, (at + 1) * each));
    pinging.close();
  };
  await Promise.all(Array.from({ length: options.streams }, (_, at) => pingOn(at)));
  const seconds = (performance.now() - started) / 1000;
  const result: Result = { ...latencies(times), rt_s: times.length / seconds };
  if (options.pids.length > 0)
    result["cpu_us_per_rt"] = ((cpuSeconds(options.pids) - cpu) * 1e6) / times.length;
  return result;
}

/**
 * Round trips one at a time, on one connection to each endpoint by turns, `n` a turn, after `warm` that do not count. Gives
 * the latencies of each endpoint. Which process the system puts on which core decides more about a latency than what is
 * measured, and holds for long: turns that are short meet all endpoints with the same luck.
 */
export async function pings(
  endpoints: readonly Endpoint[],
  options: { readonly n: number; readonly turns: number; readonly warm: number; readonly size: number },
): Promise<Result[]> {
  const { n, turns, warm } = options;
  const all: { readonly pinging: Pinging; readonly times: Float64Array }[] = [];
  for (const endpoint of endpoints) {
    const pinging = await Pinging.open(endpoint, options.size);
    if (warm > 0) await pinging.fill(new Float64Array(warm));
    all.push({ pinging, times: new Float64Array(n * turns) });
  }
  for (let turn = 0; turn < turns; turn += 1) {
    for (const { pinging, times } of rotated(all, turn))
      await pinging.fill(times.subarray(turn * n, (turn + 1) * n));
  }
  for (const { pinging } of all) pinging.close();
  return all.map(({ times }) => latencies(times));
}

function latencies(times: Float64Array): Result {
  times.sort();
  return { p50_us: times[times.length >> 1]!, p99_us: times[Math.floor(times.length * 0.99)]! };
}

/**
 * What memory of `pids` an idle connection costs: opens `warm` connections, so that the processes have grown to their
 * size, then `n` more, one after the other, and keeps all until memory was read.
 */
export async function hold(
  endpoint: Endpoint,
  options: { readonly n: number; readonly warm: number; readonly pids: readonly number[] },
): Promise<Result> {
  const held: LoadSocket[] = [];
  const open = async (count: number): Promise<number> => {
    for (let at = 0; at < count; at += 1) held.push(await echoOnce(endpoint));
    if (count > 0) await new Promise((settled) => setTimeout(settled, settleMs));
    return residentKiB(options.pids);
  };
  const before = await open(options.warm);
  const after = await open(options.n);
  for (const socket of held) socket.close();
  return { KiB_per_conn: (after - before) / options.n, rss_MiB: after / 1024 };
}

async function download(endpoint: Endpoint, bytes: number): Promise<void> {
  const socket = await dial(endpoint);
  await new Promise<void>((resolve, reject) => {
    let left = bytes;
    socket.onRead = (read) => {
      left -= read.byteLength;
      if (left > 0) return;
      socket.close();
      if (left === 0) resolve();
      else reject(new Error(`the target sent ${-left} bytes too many`));
    };
    failOnEnd(socket, reject);
    socket.write(head("S", bytes), () => {});
    socket.resume();
  });
}

async function upload(endpoint: Endpoint, bytes: number): Promise<void> {
  const socket = await dial(endpoint);
  await new Promise<void>((resolve, reject) => {
    let answer = "";
    socket.onRead = (read) => {
      answer += read.toString("latin1");
      if (answer.length < 2) return;
      socket.close();
      if (answer === "ok") resolve();
      else reject(new Error(`the target answered ${JSON.stringify(answer)}`));
    };
    failOnEnd(socket, reject);
    let left = bytes;
    const next = (): void => {
      while (left > 0 && !socket.isClosed) {
        const part = left < zeros.byteLength ? zeros.subarray(0, left) : zeros;
        left -= part.byteLength;
        if (!socket.write(part, next)) return;
      }
    };
    if (socket.write(head("K", bytes), next)) next();
    socket.resume();
  });
}

/** A connection that has carried one byte both ways. */
async function echoOnce(endpoint: Endpoint): Promise<LoadSocket> {
  const socket = await dial(endpoint);
  await new Promise<void>((resolve, reject) => {
    socket.onRead = () => resolve();
    failOnEnd(socket, reject);
    socket.write(echoByte, () => {});
    socket.resume();
  });
  return socket;
}

/** A connection to the echo of the target. */
class Pinging {
  readonly #socket: LoadSocket;
  readonly #ping: Buffer;

  private constructor(socket: LoadSocket, size: number) {
    this.#socket = socket;
    this.#ping = zeros.subarray(0, size);
  }

  static async open(endpoint: Endpoint, size: number): Promise<Pinging> {
    const socket = await dial(endpoint);
    socket.write(Buffer.from("E"), () => {});
    socket.resume();
    return new Pinging(socket, size);
  }

  /** Fills `times` with the microseconds of as many round trips, one under way at a time. */
  fill(times: Float64Array): Promise<void> {
    const socket = this.#socket;
    const ping = this.#ping;
    return new Promise<void>((resolve, reject) => {
      let at = 0;
      let missing = ping.length;
      let sent = performance.now();
      socket.onRead = (read) => {
        missing -= read.byteLength;
        if (missing > 0) return;
        const now = performance.now();
        times[at] = (now - sent) * 1000;
        at += 1;
        if (at === times.length) return resolve();
        missing = ping.length;
        sent = now;
        socket.write(ping, () => {});
      };
      failOnEnd(socket, reject);
      socket.write(ping, () => {});
    });
  }

  close(): void {
    this.#socket.close();
  }
}

function failOnEnd(socket: LoadSocket, reject: (error: Error) => void): void {
  socket.onError = reject;
  socket.onEnd = () => {
    socket.close();
    reject(new Error("the connection was closed before the load was done"));
  };
}

function head(command: "S" | "K", count: number): Buffer {
  const bytes = Buffer.alloc(9);
  bytes.write(command, "latin1");
  bytes.writeBigUInt64BE(BigInt(count), 1);
  return bytes;
}
