import { CST, Lexer } from "yaml";

/** What a configuration may hold. Far above what a person writes, far below what hurts. */
const limits = {
  tokens: 100_000,
  depth: 32,
  aliases: 64,
  valueCharacters: 8_192,
  escapes: 10_000,
} as const;

export interface Excess {
  readonly offset: number;
  readonly what: string;
}

/**
 * The first thing in a text that no configuration needs and that could cost its reader time or stack without bound:
 * found with the lexer alone, whose work grows with the text.
 */
export function findExcess(text: string): Excess | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones that a YAML text can't hold
  const control = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/.exec(text);
  if (control !== null) {
    const code = control[0].charCodeAt(0).toString(16).padStart(2, "0");
    return { offset: control.index, what: `holds the control character 0x${code}; expected text` };
  }
  const counts = new Counts();
  let offset = 0;
  let plainNext = false;
  for (const token of new Lexer().lex(text)) {
    const type: CST.TokenType | null = plainNext ? "scalar" : CST.tokenType(token);
    if (!plainNext && (type === "doc-mode" || type === "scalar" || type === "flow-error-end")) {
      plainNext = type === "scalar";
      continue; // marks that the lexer adds: they are no part of the text
    }
    plainNext = false;
    const what = counts.take(type, token);
    if (what !== undefined) return { offset, what };
    offset += token.length;
  }
  return undefined;
}

class Counts {
  readonly #depth = new Depth();
  #tokens = 0;
  #aliases = 0;
  #escapes = 0;

  /** What is too much with this token, if anything. */
  take(type: CST.TokenType | null, token: string): string | undefined {
    this.#tokens += 1;
    if (this.#tokens > limits.tokens) return `too much; expected at most ${limits.tokens} words and signs`;
    const depth = this.#depth.take(type, token);
    if (depth > limits.depth) {
      return `nested too deep; expected at most ${limits.depth} lists and maps inside each other`;
    }
    switch (type) {
      case "tag":
        return "tags are not supported; expected plain values, lists and maps";
      case "directive-line":
        return "directives are not supported; expected the text to begin with a key";
      case "anchor":
      case "alias":
        this.#aliases += 1;
        if (this.#aliases <= limits.aliases) return undefined;
        return `too many anchors and aliases; expected at most ${limits.aliases}`;
      case "scalar":
      case "single-quoted-scalar":
      case "double-quoted-scalar":
        if (token.length > limits.valueCharacters) {
          return `a value is too long; expected at most ${limits.valueCharacters} characters`;
        }
        if (type === "double-quoted-scalar") this.#escapes += token.split("\\").length - 1;
        if (this.#escapes <= limits.escapes) return undefined;
        return `too many escapes; expected at most ${limits.escapes} in all`;
      default:
        return undefined;
    }
  }
}

/** Follows how deep lists and maps are inside each other; may count too much by a little, never too little. */
class Depth {
  readonly #indents: number[] = [];
  #flow = 0;
  #indent = 0;
  #lineBegins = true;
  #signsOnLine = 0;

  /** The depth after a token. */
  take(type: CST.TokenType | null, token: string): number {
    switch (type) {
      case "newline":
        this.#lineBegins = true;
        this.#indent = 0;
        this.#signsOnLine = 0;
        break;
      case "space":
        if (this.#lineBegins) this.#indent += token.length;
        break;
      case "comment":
      case "byte-order-mark":
        break;
      case "flow-map-start":
      case "flow-seq-start":
        this.content();
        this.#flow += 1;
        break;
      case "flow-map-end":
      case "flow-seq-end":
        this.#flow = Math.max(0, this.#flow - 1);
        break;
      case "seq-item-ind":
      case "explicit-key-ind":
      case "map-value-ind":
        this.content();
        if (this.#flow === 0) this.#signsOnLine += 1;
        break;
      default:
        this.content();
    }
    return this.#indents.length + this.#flow + (this.#flow > 0 ? 0 : this.#signsOnLine);
  }

  /** Something other than space stands on this line. */
  content(): void {
    if (!this.#lineBegins) return;
    this.#lineBegins = false;
    if (this.#flow > 0) return;
    while ((this.#indents.at(-1) ?? -1) >= this.#indent) this.#indents.pop();
    this.#indents.push(this.#indent);
  }
}
