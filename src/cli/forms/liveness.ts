import { timestampDate } from "@bufbuild/protobuf/wkt";
import { type Liveness, State } from "../../../gen/portway/v1/resource_pb.js";
import { durationMs, formatDuration } from "../duration.js";
import type { Style } from "../style.js";

/** The two words of `ockam`. */
export function upOrDown(liveness: Liveness | undefined): "Up" | "Down" {
  return liveness?.state === State.ACTIVE ? "Up" : "Down";
}

export function isUp(liveness: Liveness | undefined): boolean {
  return liveness?.state === State.ACTIVE;
}

/** Up now or at some time before: what `ockam` does not show until then is null. */
export function wasUp(liveness: Liveness | undefined): boolean {
  return isUp(liveness) || liveness?.lastSuccessTime !== undefined;
}

export function lastFailure(liveness: Liveness | undefined): string | null {
  return liveness?.failure?.lastError || null;
}

/** What is added to the form of `ockam`, which does not say why something is down. */
export function whyDown(liveness: Liveness | undefined): { readonly last_failure?: string } {
  const failure = lastFailure(liveness);
  return isUp(liveness) || failure === null ? {} : { last_failure: failure };
}

/** `connecting: connection refused; next attempt in 2 s`. */
export function livenessPlain(liveness: Liveness | undefined, style: Style): string {
  if (liveness === undefined) return style.dim("unknown");
  const words = [stateWord(liveness.state, style)];
  const { failure, roundTripTime, lastSuccessTime } = liveness;
  if (liveness.state === State.ACTIVE && roundTripTime !== undefined) {
    words.push(`round trip ${formatDuration(durationMs(roundTripTime))}`);
  }
  if (failure !== undefined && failure.lastError !== "") words.push(failure.lastError);
  if (failure?.nextRetryTime !== undefined) {
    const inMs = Math.max(timestampDate(failure.nextRetryTime).getTime() - Date.now(), 0);
    words.push(`next attempt in ${formatDuration(Math.round(inMs / 100) * 100)}`);
  }
  if (liveness.state !== State.ACTIVE && lastSuccessTime !== undefined) {
    words.push(`last up ${timestampDate(lastSuccessTime).toISOString()}`);
  }
  return words.join(", ");
}

function stateWord(state: State, style: Style): string {
  switch (state) {
    case State.ACTIVE:
      return style.green("up");
    case State.CONNECTING:
      return style.yellow("connecting");
    case State.DEGRADED:
      return style.yellow("down, trying again");
    case State.DRAINING:
      return style.yellow("draining");
    case State.STOPPED:
      return style.dim("stopped");
    case State.FAILED:
      return style.red("failed");
    default:
      return style.dim("unknown");
  }
}
