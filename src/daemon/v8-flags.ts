import { AsyncResource } from "node:async_hooks";
import { setFlagsFromString } from "node:v8";

/** Settings of V8 for a daemon; a version of V8 that lacks one ignores it. */
export function setV8Flags(): void {
  // A daemon does little work per byte, so its code would stay interpreted for thousands of messages: it is compiled at
  // the first call. When it is optimized is left as it is: sooner, on less knowledge, is slower for good.
  setFlagsFromString("--always-sparkplug");
  // A message passes some twenty functions, each of them small. V8 makes them one piece only up to a size that they
  // exceed; where a process has slept, each piece more has to be fetched from far.
  setFlagsFromString("--max-inlined-bytecode-size=1000");
  setFlagsFromString("--max-inlined-bytecode-size-cumulative=4000");
  // What is collected often is small: helper threads cost more than they save, in particular where all cores are busy.
  setFlagsFromString("--no-parallel-scavenge");
  // Once many sessions have lived long, V8 would make parts of all later ones old from birth; each would keep the rest of
  // its session until the next collection of everything.
  setFlagsFromString("--no-allocation-site-pretenuring");
  warmAsyncIds();
}

/**
 * The numbers by which Node tells asynchronous work apart are small integers for V8 until the code that makes them has
 * run for a while, and floating point from then on. If process.nextTick, which each write calls, meets both, V8 makes
 * its objects with calls of the runtime from then on, 1 us per write.
 */
function warmAsyncIds(): void {
  for (let i = 0; i < 200; i += 1) new AsyncResource("start");
}
