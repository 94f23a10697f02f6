import { connectionActions } from "./connection.js";

export const { create, list, show, remove } = connectionActions({
  noun: "TCP connection",
  notFound: "tcp_connection_not_found",
  create: async (nodes, { peerAddress, ...request }, options) =>
    (await nodes.createTcpConnection({ ...request, tcpConnection: { peerAddress } }, options)).tcpConnection,
  get: async (nodes, request, options) => (await nodes.getTcpConnection(request, options)).tcpConnection,
  async list(nodes, request, options) {
    const { tcpConnections: items, nextPageToken } = await nodes.listTcpConnections(request, options);
    return { items, nextPageToken };
  },
  delete: (nodes, request, options) => nodes.deleteTcpConnection(request, options),
});
