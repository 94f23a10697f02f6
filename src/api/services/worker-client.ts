import { create } from "@bufbuild/protobuf";
import { ErrorInfoSchema } from "../../../gen/google/rpc/error_details_pb.js";
import * as pb from "../../../gen/portway/v1/message_service_pb.js";
import { PortwayError } from "../../base/errors.js";
import { type Deferred, deferred } from "../../base/signals.js";
import type { WorkerControl } from "../../node/engine.js";
import { callError } from "../errors.js";
import { blame } from "../fields.js";

type Command = Exclude<pb.SteerWorkerRequest["request"], { case: undefined }>;

/** Sends and replies whose result was not written yet; while there are so many, no more are read. */
const maxResults = 64;

interface Result {
  readonly tag: bigint;
  isKnown: boolean;
  failure: unknown;
}

export interface WorkerClientOptions {
  readonly control: WorkerControl;
  /** What follows `open`. */
  readonly requests: AsyncIterator<pb.OpenWorkerRequest>;
  readonly signal: AbortSignal;
  /** There may be a result, or the end. */
  readonly woken: () => void;
}

/** The client's side of an OpenWorker stream: does what it says, and keeps the results in order. */
export class WorkerClient {
  readonly #options: WorkerClientOptions;
  readonly #results: Result[] = [];
  #room: Deferred<void> | undefined;
  #isOver = false;
  #wantsClose = false;
  #failure: unknown;

  constructor(options: WorkerClientOptions) {
    this.#options = options;
    void this.#read();
  }

  /** It asked for the end of the worker, not of the stream alone. */
  get wantsClose(): boolean {
    return this.#wantsClose;
  }

  /** It wants nothing any more, and all its results were taken. */
  get isDone(): boolean {
    return this.#isOver && this.#results.length === 0;
  }

  /** Throws what ended the client's side, if it was not the client. */
  takeResult(): pb.SendResult | undefined {
    if (this.#failure !== undefined) throw this.#failure;
    const [first] = this.#results;
    if (first?.isKnown !== true) return undefined;
    this.#results.shift();
    this.#room?.resolve();
    const { tag, failure } = first;
    return create(pb.SendResultSchema, {
      tag,
      ...(failure !== undefined && { failure: toSendFailure(failure, this.#options.signal) }),
    });
  }

  /** The call is over: nothing more is read. */
  end(): void {
    // Not waited for: it may not come before the caller is gone.
    this.#options.requests.return?.().then(undefined, () => {});
    this.#room?.resolve();
    this.#isOver = true;
  }

  async #read(): Promise<void> {
    const { requests, woken } = this.#options;
    try {
      while (!this.#isOver) {
        if (this.#results.length >= maxResults) {
          this.#room = deferred<void>();
          await this.#room.promise;
          this.#room = undefined;
          continue;
        }
        const next = await requests.next();
        if (next.done === true) break;
        if (next.value.request.case === "close") {
          this.#wantsClose = true;
          break;
        }
        this.#do(next.value.request);
      }
    } catch (error) {
      this.#failure = error;
    }
    this.#isOver = true;
    woken();
  }

  #do(request: pb.OpenWorkerRequest["request"]): void {
    const { control } = this.#options;
    switch (request.case) {
      case undefined:
      case "open":
        throw new PortwayError(
          "bad_argument",
          "a worker is opened once, by the first message of the stream",
          {
            field: "open",
          },
        );
      case "send":
      case "reply":
        this.#await(request.value.tag, perform(control, request));
        return;
      default:
        try {
          void perform(control, request);
        } catch (error) {
          throw blame(`portway.v1.MessageService/SteerWorker.${request.case}`, error);
        }
    }
  }

  #await(tag: bigint, sent: Promise<void> | undefined): void {
    const result: Result = { tag, isKnown: false, failure: undefined };
    this.#results.push(result);
    const settle = (failure?: unknown): void => {
      result.isKnown = true;
      result.failure = failure;
      this.#options.woken();
    };
    sent?.then(() => settle(), settle);
  }
}

/** Does what a client asked for; undefined if it is done. */
export function perform(control: WorkerControl, command: Command): Promise<void> | undefined {
  switch (command.case) {
    case "grant":
      control.grant(toGrant(command.value));
      return undefined;
    case "acknowledge":
      control.acknowledge(Number(command.value.throughId));
      return undefined;
    case "send": {
      const { onwardRoute, returnRoute, payload, traceContext } = command.value;
      return control.send({ onward: onwardRoute, return: returnRoute, payload, trace: traceContext });
    }
    case "reply": {
      const { toId, payload, returnRoute } = command.value;
      return control.reply({ toId: Number(toId), payload, return: returnRoute });
    }
    case "close":
      control.close();
      return undefined;
  }
}

export function toGrant({ messages, bytes }: pb.Grant): { messages: number; bytes: number } {
  const amount = Number(bytes);
  return { messages, bytes: amount > Number.MAX_SAFE_INTEGER ? Number.POSITIVE_INFINITY : amount };
}

function toSendFailure(thrown: unknown, signal: AbortSignal): pb.SendFailure {
  const error = callError(thrown, { method: "portway.v1.MessageService/OpenWorker", signal });
  const [info] = error.findDetails(ErrorInfoSchema);
  return create(pb.SendFailureSchema, {
    code: error.code,
    message: error.rawMessage,
    ...(info !== undefined && { info }),
  });
}
