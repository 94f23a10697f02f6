import { create } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import {
  AcknowledgeSchema,
  CloseSchema,
  type MessageService,
  type ReceivedMessage,
  type ReceiveMessagesResponse,
  ReplySchema,
  SendSchema,
  type SteerWorkerRequest,
  type WhenFull,
} from "../../gen/portway/v1/message_service_pb.js";
import { Backoff } from "../base/backoff.js";
import { anyOf } from "../base/signals.js";
import { failureOf } from "./errors.js";
import { type Pace, systemPace } from "./options.js";
import { readAhead } from "./read-ahead.js";

export interface OpenWorkerOptions {
  /** `nodes/{node}` */
  readonly node: string;
  /** As text; one that nobody can guess if not given. */
  readonly address?: string;
  readonly whenFull?: WhenFull;
  /** Messages that wait in the daemon at most, with those that are being worked on; 1024 if not given. */
  readonly queueMessages?: number;
  /** How long the worker stays at the daemon while it is not reached from here; 60 s if not given. */
  readonly resumeWindowMs?: number;
  /** Ends the worker, as `close` does. */
  readonly signal?: AbortSignal;
  /** For tests: how a wait between two attempts is waited, and what time it is. */
  readonly pace?: Pace;
}

/**
 * This program as a worker of a node. Reading it gives the messages, each once, in their order; one counts as done when
 * the next is asked for. It is read by one reader. A connection that is lost is made again within the resume window,
 * and nothing that was queued is missed. `await using`, or `close`, frees its address.
 */
