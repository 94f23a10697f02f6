import { listenerActions } from "./listener.js";

export const { create, list, show, remove } = listenerActions({
  noun: "UDP listener",
  notFound: "udp_listener_not_found",
  create: async (nodes, { bindAddress, ...request }, options) =>
    (await nodes.createUdpListener({ ...request, udpListener: { bindAddress } }, options)).udpListener,
  async list(nodes, request, options) {
    const { udpListeners: items, nextPageToken } = await nodes.listUdpListeners(request, options);
    return { items, nextPageToken };
  },
  delete: (nodes, request, options) => nodes.deleteUdpListener(request, options),
});
