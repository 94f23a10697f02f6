import { Code, ConnectError } from "@connectrpc/connect";
import type { UniversalServerResponse } from "@connectrpc/connect/protocol";
import {
  createEndStreamSerialization,
  endStreamFlag,
  errorFromJsonBytes,
  errorToJsonBytes,
} from "@connectrpc/connect/protocol-connect";
import { findTrailerError, setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import { envelopeBytes, envelopeOf } from "./envelope.js";
import type { CompleteError } from "./errors.js";

/*
 * Errors that Connect makes itself never pass an interceptor: a body that can't be read, a message that is too large, a
 * deadline that passed. They are found in the answer and get their ErrorInfo here, in each protocol's own place.
 */

/**
 * The same answer of status 200; if it is an error, with its ErrorInfo. gRPC says in its trailers whether it is, which
 * are only known when the body is out: they are looked at when asked for.
 */
export function completeAnswer(
  answer: UniversalServerResponse,
  complete: CompleteError,
): UniversalServerResponse {
  const { trailer, body } = answer;
  if (trailer !== undefined) {
    return {
      ...answer,
      get trailer() {
        return completeTrailers(trailer, complete);
      },
    };
  }
  const type = answer.header?.get("content-type");
  if (body !== undefined && type?.startsWith("application/grpc-web")) {
    return { ...answer, body: completeGrpcWeb(body, complete) };
  }
  if (body !== undefined && type?.startsWith("application/connect+")) {
    return { ...answer, body: completeConnectStream(body, complete) };
  }
  return answer;
}

/** The same answer of another status: a Connect error, in JSON. */
export async function completeConnectError(
  answer: UniversalServerResponse,
  complete: CompleteError,
): Promise<UniversalServerResponse> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of answer.body ?? []) chunks.push(chunk);
  const told = Buffer.concat(chunks);
  const given = errorFromJsonBytes(told, undefined, new ConnectError("", Code.Internal));
  const error = complete(given);
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

const statusTrailers = ["grpc-status", "grpc-message", "grpc-status-details-bin"] as const;

function completeTrailers(trailer: Headers, complete: CompleteError): Headers {
  if (trailer.get("grpc-status") === "0") return trailer;
  const given = findTrailerError(trailer);
  if (given === undefined) return trailer;
  const error = complete(given);
  if (error === given) return trailer;
  const completed = new Headers(trailer);
  for (const name of statusTrailers) completed.delete(name);
  return setTrailerStatus(completed, error);
}

const trailerFlag = 0x80;

/** In gRPC-Web the trailers are the last envelope of the body: a flag, a length and lines of text. */
async function* completeGrpcWeb(
  body: AsyncIterable<Uint8Array>,
  complete: CompleteError,
): AsyncGenerator<Uint8Array> {
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
    const trailer = completeTrailers(given, complete);
    if (trailer === given) {
      yield envelope;
      continue;
    }
    const lines: string[] = [];
    trailer.forEach((value, name) => {
      lines.push(`${name}: ${value}\r\n`);
    });
    yield envelopeOf(trailerFlag, Buffer.from(lines.join(""), "latin1"));
  }
}

const endStream = createEndStreamSerialization(undefined);

/** In a Connect stream the error is in the last envelope of the body: a flag, a length and JSON. */
async function* completeConnectStream(
  body: AsyncIterable<Uint8Array>,
  complete: CompleteError,
): AsyncGenerator<Uint8Array> {
  for await (const envelope of body) {
    if (((envelope[0] ?? 0) & endStreamFlag) === 0) {
      yield envelope;
      continue;
    }
    const end = endStream.parse(envelope.subarray(envelopeBytes));
    const error = end.error === undefined ? undefined : complete(end.error);
    yield error === undefined || error === end.error
      ? envelope
      : envelopeOf(endStreamFlag, endStream.serialize({ ...end, error }));
  }
}

/** The body of a Connect stream that is nothing but its error. */
export function endOfConnectStream(error: ConnectError): Uint8Array {
  return envelopeOf(endStreamFlag, endStream.serialize({ metadata: new Headers(), error }));
}
