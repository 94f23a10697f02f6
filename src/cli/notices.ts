import type { Sink } from "./io.js";
import type { Style } from "./style.js";
import { Waits } from "./waits.js";

interface NoticesOptions {
  readonly quiet: boolean;
  readonly verbosity: number;
  /** A line of the sink can be written over. */
  readonly redraws: boolean;
}

/** Standard error: warnings, hints, and what is being waited for. Nothing of it but errors under `--quiet`. */
export class Notices {
  readonly #sink: Sink;
  readonly style: Style;
  readonly #quiet: boolean;
  readonly #verbosity: number;
  readonly #waits: Waits;

  constructor(sink: Sink, style: Style, { quiet, verbosity, redraws }: NoticesOptions) {
    this.#sink = sink;
    this.style = style;
    this.#quiet = quiet;
    this.#verbosity = verbosity;
    this.#waits = new Waits(sink, style, redraws);
  }

  /** Something that a person should know although the command succeeds. */
  warn(text: string): void {
    if (!this.#quiet) this.#line(`${this.style.yellow("!")} ${text}`);
  }

  /** What happened or what could be done next. */
  info(text: string): void {
    if (!this.#quiet) this.#line(text);
  }

  /** For `-v` (level 1), `-vv` and `-vvv`. */
  trace(level: number, text: string): void {
    if (!this.#quiet && this.#verbosity >= level) this.#line(this.style.dim(text));
  }

  /** Is shown under `--quiet` as well. */
  error(text: string): void {
    this.#line(text);
  }

  /** Waits for `promise`; when that takes longer than a second, `text` is shown. */
  async during<T>(text: string, promise: Promise<T>): Promise<T> {
    return await (this.#quiet ? promise : this.#waits.during(text, promise));
  }

  /** The same for a call of the API, of which `during` often has more to say. */
  async calling<T>(promise: Promise<T>): Promise<T> {
    const text = "Waiting for the daemon's answer";
    return await (this.#quiet ? promise : this.#waits.during(text, promise, { isGeneral: true }));
  }

  #line(text: string): void {
    this.#waits.wipe();
    this.#sink.write(`${text}\n`);
  }
}
