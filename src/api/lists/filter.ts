import { type DescMessage, fromJson, type Message } from "@bufbuild/protobuf";
import { DurationSchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { PortwayError } from "../../base/errors.js";
import { type Comparable, type FieldPath, findField, type Leaf, nanosIn } from "./field-path.js";

/** Whether an item of a list is shown. */
export type Filter = (item: Message) => boolean;

/**
 * The filter that `text` says about items of `type`, in the part of the language of AIP-160 (https://google.aip.dev/160)
 * that the comment of NodeService tells. Throws `bad_argument` with the place of what is wrong.
 */
export function compileFilter(text: string, type: DescMessage): Filter {
  const parts = partsOf(text);
  return parts.length === 1 ? () => true : new FilterReader(parts, type).read();
}

/** Parentheses in each other. */
const maxDepth = 16;

type Kind = "quoted" | "comparator" | "parenthesis" | "word" | "end";

interface Part {
  readonly kind: Kind;
  /** Without its quotes. */
  readonly text: string;
  /** The place of its first character, from 0. */
  readonly at: number;
}

const partPattern =
  /(?:"(?<double>(?:[^"\\]|\\.)*)"|'(?<single>(?:[^'\\]|\\.)*)'|(?<comparator>[<>!]=|[=<>:])|(?<parenthesis>[()])|(?<word>[^\s()"'=<>!:]+))\s*/suy;

/** The last one is the end. */
function partsOf(text: string): Part[] {
  const parts: Part[] = [];
  let at = text.length - text.trimStart().length;
  while (at < text.length) {
    partPattern.lastIndex = at;
    const groups = partPattern.exec(text)?.groups;
    if (groups === undefined)
      throw wrongAt(
        at,
        text[at] === "!" ? 'expected "=" behind "!"' : `expected a second ${text[at]!} behind this one`,
      );
    const { double, single = double, comparator, parenthesis, word } = groups;
    if (single !== undefined) parts.push({ kind: "quoted", text: single, at });
    else if (comparator !== undefined) parts.push({ kind: "comparator", text: comparator, at });
    else if (parenthesis !== undefined) parts.push({ kind: "parenthesis", text: parenthesis, at });
    else parts.push({ kind: "word", text: word!, at });
    at = partPattern.lastIndex;
  }
  return [...parts, { kind: "end", text: "", at }];
}

class FilterReader {
  readonly #parts: readonly Part[];
  readonly #type: DescMessage;
  #read = 0;
  #depth = 0;

  constructor(parts: readonly Part[], type: DescMessage) {
    this.#parts = parts;
    this.#type = type;
  }

  read(): Filter {
    const filter = this.#all();
    this.#take("end", "AND, OR or the end");
    return filter;
  }

  /** OR binds closer than AND. */
  #all(): Filter {
    const filters = [this.#any()];
    while (this.#skips("AND")) filters.push(this.#any());
    return filters.length === 1 ? filters[0]! : (item) => filters.every((filter) => filter(item));
  }

  #any(): Filter {
    const filters = [this.#term()];
    while (this.#skips("OR")) filters.push(this.#term());
    return filters.length === 1 ? filters[0]! : (item) => filters.some((filter) => filter(item));
  }

  #term(): Filter {
    if (this.#skips("NOT")) {
      const filter = this.#simple();
      return (item) => !filter(item);
    }
    return this.#simple();
  }

  #simple(): Filter {
    const { at } = this.#next;
    if (!this.#skips("(")) return this.#comparison();
    this.#depth += 1;
    if (this.#depth > maxDepth) throw wrongAt(at, `expected at most ${maxDepth} parentheses in each other`);
    const filter = this.#all();
    this.#take("parenthesis", 'AND, OR or ")"', ")");
    this.#depth -= 1;
    return filter;
  }

  #comparison(): Filter {
    const name = this.#take("word", 'the name of a field, NOT or "("');
    const path = findField(name.text, this.#type, (problem) => wrongAt(name.at, problem));
    const comparator = this.#take("comparator", `one of ${comparators} behind ${JSON.stringify(name.text)}`);
    const value = this.#take(this.#next.kind === "quoted" ? "quoted" : "word", "a value");
    const test = testOf(path, comparator, value);
    return (item) => path.some(item, test);
  }

  get #next(): Part {
    return this.#parts[this.#read]!;
  }

  /** Goes behind the next part if that is this word or parenthesis. */
  #skips(text: string): boolean {
    const isNext = this.#next.text === text && this.#next.kind !== "quoted";
    if (isNext) this.#read += 1;
    return isNext;
  }

