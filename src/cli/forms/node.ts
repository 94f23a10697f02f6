import { type Node, type Service, ServiceKind } from "../../../gen/portway/v1/node_service_pb.js";
import type { Inlet, Outlet } from "../../../gen/portway/v1/portal_service_pb.js";
import { State } from "../../../gen/portway/v1/resource_pb.js";
import { localRoute } from "../local-route.js";
import { idOf } from "../names.js";
import type { Style } from "../style.js";
import { type Listener, listenerAddress, listenerJson, listenerType } from "./listener.js";
import { inletJson, outletJson } from "./portal.js";

/** A node with what is on it. */
export interface NodeDetails {
  readonly node: Node;
  readonly listeners: readonly Listener[];
  readonly services: readonly Service[];
  readonly inlets: readonly Inlet[];
  readonly outlets: readonly Outlet[];
}

export function isRunning(node: Node): boolean {
  return node.status?.state === State.ACTIVE || node.status?.state === State.DRAINING;
}

/**
 * As `ockam node show`. What has no meaning here is kept, so that a script that reads it does not break: nodes have no
 * identity (null) and no secure channel listeners (none).
 */
export function nodeJson({ node, listeners, services, inlets, outlets }: NodeDetails): object {
  const id = idOf(node.name);
  const { status } = node;
  const address = status?.tcpListenerAddress ?? "";
  return {
    identity_name: null,
    inlets: inlets.map(inletJson),
    is_default: status?.isDefault ?? false,
    name: id,
    outlets: outlets.map(outletJson),
    ...(isRunning(node) ? { pid: status?.pid ?? 0 } : {}),
    route: {
      short: `/node/${id}`,
      verbose: address === "" ? null : localRoute(address).named,
    },
    secure_channel_listeners: [],
    services: services.map(serviceJson),
    status: isRunning(node) ? "running" : "stopped",
    status_endpoint_address: orNull(status?.httpServerAddress),
    transports: listeners.map(listenerJson),
  };
}

/** As an item of `ockam node list`. */
export function nodeItemJson(node: Node): object {
  const running = isRunning(node);
  const pid = node.status?.pid ?? 0;
  return {
    is_default: node.status?.isDefault ?? false,
    node_name: idOf(node.name),
    pid: running ? pid : null,
    status: running ? { pid, status: "running" } : { status: "stopped" },
  };
}

export function serviceJson(service: Service): object {
  return { addr: service.status?.address ?? idOf(service.name), type: serviceType(service) };
}

const serviceTypes: Readonly<Record<ServiceKind, string>> = {
  [ServiceKind.UNSPECIFIED]: "unknown",
  [ServiceKind.ECHO]: "echo",
  [ServiceKind.UPPERCASE]: "uppercase",
  [ServiceKind.HOP]: "hop",
};

function serviceType(service: Service): string {
  return serviceTypes[service.spec?.kind ?? ServiceKind.UNSPECIFIED] ?? "unknown";
}

export function servicePlain(service: Service, style: Style): string {
  const { addr, type } = serviceJson(service) as { addr: string; type: string };
  return `  ${style.cyan(`/service/${addr}`)}${addr === type ? "" : style.dim(` (${type})`)}`;
}

export function nodePlain(details: NodeDetails, style: Style): string {
  const { node, listeners, services, inlets, outlets } = details;
  const { status } = node;
  const lines = [`${style.bold(idOf(node.name))}${status?.isDefault ? style.dim(" (default)") : ""}`];
  const say = (label: string, text: string): number => lines.push(`  ${label.padEnd(13)} ${text}`);
  say("Status", statePlain(node, style));
  if (status?.tcpListenerAddress) {
    say("Route here", `/node/${idOf(node.name)}`);
    say("Route", localRoute(status.tcpListenerAddress).named);
  }
  if (status?.httpServerAddress) say("HTTP server", `http://${status.httpServerAddress}/`);
  for (const listener of listeners)
    say(`${listenerType(listener).toUpperCase()} listener`, listenerAddress(listener));
  for (const service of services) say("Service", `/service/${service.status?.address ?? idOf(service.name)}`);
  for (const { name, spec, status: inlet } of inlets) {
    say("Inlet", `${idOf(name)}: ${inlet?.boundAddress ?? ""} → ${spec?.to ?? ""}`);
  }
  for (const { name, spec } of outlets) say("Outlet", `/service/${idOf(name)} → ${spec?.target ?? ""}`);
  for (const warning of status?.warnings ?? []) lines.push(`  ${style.yellow("!")} ${warning}`);
  return lines.join("\n");
}

export function nodeItemPlain(node: Node, style: Style, width: number): string {
  const { status } = node;
  const name = idOf(node.name).padEnd(width);
  const words = [`  ${style.bold(name)}`, statePlain(node, style), status?.tcpListenerAddress ?? ""];
  if (status?.isDefault) words.push(style.dim("(default)"));
  return words.join("  ");
}

function statePlain(node: Node, style: Style): string {
  switch (node.status?.state) {
    case State.ACTIVE:
      return style.green("running");
    case State.DRAINING:
      return style.yellow("draining");
    case State.STOPPED:
      return style.dim("stopped");
    default:
      return style.red("failed");
  }
}

function orNull(text: string | undefined): string | null {
  return text === undefined || text === "" ? null : text;
}
