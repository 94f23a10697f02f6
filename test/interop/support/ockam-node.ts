import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import readline from "node:readline";
import { patienceMs, within } from "../../e2e/support/until.js";

/** What `ockam-node` says about a relay or an inlet that it keeps alive as the `ockam` command does. */
export interface OckamSession {
  readonly isUp: boolean;
  /** How often it was made. */
  readonly made: number;
  readonly pings: number;
  readonly pongs: number;
  readonly address: string;
  readonly failure: string;
}

export interface OckamPace {
  /** Between two pings; ten seconds unless told. */
  readonly pingMs?: number;
  /** Between two attempts; five seconds unless told. */
  readonly retryMs?: number;
}

interface Waiting {
  resolve(answer: unknown): void;
  reject(error: Error): void;
}

/** A node of Ockam in a process of its own, with `echo` and `uppercase`: test/interop/ockam. */
export class OckamNode implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  readonly #errors: string[] = [];
  #commands = 0;

  constructor() {
    const program = process.env["PORTWAY_INTEROP_PROGRAM"];
    if (program === undefined)
      throw new Error("PORTWAY_INTEROP_PROGRAM is not set: use `npm run test:interop`");
    this.#child = spawn(program, { stdio: ["pipe", "pipe", "pipe"] });
    // A command that is written to a node that has ended is rejected below.
    this.#child.stdin!.on("error", () => {});
    this.#child.stderr!.setEncoding("utf8").on("data", (text: string) => this.#errors.push(text));
    readline.createInterface({ input: this.#child.stdout! }).on("line", (line) => this.#take(line));
    this.#child.once("close", (code, signal) => {
      const why = new Error(`the Ockam node ended, ${code ?? signal}: ${this.#errors.join("")}`);
      for (const { reject } of this.#waiting.values()) reject(why);
      this.#waiting.clear();
    });
  }

  /** One that listens; where. */
  static async listening(at = "127.0.0.1:0"): Promise<{ node: OckamNode; port: number }> {
    const node = new OckamNode();
    try {
      return { node, port: await node.listen(at) };
    } catch (error) {
      await node[Symbol.asyncDispose]();
      throw error;
    }
  }

  #take(line: string): void {
    const { id, answer, error } = JSON.parse(line) as { id: number; answer?: unknown; error?: string };
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(answer);
    else waiting?.reject(new Error(error));
  }

  async #do<T>(
    command: string,
    facts: Readonly<Record<string, unknown>> = {},
    limitMs = patienceMs,
  ): Promise<T> {
    const id = ++this.#commands;
    const answer = new Promise<unknown>((resolve, reject) => {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
        reject(new Error(`the Ockam node has ended: ${this.#errors.join("")}`));
      } else this.#waiting.set(id, { resolve, reject });
    });
    this.#child.stdin!.write(`${JSON.stringify({ id, do: command, ...facts })}\n`);
    return (await within(`the Ockam node answers ${command}`, answer, limitMs)) as T;
  }

  /** Its port. */
  async listen(at = "127.0.0.1:0"): Promise<number> {
    return Number((await this.#do<{ at: string }>("listen", { at })).at.split(":")[1]);
  }

  /** The worker of a connection to a port of 127.0.0.1. */
  async connect(port: number): Promise<string> {
    return (await this.#do<{ worker: string }>("connect", { to: `127.0.0.1:${port}` })).worker;
  }

  /** A UDP socket, towards one port of 127.0.0.1 or for all: its port, and the worker that sends. */
  async bindUdp(peerPort?: number): Promise<{ port: number; worker: string }> {
    const peer = peerPort === undefined ? undefined : `127.0.0.1:${peerPort}`;
    const { at, worker } = await this.#do<{ at: string; worker: string }>("bind-udp", {
      at: "127.0.0.1:0",
      peer,
    });
    return { port: Number(at.split(":")[1]), worker };
  }

  /** A payload as it is, along addresses; the payload of the answer. */
  async send(to: readonly string[], payload: Buffer, limitMs = patienceMs): Promise<Buffer> {
    const facts = { to: to.join(" => "), payload: payload.toString("hex"), limitMs };
    return Buffer.from((await this.#do<{ payload: string }>("send", facts, limitMs + 5_000)).payload, "hex");
  }

  /** A text of less than 128 letters as `ockam message send` sends it: counted. */
  async sendText(to: readonly string[], text: string, limitMs = patienceMs): Promise<string> {
    const counted = Buffer.from(`${String.fromCharCode(text.length)}${text}`, "latin1");
    const answer = await this.send(to, counted, limitMs);
    return answer.subarray(1).toString("latin1");
  }

  hop(at: string): Promise<void> {
    return this.#do("hop", { at });
  }

  /** What listens by then reaches it. */
  relayService(): Promise<void> {
    return this.#do("relay-service");
  }

  outlet(at: string, target: string): Promise<void> {
    return this.#do("outlet", { at, target });
  }

  /** Its identifier. */
  async secureListener(at: string): Promise<string> {
    return (await this.#do<{ identifier: string }>("secure-listener", { at })).identifier;
  }

  /** The worker that encrypts. */
  async secureChannel(to: readonly string[]): Promise<string> {
    return (await this.#do<{ worker: string }>("secure-channel", { to: to.join(" => ") })).worker;
  }

  /** Keeps a relay at the node on a port of 127.0.0.1. */
  relay(name: string, port: number, pace: OckamPace = {}): Promise<void> {
    return this.#do("relay", { name, to: `127.0.0.1:${port}`, ...pace });
  }

  /** Keeps an inlet that leads through the node on a port of 127.0.0.1 along a route that ends with an outlet. */
  inlet(
    name: string,
    { at, port, route, ...pace }: { at: string; port: number; route: readonly string[] } & OckamPace,
  ): Promise<void> {
    return this.#do("inlet", { name, at, to: `127.0.0.1:${port}`, route: route.join(" => "), ...pace });
  }

  session(name: string): Promise<OckamSession> {
    return this.#do("session", { name });
  }

  /** As a machine that loses power. */
  async kill9(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const closed = once(this.#child, "close");
    this.#child.kill("SIGKILL");
    await within("the Ockam node has ended", closed);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill9();
  }
}
