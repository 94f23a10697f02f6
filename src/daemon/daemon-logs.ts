import { join } from "node:path";
import type { Log, LogEvent, LogFacts } from "../base/log.js";
import { LogFile, type LogFileOptions, resolveLogFileOptions } from "../base/log-file.js";
import { createPinoLog, type LogLevel, type LogLines } from "../base/pino-log.js";
import { daemonLogFile } from "../home/home.js";

export interface DaemonLogsOptions {
  readonly directory: string;
  readonly level: LogLevel;
  /** Gets every line as well. */
  readonly also?: LogLines;
  readonly files?: LogFileOptions;
}

/** Files that are open at the same time; the one that was not written to for the longest is closed for another. */
const maxOpenFiles = 64;

/** The logs of a daemon: `daemon.log`, and one file for each node. Files are made by their first line. */
export class DaemonLogs implements Disposable {
  readonly #options: DaemonLogsOptions;
  readonly #fileOptions: Required<LogFileOptions>;
  /** By path, the one that was written to last at the end. */
  readonly #open = new Map<string, LogFile>();

  constructor(options: DaemonLogsOptions) {
    this.#options = options;
    this.#fileOptions = resolveLogFileOptions(options.files);
  }

  /** The log of a node; without one, that of the daemon itself. */
  log(node?: string): Log {
    return this.#log(this.#options.level, node);
  }

  /** A line about the process itself, which others wait for: it is written whatever the level is. */
  announcement(event: LogEvent, facts: LogFacts): void {
    this.#log("info", undefined).info(event, facts);
  }

  #log(level: LogLevel, node: string | undefined): Log {
    const path = this.logPath(node);
    const { also } = this.#options;
    const lines: LogLines = {
      write: (line) => {
        this.#file(path).write(line);
        also?.write(line);
      },
    };
    return createPinoLog({ level, lines, ...(node !== undefined && { facts: { node } }) });
  }

  logPath(node?: string): string {
    if (node === undefined) return join(this.#options.directory, daemonLogFile);
    // Node ids are checked where they come in. A path is made of them only here, so it is made sure here as well.
    if (!/^[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(node))
      throw new TypeError(`"${node}" can't be the name of a file`);
    const file = `${node}.log`;
    // A node may be called "daemon", and file systems may take "Daemon" for the same. No id of a node has a dot.
    const isTaken = file.toLowerCase() === daemonLogFile;
    return join(this.#options.directory, isTaken ? `${node}.node.log` : file);
  }

  /** Closes all files; the next line of each opens it again, under its name. */
  reopen(): void {
    for (const file of this.#open.values()) file.close();
  }

  [Symbol.dispose](): void {
    this.reopen();
  }

  #file(path: string): LogFile {
    const known = this.#open.get(path);
    const file = known ?? new LogFile(path, this.#fileOptions);
    if (known !== undefined) this.#open.delete(path);
    this.#open.set(path, file);
    if (this.#open.size > maxOpenFiles) {
      const [oldestPath, oldest] = this.#open.entries().next().value!;
      this.#open.delete(oldestPath);
      oldest.close();
    }
    return file;
  }
}
