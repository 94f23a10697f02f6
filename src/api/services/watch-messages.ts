import { create } from "@bufbuild/protobuf";
import * as pb from "../../../gen/portway/v1/message_service_pb.js";
import { Address } from "../../model/address.js";
import type { Engine, MessageEvent } from "../../node/engine.js";
import { blame } from "../fields.js";
import { parseNodeName } from "../names.js";
import { toTimestamp, toWorkerKind } from "../to-proto.js";
import { Wakeup } from "./wakeup.js";

const kinds = {
  received: pb.MessageEventKind.RECEIVED,
  forwarded: pb.MessageEventKind.FORWARDED,
  delivered: pb.MessageEventKind.DELIVERED,
  dropped: pb.MessageEventKind.DROPPED,
} as const satisfies Record<MessageEvent["kind"], pb.MessageEventKind>;

const words: ReadonlyMap<pb.MessageEventKind, MessageEvent["kind"]> = new Map(
  Object.entries(kinds).map(([word, kind]) => [kind, word as MessageEvent["kind"]]),
);

/** Serves WatchMessages. */
export async function* watchMessages(
  engine: Engine,
  request: pb.WatchMessagesRequest,
  signal: AbortSignal,
): AsyncGenerator<pb.WatchMessagesResponse, void, undefined> {
  checkAddress(request);
  const wakeup = new Wakeup();
  using watch = await engine.watchMessages(
    {
      node: parseNodeName(request.node),
      address: request.address,
      onwardPrefix: request.onwardPrefix,
      kinds: request.kinds.flatMap((kind) => words.get(kind) ?? []),
      maxPayloadBytes: request.maxPayloadBytes,
    },
    wakeup.wake,
  );
  yield create(pb.WatchMessagesResponseSchema, {
    time: toTimestamp(Date.now()),
    kind: pb.MessageEventKind.STARTED,
  });
  for (;;) {
    const event = watch.take();
    if (event === undefined) await wakeup.sleep(signal);
    else yield toResponse(event);
  }
}

/** The engine reads it as well; here it is known that it is not the route that is wrong. */
function checkAddress({ address }: pb.WatchMessagesRequest): void {
  try {
    Address.parse(address);
  } catch (error) {
    throw blame("portway.v1.MessageService/WatchMessages.address", error);
  }
}

function toResponse(event: MessageEvent): pb.WatchMessagesResponse {
  const { timeMs, kind, address, workerKind, dropReason, payload, entrance } = event;
  return create(pb.WatchMessagesResponseSchema, {
    time: toTimestamp(timeMs),
    kind: kinds[kind],
    address,
    ...(workerKind !== undefined && { workerKind: toWorkerKind(workerKind) }),
    dropReason,
    onwardRoute: event.onward,
    returnRoute: event.return,
    payload,
    payloadBytes: BigInt(event.payloadBytes),
    entrance,
    skipped: BigInt(event.skipped),
  });
}
