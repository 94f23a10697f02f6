import { isMap, isScalar } from "yaml";
import { findConflicts } from "./conflicts.js";
import { type ConfigDocument, offsetOf, parseConfigDocument } from "./document.js";
import { refusedOfNode } from "./keys.js";
import type { Problems } from "./problems.js";
import { described, type Entry, entriesOf, type Fields, joined, Reader, textOf } from "./reader.js";
import {
  given,
  type InletConfig,
  inletSection,
  type Located,
  type OutletConfig,
  outletSection,
  type RelayConfig,
  readInlet,
  readOutlet,
  readRelay,
  relaySection,
  spellings,
} from "./resources.js";
import { type Found, readSection, type SectionKind } from "./sections.js";
import * as values from "./values.js";
import { emptyValue, type FileVariable, Variables } from "./variables.js";

export type { InletConfig, OutletConfig, RelayConfig } from "./resources.js";

/** A node and what to create on it, in this order: the node, its relays, its inlets, its outlets. */
export interface NodeConfig {
  readonly name?: string;
  readonly tcpListenerAddress?: string;
  readonly foreground?: boolean;
  readonly exitOnEof?: boolean;
  readonly skipIsRunningCheck?: boolean;
  readonly httpServer?: boolean;
  readonly httpServerPort?: number;
  readonly relays: readonly RelayConfig[];
  readonly inlets: readonly InletConfig[];
  readonly outlets: readonly OutletConfig[];
}

