import { PortwayError } from "../base/errors.js";
import type { Io } from "./io.js";
import type { Style } from "./style.js";

const maxAttempts = 3;

/** Asks a person, on standard error, and reads the answer from standard input. Only where both are terminals. */
export class Prompt {
  readonly #io: Io;
  readonly #style: Style;
  readonly #allowed: boolean;

  constructor(io: Io, style: Style, allowed: boolean) {
    this.#io = io;
    this.#style = style;
    this.#allowed = allowed;
  }

  /** False in a pipe, and where the person asked for no questions: never ask then. */
  get canAsk(): boolean {
    return this.#allowed && this.#io.stdin.isTerminal && this.#io.stderr.isTerminal;
  }

  /** True for y or yes; anything else, the end of input included, is a no. */
  async confirm(question: string): Promise<boolean> {
    this.#io.stderr.write(`${this.#style.bold(question)} [y/N] `);
    const answer = await this.#answer();
    return /^\s*y(es)?\s*$/i.test(answer ?? "");
  }

  /**
   * Lets a person choose of numbered `items`, by number or name: one, or with `several` some, separated by commas or
   * spaces, or `all`. Throws `canceled` at an empty answer, `bad_argument` after three bad ones.
   */
  async choose(
    question: string,
    items: readonly string[],
    options: { readonly several: boolean },
  ): Promise<string[]> {
    const width = String(items.length).length;
    for (const [index, item] of items.entries()) {
      this.#io.stderr.write(`  ${this.#style.cyan(String(index + 1).padStart(width))}) ${item}\n`);
    }
    const how = options.several ? "numbers or names, or all" : "number or name";
    for (let attempt = 0; attempt < maxAttempts; attempt += 1) {
      this.#io.stderr.write(`${this.#style.bold(question)} (${how}) `);
      const answer = (await this.#answer())?.trim();
      if (answer === undefined || answer === "") break;
      const chosen = choice(answer, items, options.several);
      if (chosen !== undefined) return chosen;
      this.#io.stderr.write(`"${answer}" is none of these.\n`);
    }
    throw new PortwayError("canceled", "nothing was chosen");
  }

  /** At the end of input the cursor still stands behind the question. */
  async #answer(): Promise<string | undefined> {
    const answer = await this.#io.stdin.readLine();
    if (answer === undefined) this.#io.stderr.write("\n");
    return answer;
  }
}

function choice(answer: string, items: readonly string[], several: boolean): string[] | undefined {
  if (several && answer === "all") return [...items];
  const words = answer.split(/[\s,]+/).filter((word) => word !== "");
  if (!several && words.length !== 1) return undefined;
  const chosen = words.map((word) => items.find((item) => item === word) ?? items[numberIn(word)]);
  return chosen.includes(undefined) ? undefined : [...new Set(chosen as string[])];
}

function numberIn(word: string): number {
  return /^\d{1,6}$/.test(word) ? Number(word) - 1 : -1;
}
