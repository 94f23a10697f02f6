import { refusedFlags } from "../refusals.js";

/** Keys that are refused by name, each with the reason. */
export type Refused = Readonly<Record<string, string>>;

const useInlets = "only TCP is carried: use `tcp-inlets`";
const useOutlets = "only TCP is carried: use `tcp-outlets`";
const mergeKey = "merge keys are not supported";
const recipe = "this file describes one node";
const selfReference = "this is the configuration";
const retries = plain(
  ["retry", "retry-count", "retry-delay", "no-retry"],
  "what is created tries again by itself",
);

export const refusedOfNode: Refused = {
  ticket: refusedFlags.enrollmentTicket[1],
  "enrollment-ticket": refusedFlags.enrollmentTicket[1],
  project: refusedFlags.project[1],
  "project-name": refusedFlags.projectName[1],
  "status-endpoint": refusedFlags.statusEndpoint[1],
  "authority-identity": refusedFlags.authorityIdentity[1],
  "authority-route": refusedFlags.authorityRoute[1],
  "credential-scope": refusedFlags.credentialScope[1],
  identity: refusedFlags.identity[1],
  vault: refusedFlags.vault[1],
  policy: refusedFlags.allow[1],
  policies: refusedFlags.allow[1],
  udp: refusedFlags.udpListener[1],
  "launch-config": "use `relays`, `tcp-inlets` and `tcp-outlets`, or `portway service start`",
  "launch-configuration": "use `relays`, `tcp-inlets` and `tcp-outlets`, or `portway service start`",
  "child-process": refusedFlags.childProcess[1],
  "opentelemetry-context": refusedFlags.opentelemetryContext[1],
  ...plain(["influxdb-inlet", "influxdb-inlets", "kafka-inlet", "kafka-inlets"], useInlets),
  ...plain(["influxdb-outlet", "influxdb-outlets", "kafka-outlet", "kafka-outlets"], useOutlets),
  configuration: selfReference,
  "node-config": selfReference,
  nodes: recipe,
  vaults: recipe,
  identities: recipe,
  projects: recipe,
  "<<": mergeKey,
};

export const refusedOfRelay: Refused = {
  authorized: refusedFlags.authorized[1],
  identity: refusedFlags.identity[1],
  "project-relay": refusedFlags.projectRelay[1],
  ...retries,
  "<<": mergeKey,
};

export const refusedOfInlet: Refused = {
  via: refusedFlags.via[1],
  identity: refusedFlags.identity[1],
  authorized: refusedFlags.authorized[1],
  allow: refusedFlags.allow[1],
  expression: refusedFlags.expression[1],
  udp: refusedFlags.udp[1],
  "no-tcp-fallback": refusedFlags.noTcpFallback[1],
  ebpf: refusedFlags.ebpf[1],
  privileged: refusedFlags.privileged[1],
  "skip-handshake": refusedFlags.skipHandshake[1],
  "enable-nagle": refusedFlags.enableNagle[1],
  tls: refusedFlags.tls[1],
  "tls-certificate-provider": refusedFlags.tlsCertificateProvider[1],
  ...retries,
  "<<": mergeKey,
};

export const refusedOfOutlet: Refused = {
  allow: refusedFlags.allow[1],
  expression: refusedFlags.expression[1],
  ebpf: refusedFlags.ebpf[1],
  privileged: refusedFlags.privileged[1],
  "skip-handshake": refusedFlags.skipHandshake[1],
  "enable-nagle": refusedFlags.enableNagle[1],
  tls: refusedFlags.tls[1],
  ...retries,
  "<<": mergeKey,
};

function plain(keys: readonly string[], why: string): Refused {
  return Object.fromEntries(keys.map((key) => [key, why]));
}

/** `tcp_inlets` and `tcp-inlets` are one key. */
export function canonicalKey(text: string): string {
  return text.replaceAll("_", "-");
}

/** The known key that someone who wrote `text` most likely meant, if one is near. */
export function closestKey(text: string, known: Iterable<string>): string | undefined {
  const word = canonicalKey(text.toLowerCase());
  if (word.length > 40) return undefined;
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const key of known) {
    const contained = Math.min(key.length, word.length) >= 4 && (key.includes(word) || word.includes(key));
    const distance = contained ? Math.min(2, editDistance(word, key)) : editDistance(word, key);
    if (distance < bestDistance) [best, bestDistance] = [key, distance];
  }
  return best;
}

/** Insertions, deletions and replacements from one word to the other. */
function editDistance(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (let i = 1; i <= from.length; i += 1) {
    const current = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const replaced = previous[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1);
      current.push(Math.min(replaced, previous[j]! + 1, current[j - 1]! + 1));
    }
    previous = current;
  }
  return previous[to.length]!;
}
