import type { Clock } from "./clock.js";
import { messageOf, PortwayError } from "./errors.js";

/** Where a thing stands between what was asked and what is so; the words are those of the API. */
export type State = "connecting" | "active" | "degraded" | "draining" | "failed" | "stopped";

/** One fact that is either so or not. */
export interface Condition {
  readonly type: string;
  /** Absent while it has not been tried. */
  readonly holds?: boolean;
  readonly reason: string;
  readonly message: string;
  readonly lastTransitionTimeMs: number;
}

export interface Failure {
  readonly count: number;
  readonly lastError: string;
  readonly lastErrorTimeMs: number;
  readonly nextRetryTimeMs?: number;
}

/** State, the facts behind it, what failed last and when it is tried again. Times are wall clock. */
export interface Liveness {
  readonly state: State;
  readonly reconciling: boolean;
  readonly conditions: readonly Condition[];
  readonly failure?: Failure;
  readonly lastSuccessTimeMs?: number;
  readonly roundTripMs?: number;
}

/** What passed. */
export interface Traffic {
  readonly messages: number;
  readonly bytes: number;
}

/** Keeps the liveness of one thing. `connecting` until its first success, `degraded` after a later failure. */
export class LivenessRecord {
  readonly #clock: Clock;
  readonly #conditions = new Map<string, Condition>();
  #state: State = "connecting";
  #failure: Failure | undefined;
  #lastSuccessTimeMs: number | undefined;
  #roundTripMs: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get state(): State {
    return this.#state;
  }

  get wasUp(): boolean {
    return this.#lastSuccessTimeMs !== undefined;
  }

  /** A probe, or a real use, succeeded. */
  succeeded(roundTripMs?: number): void {
    this.#state = "active";
    this.#failure = undefined;
    this.#lastSuccessTimeMs = this.#clock.wallMs();
    this.#roundTripMs = roundTripMs ?? this.#roundTripMs;
  }

  /** It does not work at present; the next attempt is at `nextRetryTimeMs`, if one is planned. */
  failed(error: unknown, nextRetryTimeMs?: number): void {
    this.#state = this.wasUp ? "degraded" : "connecting";
    this.#noteFailure(error, nextRetryTimeMs);
  }

  /** It will not work until a person changes something. */
  gaveUp(error: unknown, nextRetryTimeMs?: number): void {
    this.#state = "failed";
    this.#noteFailure(error, nextRetryTimeMs);
  }

  /** Claims a fact; when it last changed is kept. `error` says why it does not hold. */
  condition(type: string, holds: boolean, error?: unknown): void {
    const before = this.#conditions.get(type);
    if (holds && before?.holds === true) return;
    const changed = before?.holds !== holds;
    this.#conditions.set(type, {
      type,
      holds,
      reason: holds || error === undefined ? "" : reasonOf(error),
      message: holds || error === undefined ? "" : messageOf(error),
      lastTransitionTimeMs:
        changed || before === undefined ? this.#clock.wallMs() : before.lastTransitionTimeMs,
    });
  }

  view(): Liveness {
    return {
      state: this.#state,
      reconciling: this.#state === "connecting" || this.#state === "degraded",
      conditions: [...this.#conditions.values()],
      ...(this.#failure !== undefined && { failure: this.#failure }),
      ...(this.#lastSuccessTimeMs !== undefined && { lastSuccessTimeMs: this.#lastSuccessTimeMs }),
      ...(this.#roundTripMs !== undefined && { roundTripMs: this.#roundTripMs }),
    };
  }

  #noteFailure(error: unknown, nextRetryTimeMs: number | undefined): void {
    this.#failure = {
      count: (this.#failure?.count ?? 0) + 1,
      lastError: messageOf(error),
      lastErrorTimeMs: this.#clock.wallMs(),
      ...(nextRetryTimeMs !== undefined && { nextRetryTimeMs }),
    };
  }
}

function reasonOf(error: unknown): string {
  return error instanceof PortwayError ? error.code.toUpperCase() : "INTERNAL";
}
