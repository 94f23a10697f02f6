import type {
  DescMessage,
  DescMethod,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  Message,
  MessageInitShape,
} from "@bufbuild/protobuf";
import type { CallOptions, Client } from "@connectrpc/connect";
import { createCall, type Libraries, type UnaryCall } from "./call.js";
import type { Exchange } from "./exchange.js";
import type { ClientOptions } from "./options.js";

/** The way to one daemon. Disposing it cancels the calls that are under way. */
export interface Channel extends Disposable {
  /** A typed client of one service; a bundle then holds this service alone. Throws nothing, dials nothing. */
  client<S extends DescService>(service: S): Client<S>;
  /** The same for a service that its first call loads; `streams` names its methods that answer with a stream. */
  lazyClient<S extends DescService>(load: () => Promise<S>, streams: readonly StreamName<S>[]): Client<S>;
}

/** The methods of a service that take one message and answer with a stream. */
export type StreamName<S extends DescService> = {
  [M in keyof S["method"]]: S["method"][M] extends { methodKind: "server_streaming" } ? M : never;
}[keyof S["method"]];

export interface ChannelParts {
  /** Opened by the first call. */
  readonly exchange: () => Promise<Exchange>;
  /** Aborted when the channel is disposed. */
  readonly closed: AbortController;
  readonly options: Required<ClientOptions>;
  readonly libraries: Libraries;
}

export function channelOn({ exchange, closed, options, libraries }: ChannelParts): Channel {
  let opened: Promise<Exchange> | undefined;
  const open = (): Promise<Exchange> => {
    opened ??= exchange();
    return opened;
  };
  const call = createCall(open, closed.signal, options, libraries);
  const stream: StreamCall = async function* (method, input, callOptions) {
    const { openStream } = await import("./server-stream.js");
    yield* openStream(open, closed.signal, options, libraries, method, input, callOptions);
  };
  return {
    client: (service) => {
      const methods = Object.entries(service.method);
      const streams = methods.filter(([, { methodKind }]) => methodKind === "server_streaming");
      return serviceClient(() => service, new Set(streams.map(([name]) => name)), call, stream);
    },
    lazyClient: (load, streams) =>
      serviceClient(load, new Set<string>(streams as readonly string[]), call, stream),
    [Symbol.dispose]() {
      closed.abort();
      opened?.then((one) => one[Symbol.dispose]()).catch(() => {});
    },
  };
}

type Input = MessageInitShape<DescMessage>;

type StreamCall = (
  method: DescMethodServerStreaming,
  input: Input,
  options?: CallOptions,
) => AsyncGenerator<Message, void, undefined>;

function serviceClient<S extends DescService>(
  load: () => S | Promise<S>,
  streams: ReadonlySet<string>,
  call: UnaryCall,
  stream: StreamCall,
): Client<S> {
  const find = async (name: string, kind: DescMethod["methodKind"]): Promise<DescMethod> => {
    const service = await load();
    const method = service.method[name];
    if (method?.methodKind === kind) return method;
    const word = kind === "unary" ? "unary" : "streaming";
    throw new TypeError(`${service.typeName} has no ${word} method "${name}"`);
  };
  const invoke = async (name: string, input: Input, options?: CallOptions): Promise<Message> =>
    call((await find(name, "unary")) as DescMethodUnary, input, options);
  const open = async function* (name: string, input: Input, options?: CallOptions) {
    yield* stream((await find(name, "server_streaming")) as DescMethodServerStreaming, input, options);
  };
  return new Proxy({} as Client<S>, {
    // A `then` would make the client look like a promise to whoever awaits it.
    get: (_target, name) =>
      typeof name !== "string" || name === "then"
        ? undefined
        : (input: Input, options?: CallOptions) => (streams.has(name) ? open : invoke)(name, input, options),
  });
}
