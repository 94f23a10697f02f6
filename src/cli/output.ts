import { PortwayError } from "../base/errors.js";
import type { Sink } from "./io.js";
import type { Style } from "./style.js";

/** What a command has to say, in the forms it has. */
export interface Forms {
  /** For a person; lines without a newline at the end. */
  readonly plain: (style: Style) => string | Promise<string>;
  /** What a script would want: a name, an address. */
  readonly machine?: string;
  /** Plain values, keys in alphabetical order; called only if JSON is what is printed. */
  readonly json?: () => unknown;
}

export interface OutputOptions {
  readonly format: "plain" | "json";
  readonly jq?: string;
  readonly compact: boolean;
}

/** Standard output. */
export class Output {
  readonly #sink: Sink;
  readonly #style: Style;
  readonly #options: OutputOptions;

  constructor(sink: Sink, style: Style, options: OutputOptions) {
    this.#sink = sink;
    this.#style = style;
    this.#options = options;
  }

  /** False if JSON was asked for or a program reads: then texts for people do not belong on standard output. */
  get isForPeople(): boolean {
    return this.#sink.isTerminal && !this.#isJson;
  }

  /** Throws for a `--jq` that is no query: that is to be known before a command does anything. */
  async checkQuery(): Promise<void> {
    const { jq } = this.#options;
    if (jq !== undefined) await queried("", jq, []);
  }

  get #isJson(): boolean {
    const { format, jq, compact } = this.#options;
    return format === "json" || jq !== undefined || compact;
  }

  /**
   * Prints one form: JSON if that was asked for; else on a terminal plain, and elsewhere the machine form, or JSON,
   * or plain, whichever there is first. A newline follows on a terminal only, so that `$(…)` and `xargs` get the bare
   * value and the bytes are those of `ockam`.
   */
  async print(forms: Forms): Promise<void> {
    const text = await this.#choose(forms);
    if (text !== "") this.#sink.write(this.#sink.isTerminal ? `${text}\n` : text);
  }

  /** Writes `text` as it is. */
  write(text: string): void {
    this.#sink.write(text);
  }

  async #choose(forms: Forms): Promise<string> {
    if (this.#isJson) return forms.json === undefined ? "" : await this.#json(await forms.json());
    if (this.#sink.isTerminal) return await forms.plain(this.#style);
    if (forms.machine !== undefined) return forms.machine;
    return forms.json === undefined ? await forms.plain(this.#style) : await this.#json(await forms.json());
  }

  async #json(value: unknown): Promise<string> {
    const { jq, compact } = this.#options;
    if (jq !== undefined) return await query(value, jq, compact);
    return compact ? JSON.stringify(value) : JSON.stringify(value, null, 2);
  }
}

async function query(value: unknown, filter: string, compact: boolean): Promise<string> {
  const stdout = await queried(value as object | null, filter, compact ? ["-c"] : []);
  return stdout.replace(/\n$/, "");
}

/** jq itself, compiled to WebAssembly, loaded when it is asked for. Of an empty text it only compiles the filter. */
async function queried(value: object | string | null, filter: string, flags: string[]): Promise<string> {
  const { raw } = await import("jq-wasm");
  const { stdout, stderr, exitCode } = await raw(value, filter, flags);
  if (exitCode === 0) return stdout;
  const problem = stderr.trim().replace(/^jq: (error: )?/, "");
  throw new PortwayError("bad_argument", `--jq: ${problem.replace(/\s*\n\s*/g, " ")}`, { filter });
}
