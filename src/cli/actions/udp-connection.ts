import { connectionActions } from "./connection.js";

export const { create, list, show, remove } = connectionActions({
  noun: "UDP connection",
  notFound: "udp_connection_not_found",
  create: async (nodes, { peerAddress, ...request }, options) =>
    (await nodes.createUdpConnection({ ...request, udpConnection: { peerAddress } }, options)).udpConnection,
  get: async (nodes, request, options) => (await nodes.getUdpConnection(request, options)).udpConnection,
  async list(nodes, request, options) {
    const { udpConnections: items, nextPageToken } = await nodes.listUdpConnections(request, options);
    return { items, nextPageToken };
  },
  delete: (nodes, request, options) => nodes.deleteUdpConnection(request, options),
});
