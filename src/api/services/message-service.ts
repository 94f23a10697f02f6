import { create } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import * as pb from "../../../gen/portway/v1/message_service_pb.js";
import { PortwayError } from "../../base/errors.js";
import { decodeBareBytes, encodeBareBytes } from "../../model/bare.js";
import { blame } from "../fields.js";
import { toMs } from "../from-proto.js";
import { parseNodeName } from "../names.js";
import { toDuration } from "../to-proto.js";
import type { ServiceContext } from "./context.js";
import { watchMessages } from "./watch-messages.js";
import { openWorker, receiveMessages } from "./worker-calls.js";
import { perform } from "./worker-client.js";

const defaultTimeoutMs = 10_000;

export function messageService({ engine }: ServiceContext): ServiceImpl<typeof pb.MessageService> {
  return {
    async sendMessage(request, call) {
      const isBare = request.encoding === pb.PayloadEncoding.BARE;
      const reply = await engine.sendMessage(
        {
          node: request.node === "" ? "" : parseNodeName(request.node),
          to: request.to,
          payload: isBare ? encodeBareBytes(request.payload) : request.payload,
          timeoutMs: timeoutOf(request, call),
        },
        { signal: call.signal },
      );
      return create(pb.SendMessageResponseSchema, {
        payload: isBare ? decodeReply(reply.payload) : reply.payload,
        returnRoute: reply.returnRoute,
        roundTripTime: toDuration(reply.roundTripMs),
      });
    },
    openWorker: (requests, { signal }) => openWorker(engine, requests, signal),
    receiveMessages: (request, { signal }) => receiveMessages(engine, request, signal),
    async steerWorker({ token, request }) {
      const control = await engine.openWorkers.steer(token);
      try {
        // One of them is there: the request was checked.
        if (request.case !== undefined) await perform(control, request);
      } catch (error) {
        throw blame(`portway.v1.MessageService/SteerWorker.${request.case}`, error);
      }
      return create(pb.SteerWorkerResponseSchema);
    },
    watchMessages: (request, { signal }) => watchMessages(engine, request, signal),
  };
}

/** The call's own deadline is not waited beyond. */
function timeoutOf({ timeout }: pb.SendMessageRequest, call: HandlerContext): number {
  const askedMs = timeout === undefined ? defaultTimeoutMs : toMs(timeout);
  const leftMs = call.timeoutMs();
  return leftMs === undefined ? askedMs : Math.max(1, Math.min(askedMs, Math.ceil(leftMs)));
}

function decodeReply(payload: Uint8Array): Uint8Array {
  try {
    return decodeBareBytes(payload);
  } catch (error) {
    if (!(error instanceof PortwayError)) throw error;
    throw new PortwayError("bad_reply", `the reply is ${error.message}; ask for RAW to see it`, error.facts);
  }
}
