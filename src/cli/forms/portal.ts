import { type Inlet, type Outlet, TargetOutcome } from "../../../gen/portway/v1/portal_service_pb.js";
import { idOf, nodeOf } from "../names.js";
import type { Style } from "../style.js";
import { livenessPlain, upOrDown, wasUp, whyDown } from "./liveness.js";

/** As `ockam tcp-inlet create` and an item of `tcp-inlet list`. Inlets here have no payload and need no privileges. */
export function inletJson({ name, spec, status }: Inlet): object {
  const known = wasUp(status?.path) ? status : undefined;
  return {
    alias: idOf(name),
    bind_addr: status?.boundAddress || spec?.bindAddress || "",
    outlet_addr: spec?.to ?? "",
    outlet_route: known?.route || null,
    payload: null,
    privileged: false,
    status: upOrDown(status?.path),
    worker_addr: known?.workerAddress || null,
  };
}

/** As `ockam tcp-inlet show`. */
export function inletShowJson(inlet: Inlet): object {
  return { ...inletJson(inlet), ...whyDown(inlet.status?.path) };
}

/** As `ockam tcp-outlet create --output json`, an address in the bytes of its text and its transport type. */
export function outletJson({ name, spec, status }: Outlet): object {
  return {
    payload: null,
    privileged: false,
    to: spec?.target ?? "",
    worker_addr: { inner: [...Buffer.from(status?.address || idOf(name))], tt: 0 },
  };
}

/** As an item of `ockam tcp-outlet list`. */
export function outletItemJson({ name, spec, status }: Outlet): object {
  return { from: `/service/${status?.address || idOf(name)}`, to: spec?.target ?? "" };
}

/** As `ockam tcp-outlet show`. */
export function outletShowJson({ name, spec, status }: Outlet): object {
  return {
    node_name: nodeOf(name),
    to: spec?.target ?? "",
    worker_address: `/service/${status?.address || idOf(name)}`,
  };
}

export function inletPlain(inlet: Inlet, style: Style): string {
  const { name, spec, status } = inlet;
  const lines = [`${style.bold(idOf(name))}  ${style.cyan(status?.boundAddress || spec?.bindAddress || "")}`];
  const say = (label: string, text: string): number => lines.push(`  ${label.padEnd(13)} ${text}`);
  say("To", spec?.to ?? "");
  say("Path", livenessPlain(status?.path, style));
  say("Target", outcome(status?.targetOutcome, style));
  say("Sessions", sessions(status?.sessions));
  return lines.join("\n");
}

export function outletPlain(outlet: Outlet, style: Style): string {
  const { name, spec, status } = outlet;
  const lines = [style.bold(`/service/${status?.address || idOf(name)}`)];
  const say = (label: string, text: string): number => lines.push(`  ${label.padEnd(13)} ${text}`);
  say("To", spec?.target ?? "");
  say("Target", [outcome(status?.targetOutcome, style), status?.lastError ?? ""].filter(Boolean).join(", "));
  say("Sessions", sessions(status?.sessions));
  return lines.join("\n");
}

function sessions(counts: { open: number; opened: bigint } | undefined): string {
  return `${counts?.open ?? 0} open, ${counts?.opened ?? 0n} so far`;
}

function outcome(given: TargetOutcome | undefined, style: Style): string {
  switch (given) {
    case TargetOutcome.CONNECTED:
      return style.green("took the last connection");
    case TargetOutcome.REFUSED:
      return style.red("refused the last connection");
    case TargetOutcome.TIMED_OUT:
      return style.red("did not answer the last connection");
    case TargetOutcome.UNROUTABLE:
      return style.red("could not be routed to");
    default:
      return style.dim("not tried yet");
  }
}
