import { setTimeout as sleep } from "node:timers/promises";
import { create, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { type Any, anyPack } from "@bufbuild/protobuf/wkt";
import { type Code, ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.js";
import { errorDomain } from "../../src/api/errors.js";
import type { Exchange } from "../../src/api/exchange.js";
import type { Error as ErrorDefinition } from "./gen/connectrpc/conformance/v1/service_pb.js";
import {
  BidiStreamRequestSchema,
  type BidiStreamResponse,
  BidiStreamResponseSchema,
  ClientStreamRequestSchema,
  ClientStreamResponseSchema,
  type ConformancePayload,
  type ConformancePayload_RequestInfo,
  ConformancePayload_RequestInfoSchema,
  ConformancePayloadSchema,
  type ConformanceService,
  type Header,
  HeaderSchema,
  type IdempotentUnaryRequest,
  IdempotentUnaryRequestSchema,
  IdempotentUnaryResponseSchema,
  ServerStreamRequestSchema,
  ServerStreamResponseSchema,
  type StreamResponseDefinition,
  type UnaryRequest,
  UnaryRequestSchema,
  type UnaryResponseDefinition,
  UnaryResponseSchema,
} from "./gen/connectrpc/conformance/v1/service_pb.js";

/** The request that a call came with: the API hands no header on to its calls, and the suite wants to see them all. */
export type RequestOf = (context: HandlerContext) => Exchange;

/** A service that answers as each request tells it to, and says what it saw of the request. `Unimplemented` is missing. */
export function conformanceService(requestOf: RequestOf): Partial<ServiceImpl<typeof ConformanceService>> {
  const unary = async <Schema extends typeof UnaryRequestSchema | typeof IdempotentUnaryRequestSchema>(
    schema: Schema,
    request: UnaryRequest | IdempotentUnaryRequest,
    context: HandlerContext,
  ): Promise<ConformancePayload> => {
    const info = requestInfo(context, requestOf(context), [pack(schema, request as MessageShape<Schema>)]);
    return answerOnce(request.responseDefinition, info, context);
  };

  return {
    async unary(request, context) {
      return create(UnaryResponseSchema, { payload: await unary(UnaryRequestSchema, request, context) });
    },

    async idempotentUnary(request, context) {
      const payload = await unary(IdempotentUnaryRequestSchema, request, context);
      return create(IdempotentUnaryResponseSchema, { payload });
    },

    async clientStream(requests, context) {
      let definition: UnaryResponseDefinition | undefined;
      const seen: Any[] = [];
      for await (const request of requests) {
        if (seen.length === 0) definition = request.responseDefinition;
        seen.push(pack(ClientStreamRequestSchema, request));
      }
      const info = requestInfo(context, requestOf(context), seen);
      return create(ClientStreamResponseSchema, { payload: await answerOnce(definition, info, context) });
    },

    async *serverStream(request, context) {
      const definition = request.responseDefinition;
      if (definition === undefined) return;
      announce(definition, context);
      const info = requestInfo(context, requestOf(context), [pack(ServerStreamRequestSchema, request)]);
      for (const [index, data] of definition.responseData.entries()) {
        await pause(definition, context);
        yield create(ServerStreamResponseSchema, {
          payload: payloadOf(data, index === 0 ? info : undefined),
        });
      }
      if (definition.error !== undefined) {
        throw errorOf(definition.error, definition.responseData.length === 0 ? info : undefined);
      }
    },

    async *bidiStream(requests, context): AsyncGenerator<BidiStreamResponse> {
      let definition: StreamResponseDefinition | undefined;
      let isFullDuplex = false;
      let isFirst = true;
      let sent = 0;
      let seen: Any[] = [];
      const answer = async (
        info: ConformancePayload_RequestInfo | undefined,
      ): Promise<BidiStreamResponse> => {
        await pause(definition, context);
        const data = definition?.responseData[sent];
        sent++;
        return create(BidiStreamResponseSchema, { payload: payloadOf(data, info) });
      };
      const remaining = (): number => (definition?.responseData.length ?? 0) - sent;

      for await (const request of requests) {
        seen.push(pack(BidiStreamRequestSchema, request));
        if (isFirst) {
          isFirst = false;
          definition = request.responseDefinition;
          isFullDuplex = request.fullDuplex;
          if (definition !== undefined) announce(definition, context);
        }
        if (!isFullDuplex) continue;
        if (remaining() <= 0) break;
        yield await answer(
          sent === 0
            ? requestInfo(context, requestOf(context), seen)
            : create(ConformancePayload_RequestInfoSchema, { requests: seen }),
        );
        seen = [];
      }
      const whole = sent === 0 ? requestInfo(context, requestOf(context), seen) : undefined;
      while (remaining() > 0) yield await answer(sent === 0 ? whole : undefined);
      if (definition?.error !== undefined) throw errorOf(definition.error, sent === 0 ? whole : undefined);
    },
  };
}

const errorInfo = {
  desc: ErrorInfoSchema,
  value: create(ErrorInfoSchema, { reason: "ASKED_FOR", domain: errorDomain }),
};

/** The same error as the suite asked for it. */
export function withoutErrorInfo(error: ConnectError): ConnectError {
  const plain = new ConnectError(error.rawMessage, error.code, undefined, undefined, error.cause);
  plain.details = error.details.filter(
    (detail) => ("desc" in detail ? detail.desc.typeName : detail.type) !== ErrorInfoSchema.typeName,
  );
  return plain;
}

async function answerOnce(
  definition: UnaryResponseDefinition | undefined,
  info: ConformancePayload_RequestInfo,
  context: HandlerContext,
): Promise<ConformancePayload> {
  if (definition === undefined) return payloadOf(undefined, info);
  announce(definition, context);
  await pause(definition, context);
  const { response } = definition;
  if (response.case === "error") throw errorOf(response.value, info);
  return payloadOf(response.value, info);
}

function announce(
  definition: UnaryResponseDefinition | StreamResponseDefinition,
  { responseHeader, responseTrailer }: HandlerContext,
): void {
  append(responseHeader, definition.responseHeaders);
  append(responseTrailer, definition.responseTrailers);
}

function append(target: Headers, headers: readonly Header[]): void {
  for (const { name, value } of headers) for (const one of value) target.append(name, one);
}

/** Ends early, with the reason of the signal, if the call does. */
async function pause(
  definition: UnaryResponseDefinition | StreamResponseDefinition | undefined,
  { signal }: HandlerContext,
): Promise<void> {
  const delayMs = definition?.responseDelayMs ?? 0;
  if (delayMs > 0) await sleep(delayMs, undefined, { signal });
}

function payloadOf(
  data: Uint8Array | undefined,
  info: ConformancePayload_RequestInfo | undefined,
): ConformancePayload {
  return create(ConformancePayloadSchema, {
    ...(data !== undefined && { data }),
    ...(info !== undefined && { requestInfo: info }),
  });
}

function errorOf(
  { code, message, details }: ErrorDefinition,
  info: ConformancePayload_RequestInfo | undefined,
): ConnectError {
  const error = new ConnectError(message ?? "", code as number as Code);
  const all = info === undefined ? details : [...details, pack(ConformancePayload_RequestInfoSchema, info)];
  error.details = all.map(({ typeUrl, value }) => ({
    type: typeUrl.slice(typeUrl.lastIndexOf("/") + 1),
    value,
  }));
  // An error of the API that has none is a fault of the daemon.
  error.details.push(errorInfo);
  return error;
}

function requestInfo(
  context: HandlerContext,
  request: Exchange,
  requests: Any[],
): ConformancePayload_RequestInfo {
  const timeoutMs = context.timeoutMs();
  const isGet = context.requestMethod === "GET";
  return create(ConformancePayload_RequestInfoSchema, {
    requestHeaders: grouped(pairsOf(request.rawHeaders)),
    requests,
    ...(timeoutMs !== undefined && { timeoutMs: BigInt(Math.round(timeoutMs)) }),
    ...(isGet && { connectGetInfo: { queryParams: grouped(new URL(context.url).searchParams) } }),
  });
}

function* pairsOf(raw: readonly string[]): Iterable<[string, string]> {
  for (let at = 0; at + 1 < raw.length; at += 2) {
    if (!raw[at]!.startsWith(":")) yield [raw[at]!.toLowerCase(), raw[at + 1]!];
  }
}

function grouped(pairs: Iterable<[string, string]>): Header[] {
  const values = new Map<string, string[]>();
  for (const [name, value] of pairs) values.set(name, [...(values.get(name) ?? []), value]);
  return [...values].map(([name, value]) => create(HeaderSchema, { name, value }));
}

function pack<Schema extends DescMessage>(schema: Schema, message: MessageShape<Schema>): Any {
  return anyPack(schema, message);
}
