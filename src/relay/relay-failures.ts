import { PortwayError } from "../base/errors.js";
import type { Route } from "../model/route.js";
import type { DropReason } from "../routing/worker.js";

/** Why the host said no, for the client's side. The word may be newer than this code. */
export function refusalError(refusal: string, name: string): PortwayError {
  switch (refusal) {
    case "name_held":
      return new PortwayError("address_taken", `the relay name "${name}" is held by another node`, { name });
    case "too_many":
      return new PortwayError("too_many", "the hosting node gives out no more relay names", { name });
    case "bad_name":
      return new PortwayError("bad_name", `the hosting node takes no relay name like "${name}"`, { name });
    default:
      return new PortwayError("permission_denied", `the hosting node refused "${name}": ${refusal}`, {
        name,
      });
  }
}

/** Why this node itself dropped a registration. */
export function dropError(drop: DropReason, route: Route): PortwayError {
  const at = route.isEmpty ? "" : route.first.text;
  switch (drop) {
    case "no_such_worker":
      return new PortwayError("worker_not_found", `no worker has the address ${at}`, { address: at });
    case "not_connected": {
      const said = `the connection ${at} is not connected at present`;
      return new PortwayError("not_connected", said, { address: at });
    }
    case "refused":
      return new PortwayError("bad_route", "a relay must be at another node", { route: route.toString() });
    default: {
      const said = `the registration was dropped at ${at}: ${drop}`;
      return new PortwayError("bad_route", said, { address: at, reason: drop });
    }
  }
}

export function noConfirmation(name: string, route: Route, timeoutMs: number): PortwayError {
  const said = `no answer to the registration of "${name}" within ${timeoutMs} ms`;
  return new PortwayError("no_reply", said, { name, route: route.toString() });
}

export function probeLost(name: string, route: Route, timeoutMs: number): PortwayError {
  const said = `a probe through the relay "${name}" did not come back within ${timeoutMs} ms`;
  return new PortwayError("no_reply", said, { name, route: route.toString() });
}