  #take(kind: Kind, expected: string, text?: string): Part {
    const part = this.#next;
    if (part.kind !== kind || (text !== undefined && part.text !== text)) {
      const found = part.kind === "end" ? "the end" : JSON.stringify(part.text);
      throw wrongAt(part.at, `expected ${expected}, found ${found}`);
    }
    this.#read += 1;
    return part;
  }
}

type Test = (value: Comparable) => boolean;

const comparisons: Readonly<Record<string, (value: Comparable, wanted: Comparable) => boolean>> = {
  "=": (value, wanted) => value === wanted,
  "!=": (value, wanted) => value !== wanted,
  "<": (value, wanted) => value < wanted,
  "<=": (value, wanted) => value <= wanted,
  ">": (value, wanted) => value > wanted,
  ">=": (value, wanted) => value >= wanted,
  ":": (value, wanted) => value === wanted,
};
const comparators = Object.keys(comparisons).join(" ");

function testOf(path: FieldPath, { text: comparator, at }: Part, value: Part): Test {
  const { leaf, isMany, hasDefault } = path;
  const refuse = (problem: string) => wrongAt(at, `${JSON.stringify(path.text)} ${problem}`);
  if (comparator === ":" && value.kind === "word" && value.text === "*") {
    return hasDefault ? (found) => found !== "" && found !== 0n && found !== false : () => true;
  }
  if (leaf.kind === "message") throw refuse('has fields of its own; expected one of them, or ":*" behind it');
  if (isMany && comparator !== ":") throw refuse('may have several values; expected ":" behind it');
  const isOrder = comparator.startsWith("<") || comparator.startsWith(">");
  if (isOrder && (leaf.kind === "truth" || leaf.kind === "choice")) {
    throw refuse("has no order; expected = or != behind it");
  }
  if (leaf.kind === "text" && !isOrder) return textTest(comparator, value.text);
  const compare = comparisons[comparator]!;
  const wanted = leaf.kind === "text" ? unescaped(value.text) : valueIn(leaf, value);
  return (found) => compare(found, wanted);
}

/** A text with something else than itself at its ends: `*` there stands for anything. */
function textTest(comparator: string, pattern: string): Test {
  const [, before, body, behind] = /^(\*?)((?:\\.|[^\\]|\\$)*?)(\*?)$/su.exec(pattern)!;
  const text = unescaped(body!);
  if (comparator === ":") return (found) => (found as string).includes(text);
  const matches = (found: string): boolean => {
    if (before !== "" && behind !== "") return found.includes(text);
    if (before !== "") return found.endsWith(text);
    return behind !== "" ? found.startsWith(text) : found === text;
  };
  return comparator === "=" ? (found) => matches(found as string) : (found) => !matches(found as string);
}

function unescaped(text: string): string {
  return text.replaceAll(/\\(.)/gsu, "$1");
}

function valueIn(leaf: Leaf, { text, at }: Part): Comparable {
  const expected = (what: string) => wrongAt(at, `expected ${what}, found ${JSON.stringify(text)}`);
  switch (leaf.kind) {
    case "truth":
      if (text !== "true" && text !== "false") throw expected("true or false");
      return text === "true";
    case "choice": {
      const { values } = leaf.choices;
      const choice = values.find(({ name }) => name === text);
      if (choice === undefined) throw expected(`one of ${values.map(({ name }) => name).join(", ")}`);
      return BigInt(choice.number);
    }
    case "time":
      try {
        return nanosIn(fromJson(TimestampSchema, text));
      } catch {
        throw expected('a time in quotes, such as "2030-01-31T12:00:00Z"');
      }
    case "duration":
      try {
        return nanosIn(fromJson(DurationSchema, text));
      } catch {
        throw expected("a duration in seconds, such as 1.5s");
      }
    default:
      if (!/^-?\d{1,20}$/.test(text)) throw expected("a whole number");
      return BigInt(text);
  }
}

function wrongAt(at: number, problem: string): PortwayError {
  return new PortwayError("bad_argument", `the filter is wrong at character ${at + 1}: ${problem}`, {
    field: "filter",
  });
}