export interface RemoteWorker extends AsyncDisposable, AsyncIterable<ReceivedMessage> {
  readonly name: string;
  readonly address: string;
  /** Answers a message along its return route. */
  reply(to: Pick<ReceivedMessage, "id">, payload: Uint8Array): Promise<void>;
  /** Sends a message from the worker, along a MultiAddr or a route as it stands in a message. */
  send(onwardRoute: string, payload: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

type Messages = Pick<Client<typeof MessageService>, "receiveMessages" | "steerWorker">;

const defaultQueueMessages = 1024;
const defaultResumeWindowMs = 60_000;
const firstDelayMs = 50;
const maxDelayMs = 2_000;
/** A quarter of what a worker's queue holds at the daemon, where the opening does not say. */
const unacknowledgedBytes = 1024 * 1024;
/** Well below the time in which a daemon gives up a queue that is full and stands still. */
const restMs = 500;
/** How long a daemon that is told to end a worker may take to say which one it has opened. */
const lastWordMs = 1_000;

/** Opens a worker by ReceiveMessages and SteerWorker, which need no more than HTTP/1.1. Rejects as ReceiveMessages does. */
export async function openWorker(messages: Messages, options: OpenWorkerOptions): Promise<RemoteWorker> {
  const { node, address = "", whenFull, queueMessages = defaultQueueMessages, signal } = options;
  const { resumeWindowMs = defaultResumeWindowMs, pace = systemPace } = options;
  const closed = new AbortController();
  const linked = anyOf(closed.signal, ...(signal === undefined ? [] : [signal]));
  const ended = linked.signal;
  const resumeWindow = { seconds: BigInt(Math.ceil(resumeWindowMs / 1000)), nanos: 0 };
  const limits = { queueMessages, resumeWindow, ...(whenFull !== undefined && { whenFull }) };
  let token = "";
  let doneId = 0n;

  const open = async (until: AbortSignal): Promise<AsyncIterator<ReceiveMessagesResponse>> => {
    const asked = { node, address, ...limits, resumeToken: token, acknowledgedId: doneId };
    const stream = messages.receiveMessages({ open: asked }, { signal: until });
    return stream[Symbol.asyncIterator]();
  };
  const steer = async (request: SteerWorkerRequest["request"]): Promise<void> => {
    await messages.steerWorker({ token, request });
  };
  const free = (): Promise<void> => steer({ case: "close", value: create(CloseSchema) });

  // The first stream goes on until it has told the token: without it, a worker that is there already can't be freed.
  const opening = new AbortController();
  const cancel = (): void => opening.abort(ended.reason);
  let late: ReturnType<typeof setTimeout> | undefined;
  const onEnded = (): void => {
    if (token === "") late = setTimeout(cancel, lastWordMs);
    else cancel();
  };
  if (ended.aborted) cancel();
  else ended.addEventListener("abort", onEnded, { once: true });
  let stream = await open(opening.signal);
  const first = await stream
    .next()
    .catch((error) => {
      linked[Symbol.dispose]();
      throw error;
    })
    .finally(() => clearTimeout(late));
  if (first.done === true || first.value.response.case !== "opened") {
    linked[Symbol.dispose]();
    await stream.return?.();
    throw new TypeError("the daemon did not say that the worker was opened: is it of another version?");
  }
  const { name, address: given, token: secret } = first.value.response.value;
  token = secret;
  if (ended.aborted) {
    await free().catch(() => {});
    cancel();
    linked[Symbol.dispose]();
    await stream.next();
    throw ended.reason;
  }
  // Otherwise the daemon would keep the worker for whoever comes back within the resume window.
  const onSignal = (): void => void free().catch(() => {});
  signal?.addEventListener("abort", onSignal, { once: true });
  /** Leaves nothing on a signal that lives on. */
  const letGo = (): void => {
    signal?.removeEventListener("abort", onSignal);
    linked[Symbol.dispose]();
  };

  /** The next response; a stream that was lost is opened again until the resume window has passed. */
  const next = async (): Promise<IteratorResult<ReceiveMessagesResponse>> => {
    const backoff = new Backoff({ firstMs: firstDelayMs, maxMs: maxDelayMs, random: () => pace.random() });
    let lostMs: number | undefined;
    for (;;) {
      try {
        return await stream.next();
      } catch (error) {
        if (closed.signal.aborted) return { done: true, value: undefined };
        lostMs ??= pace.nowMs();
        const isLasting = failureOf(error).code !== "unavailable" || pace.nowMs() - lostMs >= resumeWindowMs;
        if (ended.aborted || isLasting) {
          letGo();
          throw error;
        }
        await pace.wait(backoff.nextMs(), ended).catch((reason) => {
          if (!closed.signal.aborted) throw reason;
        });
        stream = await open(ended);
      }
    }
  };
  // The daemon keeps what is not acknowledged in the worker's queue, where it takes up the room of what comes next.
  const batch = BigInt(Math.max(1, Math.floor(queueMessages / 4)));
  let toldId = doneId;
  let doneBytes = 0;
  let toldBytes = 0;
  const acknowledge = async (): Promise<void> => {
    const throughId = doneId;
    const bytes = doneBytes;
    try {
      await steer({ case: "acknowledge", value: create(AcknowledgeSchema, { throughId }) });
      if (throughId <= toldId) return;
      toldId = throughId;
      toldBytes = bytes;
    } catch (error) {
      // It is told again when the connection is back.
      if (failureOf(error).code !== "unavailable") throw error;
    }
  };

  let heardId = doneId;
  /** Undefined at the end. */
  const nextMessage = async (): Promise<ReceivedMessage | undefined> => {
    for (;;) {
      const { done, value } = await next();
      if (done === true) return undefined;
      const { response } = value;
      if (response.case !== "message" || response.value.id <= heardId) continue;
      heardId = response.value.id;
      return response.value;
    }
  };
  // The stream is read on whatever the program does: one that stands still is cut off by the daemon, and one that is lost
  // has to be opened again within the resume window. What has come the daemon has as well until it is acknowledged, which
  // limits it; without a resume window it keeps nothing, and would write without limit.
  const take = resumeWindowMs > 0 ? readAhead(nextMessage, ended) : nextMessage;
  /** If nothing comes for a while, nothing stays unacknowledged: a large message may wait for all of the room. */
  const takeOrRest = async (): Promise<ReceivedMessage | undefined> => {
    const timer = setTimeout(() => {
      // Of a worker that is gone the stream tells.
      if (doneId > toldId) acknowledge().catch(() => {});
    }, restMs);
    try {
      return await take();
    } finally {
      clearTimeout(timer);
    }
  };

  const read = async function* (): AsyncGenerator<ReceivedMessage, void, undefined> {
    for (;;) {
      const message = await takeOrRest();
      if (message === undefined) return;
      const bytes = bytesOf(message);
      yield message;
      doneId = message.id;
      doneBytes += bytes;
      if (doneId - toldId >= batch || doneBytes - toldBytes >= unacknowledgedBytes) await acknowledge();
    }
  };
  const close = async (): Promise<void> => {
    if (closed.signal.aborted) return;
    try {
      await free();
    } catch (error) {
      if (failureOf(error).code !== "not_found") throw error;
    } finally {
      closed.abort();
      letGo();
    }
  };
  return {
    name,
    address: given,
    reply: (to, payload) => steer({ case: "reply", value: create(ReplySchema, { toId: to.id, payload }) }),
    send: (onwardRoute, payload) =>
      steer({ case: "send", value: create(SendSchema, { onwardRoute, payload }) }),
    close,
    [Symbol.asyncIterator]: read,
    [Symbol.asyncDispose]: close,
  };
}

/** About what the daemon counts for it. */
function bytesOf({ payload, onwardRoute, returnRoute, traceContext }: ReceivedMessage): number {
  return payload.byteLength + onwardRoute.length + returnRoute.length + traceContext.length;
}
