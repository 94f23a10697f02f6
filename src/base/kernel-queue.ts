import { readFile, readlink } from "node:fs/promises";

/** Sockets that are asked about in one turn are looked up in one reading of the tables. */
let reading: Promise<readonly string[]> | undefined;

/**
 * How many bytes the system has taken to send on a TCP socket that the peer's system has not acknowledged. Undefined
 * where that is not told: on other systems than Linux, and without /proc. Takes time in proportion to the sockets of the
 * machine. Never rejects.
 *
 * proc_pid_net(5): a line for each socket, with tx_queue:rx_queue (hexadecimal) in the fifth place and the inode in the
 * tenth.
 */
export async function unacknowledgedBytes(fd: number): Promise<number | undefined> {
  try {
    const inode = /^socket:\[(\d+)\]$/.exec(await readlink(`/proc/self/fd/${fd}`))?.[1];
    if (inode === undefined) return undefined;
    const line = new RegExp(`^ *\\d+:(?: +\\S+){3} ([0-9A-F]+):(?:\\S+ +){5}${inode} `, "m");
    for (const table of await tables()) {
      const sending = line.exec(table)?.[1];
      if (sending !== undefined) return Number.parseInt(sending, 16);
    }
  } catch {
    // Not told here.
  }
  return undefined;
}

function tables(): Promise<readonly string[]> {
  if (reading !== undefined) return reading;
  reading = Promise.all(
    ["tcp", "tcp6"].map((name) => readFile(`/proc/self/net/${name}`, "latin1").catch(() => "")),
  );
  setImmediate(() => {
    reading = undefined;
  });
  return reading;
}
