import { create } from "@bufbuild/protobuf";
import * as pb from "../../../gen/portway/v1/message_service_pb.js";
import { PortwayError } from "../../base/errors.js";
import type { Engine, OpenedWorker, WorkerEvent, WorkerMessage, WorkerStream } from "../../node/engine.js";
import { toMs } from "../from-proto.js";
import { formatName, parseNodeName } from "../names.js";
import { toTimestamp } from "../to-proto.js";
import { Wakeup } from "./wakeup.js";
import { toGrant, WorkerClient } from "./worker-client.js";

const defaultQueueMessages = 1024;
const defaultQueueBytes = 4 * 1024 * 1024;
const unlimited = { messages: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY };

type Answer = Exclude<pb.ReceiveMessagesResponse["response"], { case: undefined }>;

/** Serves OpenWorker. */
export async function* openWorker(
  engine: Engine,
  requests: AsyncIterable<pb.OpenWorkerRequest>,
  signal: AbortSignal,
): AsyncGenerator<pb.OpenWorkerResponse, void, undefined> {
  const wakeup = new Wakeup();
  const iterator = requests[Symbol.asyncIterator]();
  const first = await iterator.next();
  if (first.done === true || first.value.request.case !== "open") {
    const said = "the first message of the stream must be `open`";
    throw new PortwayError("bad_argument", said, { field: "open" });
  }
  const open = first.value.request.value;
  const stream = await openStream(engine, open, wakeup);
  let client: WorkerClient | undefined;
  try {
    if (open.initialGrant !== undefined) stream.grant(toGrant(open.initialGrant));
    yield answer(opened(stream.opened));
    client = new WorkerClient({ control: stream, requests: iterator, signal, woken: wakeup.wake });
    for (;;) {
      const result = client.takeResult();
      if (result !== undefined) {
        yield answer({ case: "result", value: result });
        continue;
      }
      const event = stream.take();
      if (event?.kind === "ended") return endOf(event.error);
      if (event !== undefined) yield answer(eventOf(event));
      else if (client.isDone) {
        // That its side ended does not tell a client that leaves from one that was cut off: both may come back.
        if (client.wantsClose) stream.close();
        return;
      } else await wakeup.sleep(signal);
    }
  } finally {
    client?.end();
    stream.detach();
  }
}

/** Serves ReceiveMessages. */
export async function* receiveMessages(
  engine: Engine,
  { open }: pb.ReceiveMessagesRequest,
  signal: AbortSignal,
): AsyncGenerator<pb.ReceiveMessagesResponse, void, undefined> {
  const wakeup = new Wakeup();
  const stream = await openStream(engine, open!, wakeup);
  try {
    const grant = open?.initialGrant;
    stream.grant(grant === undefined ? unlimited : toGrant(grant));
    yield create(pb.ReceiveMessagesResponseSchema, { response: opened(stream.opened) });
    for (;;) {
      const event = stream.take();
      if (event?.kind === "ended") return endOf(event.error);
      if (event === undefined) await wakeup.sleep(signal);
      else yield create(pb.ReceiveMessagesResponseSchema, { response: eventOf(event) });
    }
  } finally {
    stream.detach();
  }
}

function openStream(engine: Engine, open: pb.OpenWorker, { wake }: Wakeup): Promise<WorkerStream> {
  const node = parseNodeName(open.node);
  const { resumeToken, acknowledgedId } = open;
  if (resumeToken !== "") {
    const resume = { node, token: resumeToken, acknowledgedId: Number(acknowledgedId) };
    return engine.openWorkers.resume(resume, wake);
  }
  return engine.openWorkers.open(
    {
      node,
      address: open.address,
      whenFull: open.whenFull === pb.WhenFull.REFUSE ? "refuse" : "wait",
      queueMessages: open.queueMessages === 0 ? defaultQueueMessages : open.queueMessages,
      queueBytes: open.queueBytes === 0n ? defaultQueueBytes : Number(open.queueBytes),
      resumeWindowMs: open.resumeWindow === undefined ? 0 : toMs(open.resumeWindow),
    },
    wake,
  );
}

function endOf(error: PortwayError | undefined): void {
  if (error !== undefined) throw error;
}

function answer(
  response: Exclude<pb.OpenWorkerResponse["response"], { case: undefined }>,
): pb.OpenWorkerResponse {
  return create(pb.OpenWorkerResponseSchema, { response });
}

function opened({ node, address, token, resumed, nextId }: OpenedWorker): Answer {
  const name = formatName("workers", node, address);
  const value = create(pb.WorkerOpenedSchema, { name, address, token, resumed, nextId: BigInt(nextId) });
  return { case: "opened", value };
}

function eventOf(event: Exclude<WorkerEvent, { kind: "ended" }>): Answer {
  switch (event.kind) {
    case "message":
      return { case: "message", value: toMessage(event.message) };
    case "starved": {
      const { payloadBytes, grantedBytes } = event;
      const sizes = { payloadBytes: BigInt(payloadBytes), grantedBytes: BigInt(grantedBytes) };
      return { case: "starved", value: create(pb.WorkerStarvedSchema, sizes) };
    }
    case "refused": {
      const value = create(pb.MessagesRefusedSchema, { total: BigInt(event.total) });
      return { case: "refused", value };
    }
  }
}

function toMessage(message: WorkerMessage): pb.ReceivedMessage {
  const { id, onward, return: back, payload, trace, redelivered, receiveTimeMs } = message;
  return create(pb.ReceivedMessageSchema, {
    id: BigInt(id),
    onwardRoute: onward,
    returnRoute: back,
    payload,
    traceContext: trace,
    redelivered,
    receiveTime: toTimestamp(receiveTimeMs),
  });
}
