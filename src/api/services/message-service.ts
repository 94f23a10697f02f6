import { create } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import * as pb from "../../../gen/portway/v1/message_service_pb.js";
import { PortwayError } from "../../base/errors.js";
import { decodeBareBytes, encodeBareBytes } from "../../model/bare.js";
import { toMs } from "../from-proto.js";
import { parseNodeName } from "../names.js";
import { toDuration } from "../to-proto.js";
import type { ServiceContext } from "./context.js";

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
