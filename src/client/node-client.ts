import { setMaxListeners } from "node:events";
import type { Libraries } from "./call.js";
import { type Channel, channelOn } from "./channel.js";
import { type PortwayClient, portwayClientOn } from "./client.js";
import { createNodeExchange } from "./node-exchange.js";
import { type ClientOptions, type ClientTarget, checkBaseUrl, resolveClientOptions } from "./options.js";

/**
 * A client of the daemon at `target`. Nothing is dialed, and nothing of the API is loaded, before the first call; a
 * call loads the service that it asks. Disposing it cancels the calls that are under way.
 *
 * Throws a TypeError for a base URL that is none.
 */
export function createPortwayClient(target: ClientTarget, options?: ClientOptions): PortwayClient {
  return portwayClientOn(createChannel(target, options));
}

/** The same for programs that name the services which they use. */
export function createChannel(target: ClientTarget, given?: ClientOptions): Channel {
  if ("baseUrl" in target) checkBaseUrl(target.baseUrl);
  const options = resolveClientOptions(given);
  const closed = new AbortController();
  // Each call that is under way listens to its signal.
  setMaxListeners(0, closed.signal);
  return channelOn({ exchange: () => createNodeExchange(target, options), closed, options, libraries });
}

const libraries: Libraries = {
  protobuf: () => import("@bufbuild/protobuf"),
  connectError: async () => (await import("@connectrpc/connect")).ConnectError,
};
