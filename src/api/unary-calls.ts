import type { ServerHttp2Stream } from "node:http2";
import {
  create,
  type DescMethod,
  type DescMethodUnary,
  type DescService,
  fromBinary,
  type Message,
  type MessageInitShape,
  toBinary,
} from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type ContextValues,
  type HandlerContext,
  type Interceptor,
  type StreamRequest,
  type StreamResponse,
  type UnaryRequest,
  type UnaryResponse,
} from "@connectrpc/connect";
import type { Log } from "../base/log.js";
import type { CompleteError } from "./errors.js";
import { type Abortable, type Exchange, whyGone } from "./exchange.js";
import type { ApiLimits } from "./limits.js";
import { type AddedHeaders, type UnaryWire, unaryWires } from "./unary-wire.js";
import { endInPieces, timeoutMsOf } from "./universal.js";

type Implementation = (request: Message, context: HandlerContext) => unknown;
type Chain = (request: UnaryRequest) => Promise<UnaryResponse>;

/** A call that this path does not take after all, with what was read of its body. */
export type Otherwise = (read: readonly Uint8Array[]) => void;

export interface UnaryCallsOptions {
  readonly interceptors: Interceptor[];
  readonly limits: Required<ApiLimits>;
  readonly log: Log;
  readonly completeError: CompleteError;
}

/** What is not known is not kept: 8 MiB of unknown fields of two bytes would take a hundred times as much. */
export const readOptions = { readUnknownFields: false } as const;

/**
 * Serves what most callers send: a unary call over HTTP/2, of native gRPC or of Connect, in binary, not compressed, all of
 * it well formed. The same interceptors and implementations run as for every other call; only what moves bytes is our
 * own, because Connect makes six asynchronous iterators of each, and Node a request and a response of each stream.
 * Whatever is out of the ordinary goes to Connect, so that there is one place that says what is wrong with a request.
 */
export class UnaryCalls {
  readonly #options: UnaryCallsOptions;
  readonly #methods = new Map<string, UnaryMethod>();

  constructor(options: UnaryCallsOptions) {
    this.#options = options;
  }

  add(service: DescService, implementation: object): void {
    for (const method of service.methods) {
      const given = (implementation as Record<string, Implementation | undefined>)[method.localName];
      if (!isUnary(method) || given === undefined) continue;
      const run = given.bind(implementation);
      const invoke = (request: UnaryRequest | StreamRequest): Promise<UnaryResponse | StreamResponse> =>
        (request as UnaryCall).invoke(run);
      const chain = this.#options.interceptors.reduceRight((next, around) => around(next), invoke) as Chain;
      this.#methods.set(`/${service.typeName}/${method.name}`, { service, method, chain });
    }
  }

  /** Takes the call, unless it is none for this path. `otherwise` is called if that turns out later. */
  takes(path: string, exchange: Exchange, values: ContextValues, otherwise: Otherwise): boolean {
    const { stream, headers } = exchange;
    const method = this.#methods.get(path);
    if (method === undefined || stream === undefined || exchange.method !== "POST") return false;
    const wire = unaryWires.find((each) => each.isSpokenIn(headers));
    if (wire === undefined || headers.expect !== undefined) return false;
    const { limits, log, completeError } = this.#options;
    const timeout = headers[wire.timeoutHeader];
    const isTimeout = typeof timeout === "string" && wire.timeout.test(timeout);
    const timeoutMs = isTimeout ? timeoutMsOf(timeout) : undefined;
    if (timeout !== undefined && timeoutMs === undefined) return false;
    const call = new UnaryCall(method, wire, exchange, stream, values, completeError);
    if (timeoutMs !== undefined) call.endAfter(Math.min(timeoutMs, limits.maxDeadlineMs));
    readWhole(stream, wire.envelopeBytes + limits.maxRequestBytes, (chunks, isWhole) => {
      // A call that was broken off ends with its stream, which closes next.
      if (call.isOver || (isWhole && exchange.isBrokenOff)) return;
      const message = isWhole ? messageIn(wire, method.method, chunks) : undefined;
      if (message === undefined) {
        call.leave();
        otherwise(chunks);
        // What was stopped inside of a body goes on when somebody else reads it.
        if (!isWhole) stream.resume();
        return;
      }
      call.begin(message);
      method
        .chain(call)
        .then(
          (answer) => call.answer(answer.message, limits.maxResponseBytes),
          (error: unknown) => call.fail(error),
        )
        .catch((error: unknown) => {
          log.error("call.failed", { path, error });
          exchange.destroy();
        });
    });
    return true;
  }
}

interface UnaryMethod {
  readonly service: DescService;
  readonly method: DescMethodUnary;
  readonly chain: Chain;
}

function isUnary(method: DescMethod): method is DescMethodUnary {
  return method.methodKind === "unary";
}

/** Calls `done` once: with all of the body, or with its beginning, stopped there, if it is longer than a message. */
function readWhole(
  stream: ServerHttp2Stream,
  maxBytes: number,
  done: (chunks: readonly Uint8Array[], isWhole: boolean) => void,
): void {
  const chunks: Uint8Array[] = [];
  let left = maxBytes;
  // Node keeps a stream for a while after its end; it shall not keep what was read of it.
  const stop = (): void => {
    stream.off("data", onData).off("end", onEnd);
  };
  const onEnd = (): void => {
    stop();
    done(chunks, true);
  };
  const onData = (chunk: Uint8Array): void => {
    chunks.push(chunk);
    left -= chunk.length;
    if (left >= 0) return;
    stop();
    stream.pause();
    done(chunks, false);
  };
  stream.on("data", onData).on("end", onEnd);
}

