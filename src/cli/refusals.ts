import { PortwayError } from "../base/errors.js";

const noIdentities = "nodes have no identities yet and do not authenticate each other";
const noPolicies = "access policies can't be set yet, so it would not be enforced";
const noTls = "portals carry TCP as it is";
const noProjects = "there are no projects and no Orchestrator";
const noAuthorities = "there are no authorities and no credentials yet";
const noUdpPortals = "portals are led over TCP: UDP carries messages, not streams";
const oneProcess = "nodes are not processes of their own here";

/** Flags of `ockam` that would promise something that is not kept here. They are refused, never ignored. */
export const refusedFlags = {
  identity: ["--identity <NAME>", noIdentities],
  authorized: ["-a, --authorized <IDENTIFIER>", noIdentities],
  allow: ["--allow <EXPRESSION>", noPolicies],
  expression: ["--expression <EXPRESSION>", noPolicies],
  tls: ["--tls", noTls],
  tlsCertificateProvider: ["--tls-certificate-provider <ROUTE>", noTls],
  ebpf: ["--ebpf", "there are no eBPF portals: `tcp-inlet` and `tcp-outlet` need no privileges"],
  privileged: ["--privileged", "there are no eBPF portals: `tcp-inlet` and `tcp-outlet` need no privileges"],
  udp: ["--udp", noUdpPortals],
  udpListener: ["--udp", "use `portway udp-listener create`"],
  noTcpFallback: ["--no-tcp-fallback", noUdpPortals],
  skipHandshake: ["--skip-handshake", "a portal session always begins with a handshake"],
  enableNagle: ["--enable-nagle", "Nagle's algorithm is off on every connection"],
  project: ["--project <NAME>", noProjects],
  projectName: ["--project-name <NAME>", noProjects],
  projectRelay: ["--project-relay <NAME>", noProjects],
  via: ["--via <RELAY>", `${noProjects} whose relay it could name: write the relay into --to`],
  authorityIdentity: ["--authority-identity <IDENTITY>", noAuthorities],
  authorityRoute: ["--authority-route <ROUTE>", noAuthorities],
  credentialScope: ["--credential-scope <SCOPE>", noAuthorities],
  credential: ["--credential <NAME>", noAuthorities],
  enrollmentTicket: ["--enrollment-ticket <TICKET>", `${noProjects} to enroll in`],
  launchConfiguration: ["--launch-configuration <JSON>", "use --configuration, or `portway service start`"],
  launchConfig: ["--launch-config <JSON>", "use --configuration, or `portway service start`"],
  childProcess: ["--child-process", oneProcess],
  opentelemetryContext: ["--opentelemetry-context <CONTEXT>", "tracing is not exported"],
  vault: ["--vault <NAME>", noIdentities],
  statusEndpoint: ["--status-endpoint <ADDRESS>", "use --http-server-port PORT"],
  resetAll: ["--all", `${noProjects} to delete spaces from`],
} as const satisfies Readonly<Record<string, readonly [flags: string, why: string]>>;

export type RefusedFlag = keyof typeof refusedFlags;

/** Commands of `ockam` that are not here. */
export const refusedCommands: Readonly<Record<string, string>> = {
  enroll: noProjects,
  space: noProjects,
  "space-admin": noProjects,
  project: noProjects,
  "project-member": noProjects,
  "project-admin": noProjects,
  sidecar: noProjects,
  admin: noProjects,
  share: noProjects,
  subscription: noProjects,
  lease: noProjects,
  "secure-channel": "there are no secure channels yet",
  "secure-channel-listener": "there are no secure channels yet",
  vault: noIdentities,
  identity: noIdentities,
  credential: noAuthorities,
  authority: noAuthorities,
  policy: "access policies can't be set yet",
  "flow-control": "what may reach a worker is decided by the access policy of its node",
  "influxdb-inlet": "only TCP is carried: use `portway tcp-inlet`",
  "influxdb-outlet": "only TCP is carried: use `portway tcp-outlet`",
  "kafka-inlet": "only TCP is carried: use `portway tcp-inlet`",
  "kafka-outlet": "only TCP is carried: use `portway tcp-outlet`",
  "kafka-consumer": "only TCP is carried: use `portway tcp-inlet`",
  "kafka-producer": "only TCP is carried: use `portway tcp-inlet`",
  rendezvous:
    "there is no hole punching: one of two nodes needs a `portway udp-listener` that can be reached",
  run: "use `portway node create CONFIGURATION`",
  environment: "the variables are listed by `portway --help`",
  markdown: "every command has --help",
  manpages: "every command has --help",
};

const refusedParts: Readonly<Record<string, string>> = {
  secure: "there are no secure channels yet",
  project: noProjects,
  space: noProjects,
};

export function refusal(what: string, why: string): PortwayError {
  return new PortwayError("unsupported", `${what} is not supported: ${why}`, { what });
}

/** Throws for a part of a MultiAddr that Ockam knows and that would promise something that is not kept here. */
export function refuseParts(route: string): void {
  if (route === "self") throw refusal(`the route "self" (/secure/api)`, refusedParts["secure"]!);
  const words = route.split("/");
  if (words[0] === "") words.shift();
  for (let at = 0; at < words.length; at += 2) {
    const protocol = words[at]!;
    const why = Object.hasOwn(refusedParts, protocol) ? refusedParts[protocol] : undefined;
    if (why !== undefined) throw refusal(`/${protocol} in the route "${route}"`, why);
  }
}
