import { setMaxListeners } from "node:events";
import type { DescMethodUnary, DescService, MessageInitShape } from "@bufbuild/protobuf";
import type { CallOptions, Client } from "@connectrpc/connect";
import { createCall, type UnaryCall } from "./call.js";
import type { PortwayClient } from "./client.js";
import { createExchange, type Exchange } from "./exchange.js";
import { type ClientOptions, type ClientTarget, resolveClientOptions } from "./options.js";

/**
 * A client of the daemon at `target`. Nothing is dialed, and nothing of the API is loaded, before the first call; a
 * call loads the service that it asks. Disposing it cancels the calls that are under way.
 *
 * Throws a TypeError for a base URL that is none.
 */
export function createPortwayClient(target: ClientTarget, given: ClientOptions = {}): PortwayClient {
  if ("baseUrl" in target && !/^https?:$/.test(new URL(target.baseUrl).protocol)) {
    throw new TypeError(`"${target.baseUrl}" is no base URL: expected http or https`);
  }
  const options = resolveClientOptions(given);
  const closed = new AbortController();
  // Each call that is under way listens to its signal.
  setMaxListeners(0, closed.signal);
  let exchange: Promise<Exchange> | undefined;
  const open = (): Promise<Exchange> => {
    exchange ??= createExchange(target, options);
    return exchange;
  };
  const call = createCall(open, closed.signal, options);
  return {
    nodes: lazyClient(
      async () => (await import("../../gen/portway/v1/node_service_pb.js")).NodeService,
      call,
    ),
    relays: lazyClient(
      async () => (await import("../../gen/portway/v1/relay_service_pb.js")).RelayService,
      call,
    ),
    portals: lazyClient(
      async () => (await import("../../gen/portway/v1/portal_service_pb.js")).PortalService,
      call,
    ),
    messages: lazyClient(
      async () => (await import("../../gen/portway/v1/message_service_pb.js")).MessageService,
      call,
    ),
    system: lazyClient(
      async () => (await import("../../gen/portway/v1/system_service_pb.js")).SystemService,
      call,
    ),
    [Symbol.dispose]() {
      closed.abort();
      void exchange?.then((opened) => opened[Symbol.dispose]());
    },
  };
}

/** A client whose service is loaded by its first call. All methods of the API are unary. */
function lazyClient<S extends DescService>(load: () => Promise<S>, call: UnaryCall): Client<S> {
  const invoke = async (
    name: string,
    input: MessageInitShape<DescMethodUnary["input"]>,
    options?: CallOptions,
  ) => {
    const service = await load();
    const method = service.method[name];
    if (method?.methodKind !== "unary")
      throw new TypeError(`${service.typeName} has no unary method "${name}"`);
    return call(method as DescMethodUnary, input, options);
  };
  return new Proxy({} as Client<S>, {
    // A `then` would make the client look like a promise to whoever awaits it.
    get: (_target, name) =>
      typeof name !== "string" || name === "then"
        ? undefined
        : (input: MessageInitShape<DescMethodUnary["input"]>, options?: CallOptions) =>
            invoke(name, input, options),
  });
}
