import { listenerActions } from "./listener.js";

export const { create, list, show, remove } = listenerActions({
  noun: "TCP listener",
  notFound: "tcp_listener_not_found",
  create: async (nodes, { bindAddress, ...request }, options) =>
    (await nodes.createTcpListener({ ...request, tcpListener: { bindAddress } }, options)).tcpListener,
  async list(nodes, request, options) {
    const { tcpListeners: items, nextPageToken } = await nodes.listTcpListeners(request, options);
    return { items, nextPageToken };
  },
  delete: (nodes, request, options) => nodes.deleteTcpListener(request, options),
});
