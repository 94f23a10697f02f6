import { isMap, isScalar, isSeq, type Node } from "yaml";
import { offsetOf } from "./document.js";
import { canonicalKey, type Refused } from "./keys.js";
import { described, type Entry, Fields, joined, type Reader, textOf } from "./reader.js";

/** Bounds the work for one text: aliases can name one list of resources many times. */
const maxResources = 1_000;

/** What a section of the configuration holds: relays, inlets or outlets. */
export interface SectionKind {
  /** For people: "relay". */
  readonly noun: string;
  /** Every spelling of a flag, and the flag. */
  readonly known: ReadonlyMap<string, string>;
  readonly refused: Refused;
}

/** One resource of a section. */
export interface Found {
  readonly fields: Fields;
  /** The name that it stands under, before variables. */
  readonly name?: { readonly text: string; readonly offset: number };
}

/**
 * The resources of a section, in the order of the text. A section is one name, the flags of one resource, names with
 * flags, or a list of these.
 */
export function readSection(reader: Reader, section: Entry, kind: SectionKind): Found[] {
  const found: Found[] = [];
  const path = joined("", section.key);
  const { value } = section;
  if (value === undefined) return found; // a section whose entries are all commented out
  if (!isSeq(value)) readItem(reader, value, section.valueOffset, path, kind, found);
  else {
    for (const [index, item] of value.items.entries()) {
      const at = `${path}[${index}]`;
      const offset = offsetOf((item as Node | null) ?? value);
      readItem(reader, reader.value(item, at), offset, at, kind, found);
      if (found.length > maxResources) break;
    }
  }
  if (found.length > maxResources) {
    const said = () => `holds too many entries; expected at most ${maxResources}`;
    reader.problems.add(section.keyOffset, path, said);
    found.length = 0;
  }
  return found;
}

function readItem(
  reader: Reader,
  node: Node | undefined,
  offset: number,
  path: string,
  kind: SectionKind,
  found: Found[],
): void {
  if (isMap(node)) {
    const names = namesOf(reader, node.items, kind);
    if (!names) {
      if (node.items.length > 0) found.push({ fields: reader.fields(node, path, kind.known, kind.refused) });
      return;
    }
    for (const entry of reader.entries(node, path)) {
      const at = joined(path, entry.key);
      const name = { text: entry.key, offset: entry.keyOffset };
      if (isMap(entry.value)) {
        found.push({ name, fields: reader.fields(entry.value, at, kind.known, kind.refused) });
      } else if (entry.value === undefined) {
        found.push({ name, fields: new Fields(reader, at, entry.keyOffset) });
      } else {
        const said = () =>
          `found ${described(entry.value)}; expected the flags of this ${kind.noun} as a map`;
        reader.problems.add(entry.valueOffset, at, said);
      }
    }
    return;
  }
  if (isScalar(node) && typeof node.value !== "boolean") {
    found.push({ name: { text: textOf(node), offset }, fields: new Fields(reader, path, offset) });
    return;
  }
  const expected = `a name, the flags of one ${kind.noun}, names with flags, or a list of these`;
  reader.problems.add(offset, path, () => `found ${described(node)}; expected ${expected}`);
}

/**
 * Whether a map's keys are names of resources, not flags: its values are maps, and no flag among its keys has a value
 * of another kind; or nothing has a value, and not every key is a flag.
 */
function namesOf(
  reader: Reader,
  items: readonly { key: unknown; value: unknown }[],
  kind: SectionKind,
): boolean {
  let maps = 0;
  let values = 0;
  let flags = 0;
  let flagsWithPlainValue = 0;
  for (const { key, value } of items) {
    const node = reader.peek(value);
    const isFlag = isScalar(key) && isFlagKey(textOf(key), kind);
    if (isFlag) flags += 1;
    if (node === undefined) continue;
    values += 1;
    if (isMap(node)) maps += 1;
    else if (isFlag) flagsWithPlainValue += 1;
  }
  if (values === 0) return flags < items.length;
  return maps > 0 && flagsWithPlainValue === 0;
}

function isFlagKey(text: string, kind: SectionKind): boolean {
  const key = canonicalKey(text);
  return kind.known.has(key) || Object.hasOwn(kind.refused, key);
}
