import { Code, ConnectError } from "@connectrpc/connect";
import { type ApiRequest, type ApiResponse, isHttp2 } from "./http-message.js";

/**
 * The chunks of a request's body, read as they are asked for. Whoever stops early may still answer: Node's own iterator
 * would take the connection down with the request, and the caller would never learn what was wrong.
 */
export class RequestBody implements AsyncIterableIterator<Uint8Array> {
  readonly #request: ApiRequest;
  readonly #response: ApiResponse;
  #wake: (() => void) | undefined;
  #failed: unknown;
  #isForgotten = false;

  constructor(request: ApiRequest, response: ApiResponse) {
    this.#request = request;
    this.#response = response;
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
      const chunk = this.#request.read() as Uint8Array | null;
      if (chunk !== null) return { done: false, value: chunk };
      if (this.#request.readableEnded) return { done: true, value: undefined };
      if (this.#failed !== undefined) throw this.#failed;
      if (this.#request.destroyed) throw new ConnectError("the request ended inside its body", Code.Canceled);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async return(): Promise<IteratorResult<Uint8Array>> {
    this.forget();
    return { done: true, value: undefined };
  }

  /**
   * Reads no more, and lets nothing of the body stand in the way of the next request, which would wait behind it for
   * ever. To be called before the headers of an answer that nobody reads on behind: an HTTP/1.1 client that is still
   * sending loses its connection then, and afterwards it can only be read to the end. An HTTP/2 client is told later, see
   * `dismiss`.
   */
  forget(): void {
    const request = this.#request;
    const response = this.#response;
    if (this.#isForgotten || request.readableEnded || request.destroyed) return;
    this.#isForgotten = true;
    request.off("readable", this.#onEvent);
    request.resume();
    if (!isHttp2(response) && !request.complete && !response.headersSent) {
      response.setHeader("connection", "close");
    }
  }

  readonly #onEvent = (): void => {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  };

  readonly #onError = (error: unknown): void => {
    this.#failed = error;
    this.#onEvent();
  };
}
