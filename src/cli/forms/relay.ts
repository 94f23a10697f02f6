import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { Relay, RelayRegistration } from "../../../gen/portway/v1/relay_service_pb.js";
import { idOf } from "../names.js";
import type { Style } from "../style.js";
import { lastFailure, livenessPlain, upOrDown, wasUp, whyDown } from "./liveness.js";

/** As `ockam relay create --output json` and an item of `relay list`. There are no flow control ids here. */
export function relayJson({ name, spec, status }: Relay): object {
  return {
    connection_status: upOrDown(status?.liveness),
    destination_address: spec?.at ?? "",
    flow_control_id: null,
    forwarding_route: status?.route || null,
    last_failure: lastFailure(status?.liveness),
    name: idOf(name),
    remote_address: status?.remoteAddress || null,
    worker_address: wasUp(status?.liveness) ? `0#${status?.workerAddress}` : null,
  };
}

/** As `ockam relay show`. */
export function relayShowJson({ name, spec, status }: Relay): object {
  return {
    connection_status: upOrDown(status?.liveness),
    destination: spec?.at ?? "",
    ...whyDown(status?.liveness),
    name: idOf(name),
    relay_route: status?.route || null,
    remote_address: status?.remoteAddress ? `/service/${status.remoteAddress}` : null,
    worker_address: wasUp(status?.liveness) ? `/service/${status?.workerAddress}` : null,
  };
}

export function relayPlain({ name, spec, status }: Relay, style: Style): string {
  const lines = [style.bold(idOf(name))];
  const say = (label: string, text: string): number => lines.push(`  ${label.padEnd(13)} ${text}`);
  say("At", spec?.at ?? "");
  say("Status", livenessPlain(status?.liveness, style));
  if (status?.remoteAddress) say("Reached at", `/service/${status.remoteAddress}`);
  if (status?.route) say("Route", status.route);
  const registrations = status?.registrations ?? 0n;
  say("Registered", registrations === 1n ? "once" : `${registrations} times`);
  return lines.join("\n");
}

export function registrationJson({ name, createTime, status }: RelayRegistration): object {
  return {
    connection: status?.connection ? `/worker/${status.connection}` : null,
    forwarded: {
      bytes: Number(status?.forwarded?.bytes ?? 0n),
      messages: Number(status?.forwarded?.messages ?? 0n),
    },
    from: status?.peerAddress || null,
    name: idOf(name),
    refused: Number(status?.refused ?? 0n),
    renewed: status?.renewTime === undefined ? null : timestampDate(status.renewTime).toISOString(),
    since: createTime === undefined ? null : timestampDate(createTime).toISOString(),
    worker_address: status?.address ? `/service/${status.address}` : null,
  };
}

export function registrationPlain(registration: RelayRegistration, style: Style): string {
  const { name, createTime, status } = registration;
  const lines = [style.bold(idOf(name))];
  const say = (label: string, text: string): number => lines.push(`  ${label.padEnd(13)} ${text}`);
  if (status?.address) say("Reached at", `/service/${status.address}`);
  say("Held by", status?.peerAddress ?? "");
  if (createTime !== undefined) say("Since", timestampDate(createTime).toISOString());
  say("Forwarded", `${status?.forwarded?.messages ?? 0n} messages, ${status?.forwarded?.bytes ?? 0n} bytes`);
  say("Refused", `${status?.refused ?? 0n} others that claimed the name`);
  return lines.join("\n");
}
