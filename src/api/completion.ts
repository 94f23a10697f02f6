import { Code, ConnectError } from "@connectrpc/connect";
import type { UniversalServerResponse } from "@connectrpc/connect/protocol";
import { errorFromJsonBytes, errorToJsonBytes } from "@connectrpc/connect/protocol-connect";
import { findTrailerError, setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import { completeError } from "./errors.js";

/*
 * Errors that Connect makes itself never pass an interceptor: a body that can't be read, a message that is too large, a
 * deadline that passed. They are found in the answer and get their ErrorInfo here, in each protocol's own place.
 */

/**
 * The same answer of status 200; if it is an error, with its ErrorInfo. gRPC says in its trailers whether it is, which
 * are only known when the body is out: they are looked at when asked for.
 */
export function completeAnswer(answer: UniversalServerResponse): UniversalServerResponse {
  const { trailer, body } = answer;
  if (trailer !== undefined) {
    return {
      ...answer,
      get trailer() {
        return completeTrailers(trailer);
      },
    };
  }
  if (body !== undefined && answer.header?.get("content-type")?.startsWith("application/grpc-web")) {
    return { ...answer, body: completeGrpcWeb(body) };
  }
  return answer;
}

/** The same answer of another status: a Connect error, in JSON. */
export async function completeConnectError(
  answer: UniversalServerResponse,
): Promise<UniversalServerResponse> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of answer.body ?? []) chunks.push(chunk);
  const told = Buffer.concat(chunks);
  const given = errorFromJsonBytes(told, undefined, new ConnectError("", Code.Internal));
  const error = completeError(given);
  if (error === given) return { ...answer, body: once(told) };
  const body = errorToJsonBytes(error, undefined);
  const header = new Headers(answer.header);
  header.set("content-length", String(body.byteLength));
  // Connect blames itself (500) for bytes that the caller got wrong (400).
  const status = error.code === Code.InvalidArgument ? 400 : answer.status;
  return { status, header, body: once(body) };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function completeTrailers(trailer: Headers): Headers {
  if (trailer.get("grpc-status") === "0") return trailer;
  const given = findTrailerError(trailer);
  if (given === undefined) return trailer;
  const error = completeError(given);
  return error === given ? trailer : setTrailerStatus(new Headers(), error);
}

const trailerFlag = 0x80;
const envelopeBytes = 5;

/** In gRPC-Web the trailers are the last envelope of the body: a flag, a length and lines of text. */
async function* completeGrpcWeb(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const envelope of body) {
    if (((envelope[0] ?? 0) & trailerFlag) === 0) {
      yield envelope;
      continue;
    }
    const given = new Headers();
    for (const line of Buffer.from(envelope.subarray(envelopeBytes)).toString("latin1").split("\r\n")) {
      const colon = line.indexOf(":");
      if (colon > 0) given.append(line.slice(0, colon), line.slice(colon + 1).trim());
    }
    const trailer = completeTrailers(given);
    if (trailer === given) {
      yield envelope;
      continue;
    }
    const lines: string[] = [];
    trailer.forEach((value, name) => {
      lines.push(`${name}: ${value}\r\n`);
    });
    const text = Buffer.from(lines.join(""), "latin1");
    const head = Buffer.alloc(envelopeBytes);
    head.writeUInt8(trailerFlag, 0);
    head.writeUInt32BE(text.byteLength, 1);
    yield Buffer.concat([head, text]);
  }
}
