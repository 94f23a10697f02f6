import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import type { Libraries } from "./call.js";
import { type Channel, channelOn } from "./channel.js";
import { type PortwayClient, portwayClientOn } from "./client.js";
import { createFetchExchange, type FetchTarget } from "./fetch-exchange.js";
import { type ClientOptions, type ClientTarget, checkBaseUrl, resolveClientOptions } from "./options.js";

/** As createPortwayClient of Node, for a page: over `fetch`, to a base URL. A bundle holds all services. */
export function createPortwayClient(target: ClientTarget, options?: ClientOptions): PortwayClient {
  return portwayClientOn(createChannel(target, options));
}

/** As createChannel of Node, for a page. Throws a TypeError for a target that a page can't reach. */
export function createChannel(target: ClientTarget, given?: ClientOptions): Channel {
  const fetchTarget = forPage(target);
  const options = resolveClientOptions(given);
  const exchange = createFetchExchange(fetchTarget, options);
  return channelOn({ exchange: async () => exchange, closed: new AbortController(), options, libraries });
}

function forPage(target: ClientTarget): FetchTarget {
  const { socketPath, tokenPath, tls, baseUrl, token } = { ...target } as Record<string, unknown>;
  for (const [name, value] of Object.entries({ socketPath, tokenPath, tls })) {
    if (value !== undefined) {
      throw new TypeError(`a browser has no use for "${name}": expected baseUrl and, with it, token`);
    }
  }
  checkBaseUrl(baseUrl);
  return typeof token === "string" ? { baseUrl, token } : { baseUrl };
}

const libraries: Libraries = {
  protobuf: async () => ({ create, fromBinary, toBinary }),
  connectError: async () => ConnectError,
};
