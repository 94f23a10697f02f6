import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { constants, Http2ServerRequest, Http2ServerResponse, type ServerHttp2Stream } from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";

/** The two directions as Node has them. */
interface NodeExchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** What can be told to give up. */
export interface Abortable {
  abort(reason: unknown): void;
}

/** A request, whose body was not read yet, and the way to answer it. */
export interface Exchange {
  /** What serves it; told to give up, it answers with the reason. */
  serving: Abortable | undefined;
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  /** What carries it over HTTP/2; undefined over HTTP/1.1. */
  readonly stream: ServerHttp2Stream | undefined;
  /**
   * As Node has them in HTTP/1.1. Over HTTP/2 they are what Node has instead, which differs in nothing that is used here,
   * and are made for who asks first, because they cost; whoever does reads and answers with them alone.
   */
  open(): NodeExchange;
  /** The whole body has arrived, or never will. */
  readonly hasArrived: boolean;
  /**
   * Of a body that has ended: the client did not end it, but broke off. Node ends the body of an HTTP/2 stream that was
   * reset as if it were whole.
   */
  readonly isBrokenOff: boolean;
  /** How much of the answer waits to be taken. */
  readonly waitingBytes: number;
  /** Pieces of the answer that were handed over, each when enough of those before was taken. */
  sentPieces: number;
  /** Nobody takes an answer, or more of it. */
  readonly isGone: boolean;
  /** `listener` hears once that it is over: answered, or given up by either side. */
  onClose(listener: () => void): void;
  /**
   * Ends what is left of a request whose answer is out: the client hears that it need not send the rest. Does nothing
   * before the answer is out, because an end then would overtake it. Tells whether there was something to do.
   */
  dismiss(): boolean;
  /** Gives it up without an answer. */
  destroy(): void;
}

export class Http1Exchange implements Exchange {
  readonly stream = undefined;
  serving: Abortable | undefined;
  sentPieces = 0;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.#request = request.on("error", ignore);
    this.#response = response.on("error", ignore);
  }

  get method(): string {
    return this.#request.method ?? "";
  }

  get url(): string {
    return this.#request.url ?? "";
  }

  get headers(): IncomingHttpHeaders {
    return this.#request.headers;
  }

  get rawHeaders(): readonly string[] {
    return this.#request.rawHeaders;
  }

  open(): NodeExchange {
    return { request: this.#request, response: this.#response };
  }

  get hasArrived(): boolean {
    return this.#request.complete;
  }

  get isBrokenOff(): boolean {
    return !this.#request.complete;
  }

  get waitingBytes(): number {
    return this.#response.socket?.writableLength ?? 0;
  }

  get isGone(): boolean {
    return this.#response.destroyed;
  }

  onClose(listener: () => void): void {
    this.#response.once("close", listener);
  }

  /** A body over HTTP/1.1 is read before its answer leaves. */
  dismiss(): boolean {
    return false;
  }

  destroy(): void {
    this.#response.destroy();
  }
}

export class Http2Exchange implements Exchange {
  readonly stream: ServerHttp2Stream;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  serving: Abortable | undefined;
  sentPieces = 0;
  #opened: NodeExchange | undefined;

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, rawHeaders: readonly string[]) {
    this.stream = stream.on("error", ignore);
    this.headers = headers;
    this.rawHeaders = rawHeaders;
  }

  get method(): string {
    return String(this.headers[":method"] ?? "");
  }

  get url(): string {
    return String(this.headers[":path"] ?? "");
  }

  open(): NodeExchange {
    if (this.#opened === undefined) {
      const request = new Http2ServerRequest(this.stream, this.headers, {}, this.rawHeaders);
      const response = new Http2ServerResponse(this.stream);
      this.#opened = {
        request: request.on("error", ignore) as unknown as IncomingMessage,
        response: response.on("error", ignore) as unknown as ServerResponse,
      };
    }
    return this.#opened;
  }

  get hasArrived(): boolean {
    return this.stream.endAfterHeaders || this.stream.readableEnded || this.stream.destroyed;
  }

  get isBrokenOff(): boolean {
    return this.stream.closed;
  }

  get waitingBytes(): number {
    return this.stream.writableLength;
  }

  get isGone(): boolean {
    return this.stream.destroyed || this.stream.closed;
  }

  onClose(listener: () => void): void {
    this.stream.once("close", listener);
  }

  dismiss(): boolean {
    const { stream } = this;
    if (this.hasArrived || this.isGone) return false;
    if (!stream.writableFinished || stream.state.localClose !== 1) return false;
    stream.close(constants.NGHTTP2_NO_ERROR);
    return true;
  }

  destroy(): void {
    this.stream.destroy();
  }
}

/** The path without the query: that of a Connect GET holds the request, which belongs in no log. */
export function pathOf({ url }: Exchange): string {
  const query = url.indexOf("?");
  return query === -1 ? url : url.slice(0, query);
}

export function headerBytes({ rawHeaders }: Exchange): number {
  let bytes = 0;
  for (const text of rawHeaders) bytes += text.length;
  return bytes;
}

export function hasBody({ stream, headers }: Exchange): boolean {
  if (stream !== undefined) return !stream.endAfterHeaders;
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) !== 0;
}

export function whyGone({ stream }: Exchange): ConnectError {
  if (stream?.rstCode === constants.NGHTTP2_REFUSED_STREAM) {
    return new ConnectError("the caller refused the stream", Code.Unavailable);
  }
  return new ConnectError("the caller went away", Code.Canceled);
}

function ignore(): void {}
