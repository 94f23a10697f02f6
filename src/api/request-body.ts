import type { IncomingMessage } from "node:http";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Exchange } from "./exchange.js";

/** So much of a body is read and forgotten before its answer leaves, for so long. */
const maxDumpedBytes = 1024 * 1024;
const dumpMs = 1_000;

/**
 * Reads and forgets what is still to come of a body over HTTP/1.1: a client that is sending when its connection is
 * closed sees that, and never the answer. If too much is to come, or too late, the answer says that the connection ends.
 */
export async function dumpBody(exchange: Exchange): Promise<void> {
  const { stream, headers } = exchange;
  const { request, response } = exchange.open();
  if (stream !== undefined || request.complete || request.destroyed) {
    request.resume();
    return;
  }
  const announcedBytes = Number(headers["content-length"] ?? 0);
  const isOver = announcedBytes <= maxDumpedBytes && (await readToEnd(request));
  if (!isOver && !response.headersSent) response.setHeader("connection", "close");
}

/** False if the end did not come within maxDumpedBytes and dumpMs. */
function readToEnd(request: IncomingMessage): Promise<boolean> {
  return new Promise((resolve) => {
    let left = maxDumpedBytes;
    const settle = (): void => {
      clearTimeout(timer);
      request.off("data", onData).off("end", settle).off("close", settle);
      resolve(request.complete);
    };
    const onData = (chunk: Uint8Array): void => {
      left -= chunk.length;
      if (left < 0) settle();
    };
    const timer = setTimeout(settle, dumpMs);
    request.on("data", onData).on("end", settle).on("close", settle).resume();
  });
}

/**
 * The chunks of a request's body, read as they are asked for. Whoever stops early may still answer: Node's own iterator
 * would take the connection down with the request, and the caller would never learn what was wrong.
 */
export class RequestBody implements AsyncIterableIterator<Uint8Array> {
  readonly #exchange: Exchange;
  readonly #request: IncomingMessage;
  readonly #read: Uint8Array[];
  #wake: (() => void) | undefined;
  #failed: unknown;
  #isForgotten = false;

  /** `read` is the beginning of the body, if that was read already. */
  constructor(exchange: Exchange, read: readonly Uint8Array[]) {
    this.#read = [...read];
    this.#exchange = exchange;
    const { request } = exchange.open();
    this.#request = request;
    request.on("readable", this.#onEvent);
    request.on("end", this.#onEvent);
    request.on("close", this.#onEvent);
    request.on("error", this.#onError);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    for (;;) {
      const chunk = this.#read.shift() ?? (this.#request.read() as Uint8Array | null);
      if (chunk !== null) return { done: false, value: chunk };
      if (this.#hasEnded && !this.#exchange.isBrokenOff) return { done: true, value: undefined };
      if (this.#failed !== undefined) throw this.#failed;
      if (this.#hasEnded || this.#request.destroyed) {
        throw new ConnectError("the request ended inside its body", Code.Canceled);
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Nothing more is waited for: whoever reads on hears `reason`. */
  fail(reason: unknown): void {
    this.#failed ??= reason;
    this.#onEvent();
  }

  async return(): Promise<IteratorResult<Uint8Array>> {
    this.forget();
    return { done: true, value: undefined };
  }

  /**
   * Hands out no more, and lets nothing of the body stand in the way of the next request, which would wait behind it for
   * ever. An HTTP/2 client that is still sending is told later, see `dismiss`.
   */
  forget(): void {
    const request = this.#request;
    if (this.#isForgotten || this.#hasEnded || request.destroyed) return;
    this.#isForgotten = true;
    request.off("readable", this.#onEvent);
    request.resume();
  }

  /** `forget`, before the headers of an answer behind which nobody reads on; resolves when they may leave. */
  dump(): Promise<void> {
    this.forget();
    return dumpBody(this.#exchange);
  }

  /** A stream that was read to its end before does not tell its request so. */
  get #hasEnded(): boolean {
    return this.#request.readableEnded || this.#exchange.stream?.readableEnded === true;
  }

  readonly #onEvent = (): void => {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  };

  readonly #onError = (error: unknown): void => this.fail(error);
}
