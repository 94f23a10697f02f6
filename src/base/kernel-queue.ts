import { readFile, readlink } from "node:fs/promises";
// The system's own time, which nobody pretends to pass.
import { setTimeout } from "node:timers";

/** Bytes that wait in a TCP socket. */
export interface WaitingBytes {
  /** The system has taken them to send, and the peer's system has not acknowledged them. */
  readonly unacknowledged: number;
  /** They have arrived, and nobody has read them. */
  readonly unread: number;
}

/** By the socket's inode. */
type Waiting = ReadonlyMap<string, WaitingBytes>;

/** The last reading of the tables that was asked for. */
let last: Promise<unknown> = Promise.resolve();
/** The one that has not begun: all who ask before it does share it, however many a peer makes ask. */
let next: Promise<Waiting> | undefined;

/**
 * What waits in a TCP socket. Undefined where that is not told: on other systems than Linux, and without /proc. Never
 * rejects.
 *
 * proc_pid_net(5): a line for each socket, with tx_queue:rx_queue (hexadecimal) in the fifth place and the inode in the
 * tenth.
 */
export async function waitingBytes(fd: number): Promise<WaitingBytes | undefined> {
  try {
    const inode = /^socket:\[(\d+)\]$/.exec(await readlink(`/proc/self/fd/${fd}`))?.[1];
    return inode === undefined ? undefined : (await waiting()).get(inode);
  } catch {
    // Not told here.
    return undefined;
  }
}

/** A reading takes time in proportion to the sockets of the machine: so many times that is left to everything else. */
const restTimes = 4;
let restUntilMs = 0;

function rest(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, restUntilMs - performance.now()));
}

/** One reading after another. */
function waiting(): Promise<Waiting> {
  if (next !== undefined) return next;
  const reading = last.then(rest).then(async () => {
    next = undefined;
    const startMs = performance.now();
    const found = await read();
    restUntilMs = performance.now() + restTimes * (performance.now() - startMs);
    return found;
  });
  next = reading;
  last = reading;
  return reading;
}

async function read(): Promise<Waiting> {
  const tables = await Promise.all(
    ["tcp", "tcp6"].map((name) => readFile(`/proc/self/net/${name}`, "latin1").catch(() => "")),
  );
  const found = new Map<string, WaitingBytes>();
  for (const [, unacknowledged = "", unread = "", inode = ""] of tables.join("").matchAll(socketLine)) {
    found.set(inode, {
      unacknowledged: Number.parseInt(unacknowledged, 16),
      unread: Number.parseInt(unread, 16),
    });
  }
  return found;
}

const socketLine = /^ *\d+:(?: +\S+){3} ([0-9A-F]+):([0-9A-F]+) +(?:\S+ +){4}(\d+) /gm;
