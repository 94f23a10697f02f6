import { keyText, quoted, Refusal } from "./problems.js";

/** What one value may grow to, so that variables made of variables can't fill the memory. */
const maxExpandedCharacters = 8_192;

/** How many variables may be made of each other in a row: each one takes some of the stack. */
const maxDepth = 100;

export interface VariableSources {
  /** From `--variable NAME=VALUE`; these win. */
  readonly given: Readonly<Record<string, string>>;
  /** The environment of the process; wins over the file. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** A variable of the file: its text before expansion, and whom to tell what is wrong with it. */
export interface FileVariable {
  readonly text: string;
  readonly refuse: (refusal: Refusal) => void;
}

type Found =
  | { readonly is: "value"; readonly text: string }
  | { readonly is: "expanding" }
  /** It was reported where it is defined. */
  | { readonly is: "refused" };

/** Stands for a value that can't be known because a variable in it was refused elsewhere. */
export const refusedElsewhere = Symbol("refused elsewhere");

/**
 * Puts variables into values: `$NAME`, `${NAME}`, `${NAME:-default}`, and `$$` for a dollar sign. Works on one value at
 * a time after parsing, so what a variable holds never becomes structure.
 */
export class Variables {
  readonly #sources: VariableSources;
  readonly #file: ReadonlyMap<string, FileVariable>;
  readonly #found = new Map<string, Found>();
  #depth = 0;

  constructor(sources: VariableSources, file: ReadonlyMap<string, FileVariable>) {
    this.#sources = sources;
    this.#file = file;
  }

  /** Reports what is wrong with the file's variables, used or not; those that are overridden are not looked at. */
  check(): void {
    for (const name of this.#file.keys()) this.#lookUp(name);
  }

  /** Throws a Refusal for a variable that is not set or empty, and for a `${` that does not end. */
  expand(text: string): string | typeof refusedElsewhere {
    if (!text.includes("$")) return text;
    let refused = false;
    let characters = 0;
    const pattern = /\$(?:\$|\{([^{}$]*)\}|\{|([A-Za-z0-9_]+))/g;
    const expanded = text.replace(
      pattern,
      (all: string, braced: string | undefined, bare: string | undefined) => {
        const value = all === "$$" ? "$" : this.#value(all, braced ?? bare);
        if (value === refusedElsewhere) refused = true;
        else characters += value.length;
        if (characters > maxExpandedCharacters) {
          throw new Refusal(
            `${quoted(text)} is too long with its variables`,
            `at most ${maxExpandedCharacters} characters`,
          );
        }
        return value === refusedElsewhere ? "" : value;
      },
    );
    return refused ? refusedElsewhere : expanded;
  }

  #value(all: string, inside: string | undefined): string | typeof refusedElsewhere {
    const match = /^([A-Za-z0-9_]+)(?::-(.*))?$/s.exec(inside ?? "");
    if (match === null) {
      const said = inside === undefined ? `"$\{" without "}"` : `${quoted(all)} is not a variable`;
      throw new Refusal(said, `$NAME, $\{NAME}, or $$ for a dollar sign`);
    }
    const [, name = "", fallback] = match;
    const value = this.#lookUp(name);
    if (value !== undefined && value !== "") return value;
    if (fallback !== undefined) return fallback;
    if (value === "") throw new Refusal(emptyValue(name), "a text, or no such variable");
    const expected = `--variable ${name}=VALUE, the environment or the file's \`variables\` to set it`;
    throw new Refusal(`the variable '${keyText(name)}' is not set`, expected);
  }

  /** Nothing if the variable is set nowhere; the empty text only from the environment. */
  #lookUp(name: string): string | typeof refusedElsewhere | undefined {
    const { given, environment } = this.#sources;
    if (Object.hasOwn(given, name)) return given[name] === "" ? refusedElsewhere : given[name];
    const fromEnvironment = Object.hasOwn(environment, name) ? environment[name] : undefined;
    if (fromEnvironment !== undefined) return fromEnvironment;
    const variable = this.#file.get(name);
    if (variable === undefined) return undefined;
    const found = this.#found.get(name);
    if (found?.is === "expanding")
      throw new Refusal(`the variable '${name}' is made of itself`, "a text without it");
    if (found !== undefined) return found.is === "value" ? found.text : refusedElsewhere;
    this.#found.set(name, { is: "expanding" });
    this.#depth += 1;
    try {
      if (this.#depth > maxDepth) {
        throw new Refusal(
          `the variable '${name}' is too deep in others`,
          `at most ${maxDepth} made of each other`,
        );
      }
      const text = this.expand(variable.text);
      if (text === "") throw new Refusal(emptyValue(name), "a text, or no such variable");
      this.#found.set(name, text === refusedElsewhere ? { is: "refused" } : { is: "value", text });
      return text;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#found.set(name, { is: "refused" });
      variable.refuse(error);
      return refusedElsewhere;
    } finally {
      this.#depth -= 1;
    }
  }
}

export function emptyValue(name: string): string {
  return `Empty value for variable '${name}'`;
}