/** The message in a body that is nothing else; undefined for whatever else it may be. */
function messageIn(
  wire: UnaryWire,
  { input }: DescMethodUnary,
  chunks: readonly Uint8Array[],
): Message | undefined {
  const bytes = wire.unwrap(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks));
  if (bytes === undefined) return undefined;
  try {
    return fromBinary(input, bytes, readOptions);
  } catch {
    return undefined;
  }
}

/** One call: what interceptors see of its request, and what its method sees of its context. */
class UnaryCall implements UnaryRequest, HandlerContext, Abortable {
  readonly stream = false;
  readonly requestMethod = "POST";
  readonly service: DescService;
  readonly method: DescMethodUnary;
  readonly contextValues: ContextValues;
  readonly #wire: UnaryWire;
  readonly #exchange: Exchange;
  readonly #stream: ServerHttp2Stream;
  readonly #complete: CompleteError;
  #message: Message | undefined;
  #responseHeader: Headers | undefined;
  #responseTrailer: Headers | undefined;
  #controller: AbortController | undefined;
  #ended: { readonly reason: unknown } | undefined;
  #reject: ((reason: unknown) => void) | undefined;
  #isLeft = false;
  #deadline: NodeJS.Timeout | undefined;
  #deadlineMs: number | undefined;

  constructor(
    { service, method }: UnaryMethod,
    wire: UnaryWire,
    exchange: Exchange,
    stream: ServerHttp2Stream,
    values: ContextValues,
    complete: CompleteError,
  ) {
    this.service = service;
    this.method = method;
    this.contextValues = values;
    this.#wire = wire;
    this.#complete = complete;
    this.#exchange = exchange;
    this.#stream = stream;
    exchange.serving = this;
    exchange.onClose(() => {
      if (!this.#isLeft) this.abort(whyGone(exchange));
    });
  }

  get protocolName(): string {
    return this.#wire.protocolName;
  }

  get message(): Message {
    return this.#message!;
  }

  get values(): ContextValues {
    return this.contextValues;
  }

  get url(): string {
    return `http://localhost${this.#exchange.url}`;
  }

  /** The API hands no header on to its calls. */
  get header(): Headers {
    return new Headers();
  }

  get requestHeader(): Headers {
    return this.header;
  }

  get responseHeader(): Headers {
    this.#responseHeader ??= new Headers();
    return this.#responseHeader;
  }

  get responseTrailer(): Headers {
    this.#responseTrailer ??= new Headers();
    return this.#responseTrailer;
  }

  /** Made for those who ask: most methods answer at once. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#ended !== undefined) this.#controller.abort(this.#ended.reason);
    }
    return this.#controller.signal;
  }

  timeoutMs(): number | undefined {
    return this.#deadlineMs === undefined ? undefined : this.#deadlineMs - performance.now();
  }

  /** It was ended before its message was there. */
  get isOver(): boolean {
    return this.#ended !== undefined;
  }

  begin(message: Message): void {
    this.#message = message;
  }

  /** Somebody else answers. */
  leave(): void {
    clearTimeout(this.#deadline);
    this.#isLeft = true;
  }

  endAfter(timeoutMs: number): void {
    this.#deadlineMs = performance.now() + timeoutMs;
    this.#deadline = setTimeout(() => {
      this.abort(new ConnectError("the operation timed out", Code.DeadlineExceeded));
    }, timeoutMs);
  }

  /** Innermost: the method itself, for as long as somebody waits for its answer. */
  invoke(run: Implementation): Promise<UnaryResponse> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) {
        reject(this.#ended.reason);
        return;
      }
      this.#reject = reject;
      Promise.resolve(run(this.message, this)).then((answer) => {
        const { output } = this.method;
        resolve(new UnaryAnswer(this, create(output, answer as MessageInitShape<typeof output>)));
      }, reject);
    });
  }

  answer(message: Message, maxBytes: number): void {
    let bytes: Uint8Array;
    try {
      bytes = toBinary(this.method.output, message);
      if (bytes.length > maxBytes) {
        const said = `the answer has ${bytes.length} bytes; at most ${maxBytes}`;
        throw new ConnectError(said, Code.ResourceExhausted);
      }
    } catch (error) {
      this.fail(error);
      return;
    }
    this.leave();
    if (this.#exchange.isGone) return;
    const body = this.#wire.answer(this.#stream, bytes, this.#added);
    void endInPieces(this.#exchange, this.#stream, body);
  }

  fail(thrown: unknown): void {
    this.leave();
    if (this.#exchange.isGone) return;
    const error = this.#complete(ConnectError.from(thrown, Code.Internal));
    this.#wire.fail(this.#stream, error, this.#added);
  }

  abort(reason: unknown): void {
    if (this.#isLeft || this.#ended !== undefined) return;
    this.#ended = { reason };
    this.#controller?.abort(reason);
    if (this.#message === undefined) this.fail(reason);
    else this.#reject?.(reason);
  }

  get #added(): AddedHeaders {
    return { header: this.#responseHeader, trailer: this.#responseTrailer };
  }
}

/** What interceptors see of an answer. Most calls add no headers to it, and making them costs. */
class UnaryAnswer implements UnaryResponse {
  readonly stream = false;
  readonly message: Message;
  readonly #call: UnaryCall;

  constructor(call: UnaryCall, message: Message) {
    this.#call = call;
    this.message = message;
  }

  get service(): DescService {
    return this.#call.service;
  }

  get method(): DescMethodUnary {
    return this.#call.method;
  }

  get header(): Headers {
    return this.#call.responseHeader;
  }

  get trailer(): Headers {
    return this.#call.responseTrailer;
  }
}
