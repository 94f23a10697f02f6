import { refusedOfInlet, refusedOfOutlet, refusedOfRelay } from "./keys.js";
import type { Reader } from "./reader.js";
import type { Found, SectionKind } from "./sections.js";
import * as values from "./values.js";

/** `source:line:column` of what the resource was read from, for errors that show when it is created. */
interface Placed {
  readonly place: string;
}

/** The flags of `relay create`. */
export interface RelayConfig extends Placed {
  readonly name?: string;
  /** Route to the hosting node; `/node/NAME` for a node of this daemon. */
  readonly at: string;
  /** The node that becomes reachable; without it the node of this file. */
  readonly to?: string;
  readonly relayAddress?: string;
  readonly connectionWaitMs?: number;
  readonly noConnectionWait?: boolean;
}

/** The flags of `tcp-inlet create`. */
export interface InletConfig extends Placed {
  readonly alias?: string;
  /** The node that gets the inlet; without it the node of this file. */
  readonly at?: string;
  readonly from?: string;
  readonly to: string;
  readonly connectionWaitMs?: number;
  readonly retryWaitMs?: number;
  readonly timeoutMs?: number;
  readonly noConnectionWait?: boolean;
}

/** The flags of `tcp-outlet create`. */
export interface OutletConfig extends Placed {
  /** The node that gets the outlet; without it the node of this file. */
  readonly at?: string;
  /** The worker address, without `/service/`. */
  readonly from?: string;
  readonly to: string;
}

/** A resource and where its values stand. */
export interface Located<T> {
  readonly config: T;
  readonly path: string;
  /** True if the text gives it a name, be it one that was refused. */
  readonly isNamed: boolean;
  /** Where a flag's value stands; the name's place if the name gave it, else the resource's. */
  offset(flag: string): number;
}

export const relaySection: SectionKind = {
  noun: "relay",
  known: spellings(["name", "at", "to", "relay-address", "connection-wait", "no-connection-wait"]),
  refused: refusedOfRelay,
};

export const inletSection: SectionKind = {
  noun: "inlet",
  known: spellings(
    ["alias", "at", "from", "to", "connection-wait", "retry-wait", "timeout", "no-connection-wait"],
    [["name", "alias"]],
  ),
  refused: refusedOfInlet,
};

export const outletSection: SectionKind = {
  noun: "outlet",
  known: spellings(["at", "from", "to"]),
  refused: refusedOfOutlet,
};

const connectionWait = values.duration(0, 600_000);
const retryWait = values.duration(1, 3_600_000);
const timeout = values.duration(1, 600_000);

export function readRelay(reader: Reader, found: Found): Located<RelayConfig> {
  const { fields } = found;
  const config = given({
    place: reader.problems.place(fields.offset),
    name: named(reader, found, "name", values.nameOf("a relay")),
    at: fields.need("at", values.relayHost) ?? "",
    to: fields.get("to", values.nodeName),
    relayAddress: fields.get("relay-address", values.relayAddress),
    connectionWaitMs: fields.get("connection-wait", connectionWait),
    noConnectionWait: fields.get("no-connection-wait", values.boolean),
  });
  return located(config, found, "name");
}

export function readInlet(reader: Reader, found: Found): Located<InletConfig> {
  const { fields } = found;
  const config = given({
    place: reader.problems.place(fields.offset),
    alias: named(reader, found, "alias", values.nameOf("an inlet")),
    at: fields.get("at", values.nodeName),
    from: fields.get("from", values.socketAddress),
    to: fields.need("to", values.outletRoute) ?? "",
    connectionWaitMs: fields.get("connection-wait", connectionWait),
    retryWaitMs: fields.get("retry-wait", retryWait),
    timeoutMs: fields.get("timeout", timeout),
    noConnectionWait: fields.get("no-connection-wait", values.boolean),
  });
  return located(config, found, "alias");
}

export function readOutlet(reader: Reader, found: Found): Located<OutletConfig> {
  const { fields } = found;
  const config = given({
    place: reader.problems.place(fields.offset),
    at: fields.get("at", values.nodeName),
    from: named(reader, found, "from", values.workerAddress),
    to: fields.need("to", values.targetAddress) ?? "",
  });
  return located(config, found, "from");
}

/** The flag that names a resource: given among its flags, or else the key that it stands under. */
function named<T>(reader: Reader, found: Found, flag: string, kind: values.ValueKind<T>): T | undefined {
  const { fields, name } = found;
  if (fields.entry(flag) !== undefined || name === undefined) return fields.get(flag, kind);
  return reader.text(name.text, name.offset, fields.path, kind);
}

function located<T>(config: T, { fields, name }: Found, nameFlag: string): Located<T> {
  return {
    config,
    path: fields.path,
    isNamed: name !== undefined || fields.entry(nameFlag) !== undefined,
    offset(flag) {
      const own = flag === nameFlag ? name?.offset : undefined;
      return fields.entry(flag)?.valueOffset ?? own ?? fields.offset;
    },
  };
}

/** Every spelling of a key, and the key: itself, and other words for it. */
export function spellings(
  keys: readonly string[],
  others: readonly (readonly [string, string])[] = [],
): ReadonlyMap<string, string> {
  return new Map([...keys.map((key) => [key, key] as const), ...others]);
}

type Given<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

/** Without the keys whose value is undefined. */
export function given<T extends object>(values: T): Given<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Given<T>;
}
