import { setTimeout as sleep } from "node:timers/promises";
import { type Liveness, State } from "../../gen/portway/v1/resource_pb.js";
import { PortwayError } from "../base/errors.js";
import { durationArgument } from "./argument.js";
import type { Cli } from "./cli.js";
import { isUp, livenessPlain } from "./forms/liveness.js";
import { noColours } from "./style.js";

export interface WaitOption {
  /** The value of `--wait`; without it nothing is waited for. */
  readonly wait?: string;
}

export interface Awaited<T> {
  /** For people: `the relay n3 of the node n3`. */
  readonly what: string;
  /** Reads the resource anew. */
  read(): Promise<T>;
  livenessOf(resource: T): Liveness | undefined;
}

const maxWaitMs = 3_600_000;
const lookMs = 200;

/**
 * Reads a resource; with `--wait` again and again, until it is up. Throws `timed_out` if it is not up in time and
 * `not_connected` once it can't come up by itself, both with its state and what stands in the way, and whatever `read`
 * throws: a resource that goes away is not waited for.
 */
export async function untilUp<T>(cli: Cli, { wait }: WaitOption, awaited: Awaited<T>): Promise<T> {
  const waitMs = wait === undefined ? undefined : durationArgument("--wait", wait, maxWaitMs);
  const first = await awaited.read();
  if (waitMs === undefined || isUp(awaited.livenessOf(first))) return first;
  return await cli.notices.during(`Waiting for ${awaited.what}`, untilUpFrom(first, waitMs, awaited));
}

async function untilUpFrom<T>(first: T, waitMs: number, { what, read, livenessOf }: Awaited<T>): Promise<T> {
  const endMs = performance.now() + waitMs;
  for (let resource = first; ; resource = await read()) {
    const liveness = livenessOf(resource);
    if (isUp(liveness)) return resource;
    const state = livenessPlain(liveness, noColours);
    if (liveness?.state === State.FAILED)
      throw new PortwayError("not_connected", `${what} does not come up by itself: ${state}`);
    const leftMs = endMs - performance.now();
    if (leftMs <= 0)
      throw new PortwayError("timed_out", `${what} is not up after ${waitMs / 1000} s: ${state}`);
    await sleep(Math.min(lookMs, leftMs));
  }
}
