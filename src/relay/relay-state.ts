/**
 * Where the client's end of a relay stands. `down`: no link. `registering`: the registration is on its way or waits
 * for its confirmation. `waiting`: for the next registration. `renewing`: likewise, and the link has been given up
 * because nothing comes through. `probing`, `idle`: registered, a probe is out or none is. `stopped`: for good.
 */
export interface RelayState {
  readonly at: "down" | "registering" | "waiting" | "renewing" | "probing" | "idle" | "stopped";
  /** Registrations in a row that nothing answered. */
  readonly unanswered: number;
  /** Registrations in a row that were refused. */
  readonly refusals: number;
  /** Probes in a row that did not come back. */
  readonly lostProbes: number;
  /** The name was ours at some time: whoever holds it now may be a connection of ours that died. */
  readonly wasRegistered: boolean;
  /** The last refusal is one that time does not mend. */
  readonly needsPerson: boolean;
}

export type RelayEvent =
  | { readonly is: "linkUp" | "linkDown" | "confirmed" | "due" | "probeBack" | "stop" }
  /** `heard`: something else came through meanwhile, so the link is not dead. */
  | { readonly is: "unanswered" | "probeLost"; readonly heard: boolean }
  /** `lasting`: the host will say so again until a person changes something. */
  | { readonly is: "refused"; readonly lasting: boolean };

export const firstRelayState: RelayState = {
  at: "down",
  unanswered: 0,
  refusals: 0,
  lostProbes: 0,
  wasRegistered: false,
  needsPerson: false,
};

/** So many in a row, and the link is given up. */
const maxUnanswered = 2;
const maxLostProbes = 2;
/** So many in a row, and a name that was ours counts as somebody else's. */
const maxRefusals = 5;

/** The only place where a relay changes state. It does no I/O and reads no clock. */
export function step(state: RelayState, event: RelayEvent): RelayState {
  if (state.at === "stopped") return state;
  const { at, wasRegistered } = state;
  switch (event.is) {
    case "stop":
      return { ...state, at: "stopped" };
    case "linkUp":
      return at === "down" ? { ...firstRelayState, at: "registering", wasRegistered } : state;
    case "linkDown":
      return { ...firstRelayState, wasRegistered };
    case "confirmed":
      // Late is better than never.
      if (at !== "registering" && at !== "waiting") return state;
      return { ...firstRelayState, at: "probing", wasRegistered: true };
    case "unanswered": {
      if (at !== "registering") return state;
      const unanswered = state.unanswered + 1;
      if (unanswered < maxUnanswered || event.heard) return { ...state, at: "waiting", unanswered };
      return { ...state, at: "renewing", unanswered: 0 };
    }
    case "refused": {
      if (at !== "registering") return state;
      const refusals = state.refusals + 1;
      const needsPerson = event.lasting && (!wasRegistered || refusals >= maxRefusals);
      return { ...state, at: "waiting", unanswered: 0, refusals, needsPerson };
    }
    case "due":
      if (at === "idle") return { ...state, at: "probing" };
      return at === "waiting" || at === "renewing" ? { ...state, at: "registering" } : state;
    case "probeBack":
      return at === "probing" ? { ...state, at: "idle", lostProbes: 0 } : state;
    case "probeLost": {
      if (at !== "probing") return state;
      const lostProbes = state.lostProbes + 1;
      if (lostProbes < maxLostProbes) return { ...state, lostProbes };
      return { ...state, at: event.heard ? "registering" : "renewing", lostProbes: 0 };
    }
  }
}

/** True if nothing is gained by asking again soon. */
export function retriesSlowly({ needsPerson, refusals }: RelayState): boolean {
  return needsPerson || refusals >= maxRefusals;
}
