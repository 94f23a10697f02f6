import assert from "node:assert/strict";
import { PortwayError } from "../../../src/base/errors.js";
import type { NodeConfig } from "../../../src/cli/config/node-config.js";

/** The PortwayError `bad_argument` that `run` must throw. */
export function failure(run: () => unknown): PortwayError {
  try {
    const result = run();
    assert.fail(`nothing was thrown, but ${JSON.stringify(result)} returned`);
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error;
    assert.ok(error instanceof PortwayError, String(error instanceof Error ? error.stack : error));
    assert.equal(error.code, "bad_argument");
    return error;
  }
}

/** The problems that `run` reports. */
export function lines(run: () => unknown): string[] {
  return failure(run).message.split("\n");
}

/** The configuration without the places of its resources. */
export function withoutPlaces(config: NodeConfig) {
  const strip = <T extends { readonly place: string }>({ place: _, ...rest }: T) => rest;
  return {
    ...config,
    relays: config.relays.map(strip),
    inlets: config.inlets.map(strip),
    outlets: config.outlets.map(strip),
  };
}
