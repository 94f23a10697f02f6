import { isAlias, isMap, isScalar, isSeq, type Node, type Scalar, type YAMLMap } from "yaml";
import { PortwayError } from "../../base/errors.js";
import { type ConfigDocument, offsetOf } from "./document.js";
import { canonicalKey, closestKey, type Refused } from "./keys.js";
import { keyText, type Problems, quoted, Refusal } from "./problems.js";
import type { ValueKind } from "./values.js";
import { refusedElsewhere, type Variables } from "./variables.js";

/** One pair of a map, its key as it stands in the text and its value with aliases resolved. */
export interface Entry {
  readonly key: string;
  readonly keyOffset: number;
  /** Nothing where the value is left out or null. */
  readonly value: Node | undefined;
  readonly valueOffset: number;
}

/** Reads nodes of the tree. Nothing here throws: what is wrong goes to `problems` and reads as undefined. */
export class Reader {
  readonly problems: Problems;
  readonly #document: ConfigDocument;
  readonly #variables: Variables;

  constructor(document: ConfigDocument, variables: Variables) {
    this.problems = document.problems;
    this.#document = document;
    this.#variables = variables;
  }

  /** The pairs of a map, without those whose key is no text or was there before. */
  entries(map: YAMLMap, path: string): Entry[] {
    return entriesOf(this.#document, map, path);
  }

  /** The node that stands there, through an alias; nothing for a null. */
  value(node: unknown, path: string): Node | undefined {
    return nodeOf(this.#document, node, path);
  }

  /** The same, silent about an alias that stands for nothing. */
  peek(node: unknown): Node | undefined {
    return present(isAlias(node) ? this.#document.resolve(node) : node);
  }

  /** The known keys of a map, each once. Unknown keys and refused ones become problems. */
  fields(
    map: YAMLMap,
    path: string,
    known: ReadonlyMap<string, string>,
    refused: Refused,
    entries: readonly Entry[] = this.entries(map, path),
  ): Fields {
    const found = new Map<string, Entry>();
    for (const entry of entries) {
      const canonical = canonicalKey(entry.key);
      const key = known.get(canonical);
      const at = joined(path, entry.key);
      const before = key === undefined ? undefined : found.get(key);
      if (before !== undefined) {
        this.problems.add(entry.keyOffset, at, () => {
          const where = this.problems.place(before.keyOffset);
          return `the same as ${keyText(before.key)} at ${where}; expected one of the two`;
        });
      } else if (key !== undefined) {
        found.set(key, entry);
      } else {
        this.problems.add(entry.keyOffset, at, () => unknownKey(entry.key, known, refused));
      }
    }
    return new Fields(this, path, offsetOf(map), found);
  }

  /** The text of a scalar with its variables, read as `kind` says. */
  scalar<T>(node: Node | undefined, offset: number, path: string, kind: ValueKind<T>): T | undefined {
    if (!isText(node, kind.takesBoolean === true)) {
      this.problems.add(offset, path, () => `found ${described(node)}; expected ${kind.expected}`);
      return undefined;
    }
    return this.text(textOf(node), offset, path, kind);
  }

  /** The same for a text that was taken from a scalar: a name that is a key, for instance. */
  text<T>(text: string, offset: number, path: string, kind: ValueKind<T>): T | undefined {
    try {
      const expanded = this.#variables.expand(text);
      return expanded === refusedElsewhere ? undefined : kind.read(expanded);
    } catch (error) {
      if (!(error instanceof Refusal || error instanceof PortwayError)) throw error;
      this.problems.add(offset, path, () => error.message);
      return undefined;
    }
  }
}

/** The known keys of one map. */
export class Fields {
  readonly path: string;
  readonly offset: number;
  readonly #reader: Reader;
  readonly #found: ReadonlyMap<string, Entry>;

  constructor(reader: Reader, path: string, offset: number, found: ReadonlyMap<string, Entry> = new Map()) {
    this.#reader = reader;
    this.path = path;
    this.offset = offset;
    this.#found = found;
  }

  entry(key: string): Entry | undefined {
    return this.#found.get(key);
  }

  /** Nothing if the key is not there or its value was refused. */
  get<T>(key: string, kind: ValueKind<T>): T | undefined {
    const entry = this.#found.get(key);
    if (entry === undefined) return undefined;
    return this.#reader.scalar(entry.value, entry.valueOffset, joined(this.path, entry.key), kind);
  }

  /** Like `get`; a key that is not there is a problem. */
  need<T>(key: string, kind: ValueKind<T>): T | undefined {
    if (this.#found.has(key)) return this.get(key, kind);
    this.#reader.problems.add(
      this.offset,
      this.path,
      () => `\`${key}\` is missing; expected ${kind.expected}`,
    );
    return undefined;
  }
}

/** The pairs of a map, for a document whose variables are not known yet. */
export function entriesOf(document: ConfigDocument, map: YAMLMap, path: string): Entry[] {
  const { problems } = document;
  const seen = new Map<string, number>();
  const entries: Entry[] = [];
  for (const pair of map.items) {
    const keyNode = nodeOf(document, pair.key, path);
    const keyOffset = offsetOf((pair.key as Node | null) ?? map);
    if (!isText(keyNode, true)) {
      problems.add(keyOffset, path, () => `found ${described(keyNode)} as a key; expected a text`);
      continue;
    }
    const key = textOf(keyNode);
    const before = seen.get(key);
    if (before !== undefined) {
      const said = () => `given twice, first at ${problems.place(before)}; expected it once`;
      problems.add(keyOffset, joined(path, key), said);
      continue;
    }
    seen.set(key, keyOffset);
    const valueNode = pair.value as Node | null;
    const value = nodeOf(document, valueNode, joined(path, key));
    entries.push({
      key,
      keyOffset,
      value,
      valueOffset: valueNode === null ? keyOffset : offsetOf(valueNode),
    });
  }
  return entries;
}

function nodeOf(document: ConfigDocument, node: unknown, path: string): Node | undefined {
  if (!isAlias(node)) return present(node);
  const target = document.resolve(node);
  if (target === undefined) {
    const said = () =>
      `no anchor &${node.source} stands before this alias; expected one, or the text in quotes`;
    document.problems.add(offsetOf(node), path, said);
  }
  return present(target);
}

function present(node: unknown): Node | undefined {
  return isScalar(node) && node.value === null ? undefined : ((node as Node | null) ?? undefined);
}

export function joined(path: string, key: string): string {
  return path === "" ? keyText(key) : `${path}.${keyText(key)}`;
}

/** Numbers count as text, as they were written: a port, a name of digits. */
function isText(node: Node | undefined, orBoolean: boolean): node is Scalar {
  if (!isScalar(node)) return false;
  const type = typeof node.value;
  return type === "string" || type === "number" || type === "bigint" || (orBoolean && type === "boolean");
}

/** As written, where YAML would read a number: `007` stays `007`. */
export function textOf(scalar: Scalar): string {
  return typeof scalar.value === "string" ? scalar.value : (scalar.source ?? String(scalar.value));
}

export function described(node: Node | undefined): string {
  if (node === undefined) return "nothing";
  if (isSeq(node)) return "a list";
  if (isMap(node)) return "a map";
  if (!isScalar(node)) return "an alias";
  if (typeof node.value === "boolean") return `the boolean ${node.value}`;
  return typeof node.value === "string" ? `the text ${quoted(node.value)}` : `the number ${textOf(node)}`;
}

function unknownKey(key: string, known: ReadonlyMap<string, string>, refused: Refused): string {
  const canonical = canonicalKey(key);
  if (Object.hasOwn(refused, canonical))
    return `not supported: ${refused[canonical]}; expected it to be left out`;
  const suggestion = closestKey(key, known.keys());
  if (suggestion !== undefined) return `unknown key; expected ${suggestion}?`;
  return `unknown key; expected one of ${[...new Set(known.values())].join(", ")}`;
}