export interface ConfigContext {
  /** What errors call the text: a path, a URL, "inline configuration". */
  readonly source: string;
  /** From `--variable NAME=VALUE`. */
  readonly variables?: Readonly<Record<string, string>>;
  /** That `--foreground` was given. */
  readonly foreground?: boolean;
  /** Keys whose value a flag takes the place of: what stands there binds nothing. */
  readonly overridden?: ReadonlySet<string>;
  /** The environment of the process. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

const maxVariables = 1_000;

const nodeKeys = spellings(
  [
    "version",
    "name",
    "tcp-listener-address",
    "foreground",
    "exit-on-eof",
    "skip-is-running-check",
    "http-server",
    "http-server-port",
    "variables",
    "relays",
    "tcp-inlets",
    "tcp-outlets",
  ],
  [
    ["enable-http-server", "http-server"],
    ["relay", "relays"],
    ["tcp-inlet", "tcp-inlets"],
    ["tcp-outlet", "tcp-outlets"],
  ],
);

/**
 * Reads the configuration of `node create`: YAML or JSON of at most 1 MiB. Whatever is wrong is found before anything
 * is created: throws `bad_argument` with one line for each problem, `source:line:column: key: what; expected what`.
 * What Ockam has and is not enforced here is refused by name. Does no I/O.
 */
export function parseNodeConfig(text: string, context: ConfigContext): NodeConfig {
  const document = parseConfigDocument(text, context.source);
  const { problems, root } = document;
  if (!isMap(root)) {
    const there = isScalar(root) && root.value === null ? undefined : (root ?? undefined);
    const expected = "a map of keys such as name, relays, tcp-inlets and tcp-outlets";
    problems.add(
      root === null ? 0 : offsetOf(root),
      "",
      () => `found ${described(there)}; expected ${expected}`,
    );
    problems.throwIfAny();
    throw new Error("unreachable");
  }
  const entries = entriesOf(document, root, "");
  const section = entries.find(({ key }) => key === "variables");
  const reader = new Reader(document, variablesOf(document, section, context));
  const fields = reader.fields(root, "", nodeKeys, refusedOfNode, entries);
  fields.get("version", values.version);
  const node = given({
    name: fields.get("name", values.nameOf("a node")),
    tcpListenerAddress: fields.get("tcp-listener-address", values.socketAddress),
    foreground: fields.get("foreground", values.boolean),
    exitOnEof: fields.get("exit-on-eof", values.boolean),
    skipIsRunningCheck: fields.get("skip-is-running-check", values.boolean),
    httpServer: fields.get("http-server", values.boolean),
    httpServerPort: fields.get("http-server-port", values.port),
  });
  if (node.httpServer === false && node.httpServerPort !== undefined) {
    const offset = fields.entry("http-server-port")?.valueOffset ?? 0;
    problems.add(
      offset,
      "http-server-port",
      () => "a port for a server that is off; expected http-server: true",
    );
  }
  if (node.exitOnEof && !(context.foreground ?? node.foreground)) {
    const offset = fields.entry("exit-on-eof")?.valueOffset ?? 0;
    problems.add(
      offset,
      "exit-on-eof",
      () => "only a node in the foreground ends so; expected foreground: true",
    );
  }
  const relays = readAll(reader, fields, "relays", relaySection, readRelay);
  const inlets = readAll(reader, fields, "tcp-inlets", inletSection, readInlet);
  const outlets = readAll(reader, fields, "tcp-outlets", outletSection, readOutlet);
  const binds = nodeBinds(fields, node.tcpListenerAddress, node.httpServerPort).filter(
    ({ path }) => !context.overridden?.has(path),
  );
  findConflicts(problems, { node: node.name, binds, relays, inlets, outlets });
  problems.throwIfAny();
  return {
    ...node,
    relays: relays.map(({ config }) => config),
    inlets: inlets.map(({ config }) => config),
    outlets: outlets.map(({ config }) => config),
  };
}

function readAll<T>(
  reader: Reader,
  fields: Fields,
  key: string,
  kind: SectionKind,
  read: (reader: Reader, found: Found) => Located<T>,
): Located<T>[] {
  const entry = fields.entry(key);
  return entry === undefined ? [] : readSection(reader, entry, kind).map((found) => read(reader, found));
}

function nodeBinds(fields: Fields, listener: string | undefined, httpPort: number | undefined) {
  const bind = (key: string, text: string) => ({
    text,
    path: key,
    offset: fields.entry(key)?.valueOffset ?? 0,
  });
  return [
    ...(listener === undefined ? [] : [bind("tcp-listener-address", listener)]),
    ...(httpPort === undefined ? [] : [bind("http-server-port", String(httpPort))]),
  ];
}

function variablesOf(
  document: ConfigDocument,
  section: Entry | undefined,
  context: ConfigContext,
): Variables {
  const { problems } = document;
  const { variables = {}, environment = {} } = context;
  checkGiven(problems, variables);
  const file = new Map<string, FileVariable>();
  if (isMap(section?.value)) {
    for (const { key, keyOffset, value, valueOffset } of entriesOf(document, section.value, "variables")) {
      const path = joined("variables", key);
      if (!/^[A-Za-z0-9_]+$/.test(key)) {
        problems.add(keyOffset, path, () => "not the name of a variable; expected letters, digits and `_`");
      } else if (!isScalar(value)) {
        const text = value === undefined ? emptyValue(key) : `found ${described(value)}`;
        problems.add(valueOffset, path, () => `${text}; expected a text, a number, true or false`);
        file.set(key, { text: "", refuse: () => {} });
      } else {
        const refuse = (refusal: Error) => problems.add(valueOffset, path, () => refusal.message);
        file.set(key, { text: textOf(value), refuse });
      }
    }
    if (file.size > maxVariables) {
      problems.add(
        section.keyOffset,
        "variables",
        () => `too many variables; expected at most ${maxVariables}`,
      );
      problems.throwIfAny();
    }
  } else if (section?.value !== undefined) {
    const said = () => `found ${described(section.value)}; expected a map from names to values`;
    problems.add(section.valueOffset, "variables", said);
  }
  const resolved = new Variables({ given: variables, environment }, file);
  resolved.check();
  return resolved;
}

function checkGiven(problems: Problems, variables: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(variables)) {
    if (!/^[A-Za-z0-9_]+$/.test(name)) {
      problems.addOutside(
        `--variable ${name}: not the name of a variable; expected letters, digits and \`_\``,
      );
    } else if (value === "") {
      problems.addOutside(`--variable ${name}: ${emptyValue(name)}; expected ${name}=VALUE`);
    }
  }
}
