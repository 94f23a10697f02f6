import type { Route } from "../model/route.js";

export interface LinkListener {
  /** Messages can be sent along the route now. */
  up(): void;
  /**
   * They can't any more, or still can't; `error` is undefined while nothing has failed yet, `retryAtMs` (wall clock) is
   * when the next attempt begins, if one is planned.
   */
  down(error: Error | undefined, retryAtMs: number | undefined): void;
  /** Whoever has the link has ended it: it does not come back. The last that is told. */
  gone(error: Error): void;
}

/**
 * A way to another node for those who stand on it: relays, inlets. It comes and goes by itself until its owner ends it;
 * whoever finds that nothing comes through although it is up asks for a new one.
 */
export interface Link extends Disposable {
  /** The addresses in front of whatever is at the far end. It does not change. */
  readonly route: Route;
  readonly isUp: boolean;
  /** Tells the listener of every change, beginning with the present state in this call. */
  watch(listener: LinkListener): Disposable;
  /** Something came back along the route just now. */
  heard(): void;
  /** Gives up the present connection, if it has one of its own, and dials again. */
  renew(reason: Error): void;
}
