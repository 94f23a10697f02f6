import type net from "node:net";
import { dial, type Endpoint } from "./load-sockets.js";
import { cpuSeconds, residentKiB } from "./process-stats.js";

const zeros = Buffer.alloc(256 * 1024);
/** Every socket of a load reads into it: what arrives is counted, never kept. */
const reads = Buffer.allocUnsafeSlow(256 * 1024);
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
      (await echoOnce(endpoint)).destroy();
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
  const streams = Array.from({ length: options.streams }, (_, at) =>
    pingOn(endpoint, options.size, times.subarray(at * each, (at + 1) * each)),
  );
  await Promise.all(streams);
  const seconds = (performance.now() - started) / 1000;
  times.sort();
  const result: Result = {
    p50_us: times[times.length >> 1]!,
    p99_us: times[Math.floor(times.length * 0.99)]!,
    rt_s: times.length / seconds,
  };
  if (options.pids.length > 0)
    result["cpu_us_per_rt"] = ((cpuSeconds(options.pids) - cpu) * 1e6) / times.length;
  return result;
}

/**
 * What memory of `pids` an idle connection costs: opens `warm` connections, so that the processes have grown to their
 * size, then `n` more, one after the other, and keeps all until memory was read.
 */
export async function hold(
  endpoint: Endpoint,
  options: { readonly n: number; readonly warm: number; readonly pids: readonly number[] },
): Promise<Result> {
  const held: net.Socket[] = [];
  const open = async (count: number): Promise<number> => {
    for (let at = 0; at < count; at += 1) held.push(await echoOnce(endpoint));
    if (count > 0) await new Promise((settled) => setTimeout(settled, settleMs));
    return residentKiB(options.pids);
  };
  const before = await open(options.warm);
  const after = await open(options.n);
  for (const socket of held) socket.destroy();
  return { KiB_per_conn: (after - before) / options.n, rss_MiB: after / 1024 };
}

function download(endpoint: Endpoint, bytes: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let left = bytes;
    let socket: net.Socket | undefined;
    const opened = dial(endpoint, reads, (read) => {
      left -= read.byteLength;
      if (left > 0) return;
      socket?.destroy();
      if (left === 0) resolve();
      else reject(new Error(`the target sent ${-left} bytes too many`));
    });
    opened.then((connected) => {
      socket = connected;
      failOnClose(socket, reject);
      socket.write(head("S", bytes));
    }, reject);
  });
}

async function upload(endpoint: Endpoint, bytes: number): Promise<void> {
  let answer = "";
  let answered = (): void => {};
  const socket = await dial(endpoint, reads, (read) => {
    answer += read.toString("latin1");
    if (answer.length >= 2) answered();
  });
  await new Promise<void>((resolve, reject) => {
    failOnClose(socket, reject);
    answered = () => {
      socket.destroy();
      if (answer === "ok") resolve();
      else reject(new Error(`the target answered ${JSON.stringify(answer)}`));
    };
    let left = bytes;
    const next = (error?: Error | null): void => {
      if (error || left <= 0 || socket.destroyed) return;
      const part = left < zeros.byteLength ? zeros.subarray(0, left) : zeros;
      left -= part.byteLength;
      socket.write(part, next);
    };
    socket.write(head("K", bytes), next);
  });
}

/** A connection that has carried one byte both ways. */
async function echoOnce(endpoint: Endpoint): Promise<net.Socket> {
  let answered = (): void => {};
  const socket = await dial(endpoint, reads, () => answered());
  await new Promise<void>((resolve, reject) => {
    failOnClose(socket, reject);
    answered = resolve;
    socket.write(echoByte);
  });
  return socket;
}

/** Fills `times` with the microseconds of its round trips. */
async function pingOn(endpoint: Endpoint, size: number, times: Float64Array): Promise<void> {
  const ping = zeros.subarray(0, size);
  let onRead = (_length: number): void => {};
  const socket = await dial(endpoint, reads, (read) => onRead(read.byteLength));
  await new Promise<void>((resolve, reject) => {
    failOnClose(socket, reject);
    let at = 0;
    let missing = size;
    let sent = performance.now();
    onRead = (length) => {
      missing -= length;
      if (missing > 0) return;
      const now = performance.now();
      times[at] = (now - sent) * 1000;
      at += 1;
      if (at === times.length) return resolve();
      missing = size;
      sent = now;
      socket.write(ping);
    };
    socket.write(Buffer.concat([Buffer.from("E"), ping]));
  });
  socket.destroy();
}

function failOnClose(socket: net.Socket, reject: (error: Error) => void): void {
  socket.once("error", reject);
  socket.once("close", () => reject(new Error("the connection was closed before the load was done")));
}

function head(command: "S" | "K", count: number): Buffer {
  const bytes = Buffer.alloc(9);
  bytes.write(command, "latin1");
  bytes.writeBigUInt64BE(BigInt(count), 1);
  return bytes;
}
