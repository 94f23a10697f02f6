import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Memory of buffers that are in use; what is garbage already is collected first. */
export async function liveBufferBytes(): Promise<number> {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  // What is collected first may be what held on to the rest.
  for (let left = 3; left > 0; left -= 1) {
    collect();
    for (let turn = 0; turn < 3; turn += 1) await new Promise(setImmediate);
  }
  return process.memoryUsage().arrayBuffers;
}
