import type { LogLines } from "../base/pino-log.js";

/** What waits for a reader of standard output at most; more is dropped and counted. */
const maxQueuedBytes = 1024 * 1024;

/**
 * Log lines to standard output. A reader that is slow or stopped (`| less`, a journal that restarts) must not stop the
 * daemon, nor fill its memory: what does not fit is dropped and told of when there is room again. A reader that is gone
 * is no failure, the files have the lines as well.
 */
export class StdoutLines implements LogLines {
  readonly #stream: NodeJS.WriteStream;
  #dropped = 0;
  #isGone = false;

  constructor(stream: NodeJS.WriteStream = process.stdout) {
    this.#stream = stream;
    stream.on("error", () => {
      this.#isGone = true;
    });
  }

  write(line: string): void {
    if (this.#isGone) return;
    if (this.#stream.writableLength >= maxQueuedBytes) {
      this.#dropped += 1;
      return;
    }
    if (this.#dropped > 0) {
      const told = { level: "warn", time: new Date().toISOString(), event: "log.lost", lines: this.#dropped };
      this.#dropped = 0;
      this.#stream.write(`${JSON.stringify(told)}\n`);
    }
    this.#stream.write(line);
  }

  /** Waits until what was written has left, at most `timeoutMs`. */
  flush(timeoutMs: number): Promise<void> {
    if (this.#isGone || this.#stream.writableLength === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#stream.write("", () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}
