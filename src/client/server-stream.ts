import type { DescMessage, DescMethodServerStreaming, Message, MessageInitShape } from "@bufbuild/protobuf";
import type { CallOptions } from "@connectrpc/connect";
import { asCallError, deadlineOf, headersOf, type Libraries, limitOf, timeoutHeader } from "./call.js";
import { CallError, connectErrorOf, errorOfJson, tooLargeAnswer } from "./call-error.js";
import type { Exchange } from "./exchange.js";
import type { ClientOptions } from "./options.js";

/** An envelope is a byte of flags, four of length, and the message. */
const headBytes = 5;
const compressedFlag = 1;
const endFlag = 2;

/**
 * One call whose answer is a stream, tried once: whoever reads knows where to go on. It has a deadline only if the call
 * gives one. Leaving the loop ends the call.
 */
export async function* openStream(
  exchange: () => Promise<Exchange>,
  closed: AbortSignal,
  options: Required<ClientOptions>,
  libraries: Libraries,
  method: DescMethodServerStreaming,
  input: MessageInitShape<DescMessage>,
  callOptions: CallOptions = {},
): AsyncGenerator<Message, void, undefined> {
  const { signal } = callOptions;
  const timeoutMs = deadlineOf(callOptions.timeoutMs);
  const limit = limitOf(timeoutMs, method.name, closed, signal);
  try {
    const { create, fromBinary, toBinary } = await libraries.protobuf();
    const body = enveloped(toBinary(method.input, create(method.input, input)));
    const headers = {
      ...options.headers,
      ...headersOf(callOptions.headers),
      ...(timeoutMs !== undefined && timeoutHeader(timeoutMs)),
    };
    limit.signal.throwIfAborted();
    const path = `/${method.parent.typeName}/${method.name}`;
    const bytes = (await exchange()).open({ path, body, headers, signal: limit.signal });
    for await (const message of messagesOf(bytes, options.maxResponseBytes, method.name)) {
      yield fromBinary(method.output, message);
    }
  } catch (error) {
    throw connectErrorOf(asCallError(error), await libraries.connectError());
  } finally {
    limit[Symbol.dispose]();
  }
}

function enveloped(message: Uint8Array): Uint8Array {
  const envelope = new Uint8Array(headBytes + message.byteLength);
  new DataView(envelope.buffer).setUint32(1, message.byteLength);
  envelope.set(message, headBytes);
  return envelope;
}

/** The messages in a stream of envelopes. Throws what its end says, and UNAVAILABLE if it breaks off before that. */
async function* messagesOf(
  bytes: AsyncIterable<Uint8Array>,
  maxBytes: number,
  name: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  // What lies in front of `end` is never written again: messages are views of it.
  let buffer = new Uint8Array(0);
  let held = buffer;
  for await (const chunk of bytes) {
    if (held.byteOffset + held.byteLength + chunk.byteLength > buffer.byteLength) {
      buffer = new Uint8Array(Math.max(held.byteLength + chunk.byteLength, 2 * held.byteLength));
      buffer.set(held);
      held = buffer.subarray(0, held.byteLength);
    }
    buffer.set(chunk, held.byteOffset + held.byteLength);
    held = buffer.subarray(held.byteOffset, held.byteOffset + held.byteLength + chunk.byteLength);
    while (held.byteLength >= headBytes) {
      const view = new DataView(held.buffer, held.byteOffset);
      const size = view.getUint32(1);
      if (size > maxBytes) throw tooLargeAnswer(name, maxBytes);
      if (held.byteLength < headBytes + size) break;
      const flags = view.getUint8(0);
      const message = held.subarray(headBytes, headBytes + size);
      held = held.subarray(headBytes + size);
      if ((flags & compressedFlag) !== 0) {
        throw new CallError("internal", `${name} answered compressed, which was not asked for`);
      }
      if ((flags & endFlag) !== 0) {
        const error = errorAtEnd(message, name);
        if (error !== undefined) throw error;
        return;
      }
      yield message;
    }
  }
  throw new CallError("unavailable", `the stream of ${name} broke off`);
}

function errorAtEnd(end: Uint8Array, name: string): CallError | undefined {
  try {
    const { error } = JSON.parse(new TextDecoder().decode(end)) as { error?: unknown };
    if (error === undefined) return undefined;
    return errorOfJson(error) ?? new CallError("unknown", `${name} failed with an error that can't be read`);
  } catch {
    return new CallError("internal", `the end of the stream of ${name} is no JSON`);
  }
}
