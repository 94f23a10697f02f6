import type { Sink } from "./io.js";
import type { Style } from "./style.js";

const frames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const frameMs = 100;
const quietMs = 1000;
const clearLine = "\r\u001b[2K";

interface Wait {
  readonly text: string;
  readonly startedMs: number;
  /** It gives way to any that is not. */
  readonly isGeneral: boolean;
  isLong: boolean;
}

/**
 * Shows what has been waited for longer than a second: where a line can be written over (`redraws`) with a spinner and
 * the seconds, which vanish at the end, elsewhere as one line. Of what is waited for at the same time one is shown, the
 * oldest that is not general.
 */
export class Waits {
  readonly #sink: Sink;
  readonly #style: Style;
  readonly #redraws: boolean;
  /** Oldest first. */
  readonly #underWay = new Set<Wait>();
  /** The lines that were written since something is under way. */
  readonly #told = new Set<string>();
  #frame = 0;
  #isDrawn = false;
  #redrawing: NodeJS.Timeout | undefined;

  constructor(sink: Sink, style: Style, redraws: boolean) {
    this.#sink = sink;
    this.#style = style;
    this.#redraws = redraws;
  }

  async during<T>(text: string, promise: Promise<T>, { isGeneral = false } = {}): Promise<T> {
    const wait: Wait = { text, isGeneral, startedMs: performance.now(), isLong: false };
    this.#underWay.add(wait);
    const timer = setTimeout(() => {
      wait.isLong = true;
      this.#show();
    }, quietMs);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#underWay.delete(wait);
      if (wait.isLong) this.#show();
      if (this.#underWay.size === 0) this.#told.clear();
    }
  }

  /** Clears the line for another text; what is waited for is drawn again below that. */
  wipe(): void {
    if (this.#isDrawn) this.#sink.write(clearLine);
    this.#isDrawn = false;
  }

  #show(): void {
    const waits = [...this.#underWay];
    const wait = waits.find(({ isGeneral }) => !isGeneral) ?? waits[0];
    if (wait?.isLong !== true) this.#hide();
    else if (this.#redraws) this.#draw(wait);
    else if (!this.#told.has(wait.text)) {
      this.#told.add(wait.text);
      this.#sink.write(`${wait.text}…\n`);
    }
  }

  #draw({ text, startedMs }: Wait): void {
    this.#redrawing ??= setInterval(() => this.#show(), frameMs);
    const seconds = Math.floor((performance.now() - startedMs) / 1000);
    const mark = frames[this.#frame++ % frames.length]!;
    const room = Math.max((this.#sink.columns ?? 80) - 10, 10);
    const fitting = text.length > room ? `${text.slice(0, room - 1)}…` : text;
    this.#sink.write(`${clearLine}${this.#style.cyan(mark)} ${fitting}… ${this.#style.dim(`${seconds} s`)}`);
    this.#isDrawn = true;
  }

  #hide(): void {
    clearInterval(this.#redrawing);
    this.#redrawing = undefined;
    this.wipe();
  }
}
