import type { SessionEnd } from "./session.js";

/** The figures of the sessions of one inlet or outlet. */
export interface PortalSessions {
  readonly open: number;
  readonly opened: number;
  readonly failed: Readonly<Record<string, number>>;
  readonly stalled: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** What the last session met at the far end. */
export type TargetOutcome = "none" | "connected" | "refused" | "timed_out" | "unroutable";

export class SessionCounts {
  readonly #failed: Record<string, number> = {};
  #began = 0;
  /** Which session `#outcome` is of. */
  #outcomeOf = 0;
  #open = 0;
  #opened = 0;
  #stalled = 0;
  #bytesIn = 0;
  #bytesOut = 0;
  #outcome: TargetOutcome = "none";
  #outcomeTimeMs: number | undefined;
  #lastError = "";

  get open(): number {
    return this.#open;
  }

  get outcome(): TargetOutcome {
    return this.#outcome;
  }

  get outcomeTimeMs(): number | undefined {
    return this.#outcomeTimeMs;
  }

  get lastError(): string {
    return this.#lastError;
  }

  view(): PortalSessions {
    return {
      open: this.#open,
      opened: this.#opened,
      failed: { ...this.#failed },
      stalled: this.#stalled,
      bytesIn: this.#bytesIn,
      bytesOut: this.#bytesOut,
    };
  }

  bytesIn(count: number): void {
    this.#bytesIn += count;
  }

  bytesOut(count: number): void {
    this.#bytesOut += count;
  }

  /** A session begins; its number. */
  sessionBegan(): number {
    this.#began += 1;
    return this.#began;
  }

  sessionOpened(): void {
    this.#open += 1;
    this.#opened += 1;
  }

  sessionEnded(end: SessionEnd): void {
    this.#open -= 1;
    if (end === "stalled") this.#stalled += 1;
  }

  sessionFailed(reason: string): void {
    this.#failed[reason] = (this.#failed[reason] ?? 0) + 1;
  }

  /** What the session met. False if one that began later has met something already: that tells more of the target. */
  met(session: number, outcome: TargetOutcome, timeMs: number, error = ""): boolean {
    if (session < this.#outcomeOf) return false;
    this.#outcomeOf = session;
    this.#outcome = outcome;
    this.#outcomeTimeMs = timeMs;
    this.#lastError = error;
    return true;
  }
}
