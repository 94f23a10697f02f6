import { setFlagsFromString } from "node:v8";

/**
 * A daemon does little work per byte, so by V8's defaults its code stays interpreted for thousands of messages. With
 * this it is compiled at the first call; a version of V8 that lacks it ignores it. When it is optimized is left as it
 * is: optimizing sooner, on less knowledge, makes the code slower for good.
 */
export function compileSooner(): void {
  setFlagsFromString("--always-sparkplug");
}
