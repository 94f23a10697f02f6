import type { Sink } from "./io.js";
import type { Style } from "./style.js";

const frames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const frameMs = 100;
const quietMs = 1000;
const clearLine = "\r\u001b[2K";

/** Standard error: warnings, hints, and what is being waited for. Nothing of it but errors under `--quiet`. */
export class Notices {
  readonly #sink: Sink;
  readonly style: Style;
  readonly #quiet: boolean;
  readonly #verbosity: number;

  constructor(sink: Sink, style: Style, options: { readonly quiet: boolean; readonly verbosity: number }) {
    this.#sink = sink;
    this.style = style;
    this.#quiet = options.quiet;
    this.#verbosity = options.verbosity;
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

  /**
   * Waits for `promise`; when that takes longer than a second, `text` is shown: on a terminal with a spinner and the
   * seconds, which vanish at the end, elsewhere as one line.
   */
  async during<T>(text: string, promise: Promise<T>): Promise<T> {
    if (this.#quiet) return await promise;
    const startedMs = performance.now();
    let shown = false;
    let frame = 0;
    const show = (): void => {
      if (!this.#sink.isTerminal) {
        if (!shown) this.#line(`${text}…`);
        shown = true;
        return;
      }
      shown = true;
      const seconds = Math.floor((performance.now() - startedMs) / 1000);
      const mark = frames[frame++ % frames.length]!;
      const room = Math.max((this.#sink.columns ?? 80) - 10, 10);
      const fitting = text.length > room ? `${text.slice(0, room - 1)}…` : text;
      this.#sink.write(`${clearLine}${this.style.cyan(mark)} ${fitting}… ${this.style.dim(`${seconds} s`)}`);
    };
    let interval: NodeJS.Timeout | undefined;
    const first = setTimeout(() => {
      show();
      if (this.#sink.isTerminal) interval = setInterval(show, frameMs);
    }, quietMs);
    try {
      return await promise;
    } finally {
      clearTimeout(first);
      clearInterval(interval);
      if (shown && this.#sink.isTerminal) this.#sink.write(clearLine);
    }
  }

  #line(text: string): void {
    this.#sink.write(`${text}\n`);
  }
}
