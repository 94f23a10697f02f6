import { PortwayError } from "../base/errors.js";
import type { Liveness } from "../base/liveness.js";
import type { WorkerCounts } from "./function-worker.js";

/** Something on the node. Closing it again does nothing, and the end of the node closes it too. */
export interface Part extends Disposable {
  close(): void;
}

export interface Connection extends Part {
  /** `/worker/…`: what a route begins with that leaves on this connection. */
  readonly route: string;
  /** It dials again by itself; this says how it is now. */
  liveness(): Liveness;
}

export interface Relay extends Part {
  /** `forward_to_{name}`, at the node that hosts it. */
  readonly address: string;
  liveness(): Liveness;
}

export interface Inlet extends Part {
  /** `ip:port` that is listened on. */
  readonly address: string;
  /** Of the path to the outlet; the port is bound in any case. */
  liveness(): Liveness;
}

export interface Outlet extends Part {
  /** Its worker address. */
  readonly address: string;
}

export interface Worker extends Part {
  readonly address: string;
  counts(): WorkerCounts;
}

/** In a program the second of two equal things is a mistake: each of them would close the other. */
export function fresh<C extends { readonly existed: boolean; readonly resource: { readonly id: string } }>(
  created: C,
): C {
  if (!created.existed) return created;
  const { id } = created.resource;
  throw new PortwayError("already_exists", `"${id}" exists already on this node`, { id });
}

/** `own` with what ends it: `end` is called at most once. */
export function part<P extends object>(own: P, end: () => void): P & Part {
  let isOpen = true;
  const close = (): void => {
    if (!isOpen) return;
    isOpen = false;
    try {
      end();
    } catch (error) {
      // The node has ended, and this with it.
      if (!(error instanceof PortwayError && error.code.endsWith("_not_found"))) throw error;
    }
  };
  return Object.assign(own, { close, [Symbol.dispose]: close });
}
