import { isatty, type ReadStream } from "node:tty";
import { PortwayError } from "../base/errors.js";
import { homeAt } from "../home/home.js";
import type { Connection, ConnectOptions, DaemonStart, Io, ServeCommandOptions, Sink, Source } from "./io.js";
import { handleOutputFailure } from "./output-failure.js";
import { accepts } from "./socket-probe.js";

export interface ProcessIoOptions {
  readonly serve: (options: ServeCommandOptions) => Promise<number>;
}

/** The streams, the environment and the daemon of this process. */
export function createProcessIo({ serve }: ProcessIoOptions): Io {
  // The log files of a daemon have what it says.
  let isDaemon = false;
  handleOutputFailure(process.stdout, () => !isDaemon);
  handleOutputFailure(process.stderr);
  return {
    stdout: sink(process.stdout),
    stderr: sink(process.stderr),
    stdin: new StandardInput(),
    env: process.env,
    connect,
    async serve(options) {
      isDaemon = true;
      return await serve(options);
    },
    interruption,
  };
}

/** What starts a daemon is loaded only when none answers. */
async function connect({ home, mayStart }: ConnectOptions): Promise<Connection> {
  const [{ createPortwayClient }, isRunning] = await Promise.all([
    import("../client/node-client.js"),
    accepts(homeAt(home).socketPath),
  ]);
  const started = isRunning ? {} : await start({ home, mayStart });
  const client = createPortwayClient({ socketPath: homeAt(home).socketPath });
  return {
    client,
    ...started,
    [Symbol.dispose]: () => client[Symbol.dispose](),
  };
}

async function start({ home, mayStart }: ConnectOptions): Promise<DaemonStart> {
  const { ensureDaemon } = await import("./daemon-start.js");
  return await ensureDaemon({ home, mayStart, env: process.env });
}

function sink(stream: NodeJS.WriteStream): Sink {
  return {
    isTerminal: stream.isTTY === true,
    get columns() {
      // A terminal that does not know its size says 0.
      return stream.isTTY && stream.columns > 0 ? stream.columns : undefined;
    },
    write: (text) => void stream.write(text),
  };
}

const maxLineBytes = 64 * 1024;

/** Standard input, which is touched only when something is read from it: then it must not keep the process alive. */
class StandardInput implements Source {
  readonly isTerminal = isatty(0);
  #text = "";
  #hasEnded = false;

  async readLine(): Promise<string | undefined> {
    for (;;) {
      const end = this.#text.indexOf("\n");
      if (end >= 0 || (this.#hasEnded && this.#text !== "")) {
        const line = end >= 0 ? this.#text.slice(0, end) : this.#text;
        this.#text = end >= 0 ? this.#text.slice(end + 1) : "";
        return line.replace(/\r$/, "");
      }
      if (this.#hasEnded) return undefined;
      if (this.#text.length > maxLineBytes) {
        const message = `a line of standard input has more than ${maxLineBytes} bytes`;
        throw new PortwayError("bad_argument", message, { maxLineBytes });
      }
      const chunk = await this.#read();
      if (chunk === undefined) this.#hasEnded = true;
      else this.#text += chunk;
    }
  }

  async end(): Promise<void> {
    // A file has no such method: it ends by itself.
    (process.stdin as Partial<ReadStream>).unref?.();
    while ((await this.#read()) !== undefined);
  }

  /** The next chunk; undefined at the end. Between reads the stream is paused and does not hold the process. */
  #read(): Promise<string | undefined> {
    const { stdin } = process as { stdin: ReadStream };
    if (stdin.readableEnded || stdin.destroyed) return Promise.resolve(undefined);
    stdin.setEncoding("utf8");
    return new Promise((resolve) => {
      const done = (chunk: string | undefined): void => {
        stdin.off("data", done).off("end", ended).off("error", ended);
        stdin.pause();
        resolve(chunk);
      };
      const ended = (): void => done(undefined);
      stdin.on("data", done).on("end", ended).on("error", ended);
      stdin.resume();
    });
  }
}

function interruption(): AbortSignal {
  const controller = new AbortController();
  const names = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  const listener = (name: NodeJS.Signals): void => {
    // A second one ends the process in the ordinary way.
    for (const each of names) process.off(each, listener);
    controller.abort(name);
  };
  for (const each of names) process.on(each, listener);
  return controller.signal;
}
