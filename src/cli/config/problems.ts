import type { LineCounter } from "yaml";
import { PortwayError } from "../../base/errors.js";

/** How many problems are written out. The rest are counted. */
const maxShown = 50;
const maxQuotedCharacters = 60;
const maxSaidCharacters = 600;

interface Problem {
  readonly offset: number;
  readonly line: string;
}

/** What is wrong with one value: `wrong` says what was there, `expected` what belongs there. */
export class Refusal extends Error {
  override name = "Refusal";

  constructor(wrong: string, expected?: string) {
    super(expected === undefined ? wrong : `${wrong}; expected ${expected}`);
  }
}

/** Collects everything that is wrong with one text, to report it at once and in the order of the text. */
export class Problems {
  readonly #source: string;
  readonly #lines: LineCounter;
  readonly #found: Problem[] = [];
  #count = 0;

  constructor(source: string, lines: LineCounter) {
    this.#source = source;
    this.#lines = lines;
  }

  /** `source:line:column` of an offset into the text. */
  place(offset: number): string {
    const { line, col } = this.#lines.linePos(offset);
    return `${this.#source}:${Math.max(line, 1)}:${Math.max(col, 1)}`;
  }

  /** `key` is the path to the value, empty for the whole text; `what` is not called once enough was found. */
  add(offset: number, key: string, what: () => string): void {
    this.#count += 1;
    if (this.#found.length >= maxShown) return;
    const said = oneLine(what());
    this.#found.push({ offset, line: `${this.place(offset)}: ${key === "" ? "" : `${key}: `}${said}` });
  }

  /** A problem of something that was given beside the text. */
  addOutside(what: string): void {
    this.#count += 1;
    if (this.#found.length < maxShown) this.#found.push({ offset: -1, line: oneLine(what) });
  }

  /** Throws `bad_argument`, one problem a line, if there are any. */
  throwIfAny(): void {
    if (this.#count === 0) return;
    const shown = this.#found.sort((a, b) => a.offset - b.offset).map(({ line }) => line);
    if (this.#count > shown.length)
      shown.push(`${this.#source}: and ${this.#count - shown.length} more problems`);
    throw new PortwayError("bad_argument", shown.join("\n"), { source: this.#source, problems: this.#count });
  }
}

/** A text between quotes, cut where it gets long. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > maxQuotedCharacters ? `${text.slice(0, maxQuotedCharacters)}…` : text);
}

/** A key as it stands in a path: quoted unless it is a plain word. */
export function keyText(key: string): string {
  return /^[\w$.{}-]{1,60}$/.test(key) ? key : oneLine(quoted(key));
}

/** Safe for a terminal, and no longer than a line may be: values of the text stand in it. */
function oneLine(text: string): string {
  const cut = text.length > maxSaidCharacters ? `${text.slice(0, maxSaidCharacters)}…` : text;
  return cut.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}
