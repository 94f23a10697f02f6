import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import * as pb from "../../../gen/portway/v1/node_service_pb.js";
import type { NodeResource } from "../../node/resources.js";
import { toConnectionSpec, toListenerSpec, toNodeSpec, toServiceSpec } from "../from-proto.js";
import { byCreation, byId, listPage } from "../lists/list-page.js";
import { formatNodeName, parseName, parseNodeName } from "../names.js";
import {
  toNode,
  toService,
  toTcpConnection,
  toTcpListener,
  toUdpConnection,
  toUdpListener,
  toWorker,
} from "../to-proto.js";
import { type ServiceContext, waitOptions } from "./context.js";
import { type Watched, type WatchedKind, watch } from "./watch.js";

/** Each method is convert, call, convert. */
export function nodeService(context: ServiceContext): ServiceImpl<typeof pb.NodeService> {
  const { engine } = context;
  return {
    async createNode({ nodeId, node }) {
      const { resource, existed } = await engine.nodes.create(nodeId, toNodeSpec(node));
      return create(pb.CreateNodeResponseSchema, { node: toNode(resource), alreadyExisted: existed });
    },
    async getNode({ name }) {
      return create(pb.GetNodeResponseSchema, { node: toNode(await engine.nodes.get(parseNodeName(name))) });
    },
    async listNodes(request) {
      const list = () => engine.nodes.list();
      const { items, ...page } = await listPage(context, request, {
        list,
        keyOf: byCreation,
        type: pb.NodeSchema,
        toProto: toNode,
      });
      return create(pb.ListNodesResponseSchema, { nodes: items, ...page });
    },
    watchNodes(request, call) {
      const nodes: WatchedKind<MessageInitShape<typeof pb.NodeSchema>> = {
        source: {
          kind: "node",
          list: async () => (await engine.nodes.list()).map(watchedNode),
          get: async (_, id) => watchedNode(await engine.nodes.get(id)),
        },
        gone: ({ id }) => ({ name: formatNodeName(id) }),
      };
      return watch(engine, [nodes], request, call, (type, revision, node) =>
        create(pb.WatchNodesResponseSchema, { type, revision, ...(node !== undefined && { node }) }),
      );
    },
    async deleteNode({ name }) {
      await engine.nodes.delete(parseNodeName(name));
      return create(pb.DeleteNodeResponseSchema);
    },
    async startNode({ name }) {
      return create(pb.StartNodeResponseSchema, {
        node: toNode(await engine.nodes.start(parseNodeName(name))),
      });
    },
    async stopNode({ name }) {
      return create(pb.StopNodeResponseSchema, {
        node: toNode(await engine.nodes.stop(parseNodeName(name))),
      });
    },
    async setDefaultNode({ name }) {
      const node = toNode(await engine.nodes.setDefault(parseNodeName(name)));
      return create(pb.SetDefaultNodeResponseSchema, { node });
    },

    async createTcpListener({ parent, tcpListenerId, tcpListener }, { signal }) {
      const spec = toListenerSpec(tcpListener!);
      const { resource, existed } = await engine.tcpListeners.create(
        parseNodeName(parent),
        tcpListenerId,
        spec,
        {
          signal,
        },
      );
      return create(pb.CreateTcpListenerResponseSchema, {
        tcpListener: toTcpListener(resource),
        alreadyExisted: existed,
      });
    },
    async getTcpListener({ name }) {
      const { node, id } = parseName("tcpListeners", name);
      const tcpListener = toTcpListener(await engine.tcpListeners.get(node, id));
      return create(pb.GetTcpListenerResponseSchema, { tcpListener });
    },
    async listTcpListeners(request) {
      const node = parseNodeName(request.parent);
      const list = () => engine.tcpListeners.list(node);
      const { items, ...page } = await listPage(context, request, {
        list,
        keyOf: ({ id, status }) => (status.isNodeListener ? `0 ${id}` : `1 ${id}`),
        type: pb.TcpListenerSchema,
        toProto: toTcpListener,
      });
      return create(pb.ListTcpListenersResponseSchema, { tcpListeners: items, ...page });
    },
    async deleteTcpListener({ name }) {
      const { node, id } = parseName("tcpListeners", name);
      await engine.tcpListeners.delete(node, id);
      return create(pb.DeleteTcpListenerResponseSchema);
    },

    async createTcpConnection({ parent, tcpConnectionId, tcpConnection, wait }, call) {
      const { resource, existed } = await engine.tcpConnections.create(
        parseNodeName(parent),
        tcpConnectionId,
        toConnectionSpec(tcpConnection!),
        waitOptions(wait, call),
      );
      return create(pb.CreateTcpConnectionResponseSchema, {
        tcpConnection: toTcpConnection(resource),
        alreadyExisted: existed,
      });
    },
    async getTcpConnection({ name }) {
      const { node, id } = parseName("tcpConnections", name);
      const tcpConnection = toTcpConnection(await engine.tcpConnections.get(node, id));
      return create(pb.GetTcpConnectionResponseSchema, { tcpConnection });
    },
    async listTcpConnections(request) {
      const node = parseNodeName(request.parent);
      const list = () => engine.tcpConnections.list(node);
      const { items, ...page } = await listPage(context, request, {
        list,
        keyOf: byCreation,
        type: pb.TcpConnectionSchema,
        toProto: toTcpConnection,
      });
      return create(pb.ListTcpConnectionsResponseSchema, { tcpConnections: items, ...page });
    },
    async deleteTcpConnection({ name }) {
      const { node, id } = parseName("tcpConnections", name);
      await engine.tcpConnections.delete(node, id);
      return create(pb.DeleteTcpConnectionResponseSchema);
    },

    async createUdpListener({ parent, udpListenerId, udpListener }, { signal }) {
      const spec = toListenerSpec(udpListener!);
      const { resource, existed } = await engine.udpListeners.create(
        parseNodeName(parent),
        udpListenerId,
        spec,
        {
          signal,
        },
      );
      return create(pb.CreateUdpListenerResponseSchema, {
        udpListener: toUdpListener(resource),
        alreadyExisted: existed,
      });
    },
    async getUdpListener({ name }) {
      const { node, id } = parseName("udpListeners", name);
      const udpListener = toUdpListener(await engine.udpListeners.get(node, id));
      return create(pb.GetUdpListenerResponseSchema, { udpListener });
    },
    async listUdpListeners(request) {
      const node = parseNodeName(request.parent);
      const list = () => engine.udpListeners.list(node);
      const { items, ...page } = await listPage(context, request, {
        list,
        keyOf: byId,
        type: pb.UdpListenerSchema,
        toProto: toUdpListener,
      });
      return create(pb.ListUdpListenersResponseSchema, { udpListeners: items, ...page });
    },
    async deleteUdpListener({ name }) {
      const { node, id } = parseName("udpListeners", name);
      await engine.udpListeners.delete(node, id);
      return create(pb.DeleteUdpListenerResponseSchema);
    },

    async createUdpConnection({ parent, udpConnectionId, udpConnection, wait }, call) {
      const { resource, existed } = await engine.udpConnections.create(
        parseNodeName(parent),
        udpConnectionId,
        toConnectionSpec(udpConnection!),
        waitOptions(wait, call),
      );
      return create(pb.CreateUdpConnectionResponseSchema, {
        udpConnection: toUdpConnection(resource),
        alreadyExisted: existed,
      });
    },
    async getUdpConnection({ name }) {
      const { node, id } = parseName("udpConnections", name);
      const udpConnection = toUdpConnection(await engine.udpConnections.get(node, id));
      return create(pb.GetUdpConnectionResponseSchema, { udpConnection });
    },
    async listUdpConnections(request) {
      const node = parseNodeName(request.parent);
      const list = () => engine.udpConnections.list(node);
      const { items, ...page } = await listPage(context, request, {
        list,
        keyOf: byCreation,
        type: pb.UdpConnectionSchema,
        toProto: toUdpConnection,
      });
      return create(pb.ListUdpConnectionsResponseSchema, { udpConnections: items, ...page });
    },
    async deleteUdpConnection({ name }) {
      const { node, id } = parseName("udpConnections", name);
      await engine.udpConnections.delete(node, id);
      return create(pb.DeleteUdpConnectionResponseSchema);
    },

    async createService({ parent, serviceId, service }, { signal }) {
      const spec = toServiceSpec(service!);
      const { resource, existed } = await engine.services.create(parseNodeName(parent), serviceId, spec, {
        signal,
      });
      return create(pb.CreateServiceResponseSchema, {
        service: toService(resource),
        alreadyExisted: existed,
      });
    },
    async getService({ name }) {
      const { node, id } = parseName("services", name);
      return create(pb.GetServiceResponseSchema, { service: toService(await engine.services.get(node, id)) });
    },
    async listServices(request) {
      const node = parseNodeName(request.parent);
      const list = () => engine.services.list(node);
      const { items, ...page } = await listPage(context, request, {
        list,
        keyOf: byStart,
        type: pb.ServiceSchema,
        toProto: toService,
      });
      return create(pb.ListServicesResponseSchema, { services: items, ...page });
    },
    async deleteService({ name }) {
      const { node, id } = parseName("services", name);
      await engine.services.delete(node, id);
      return create(pb.DeleteServiceResponseSchema);
    },

    async getWorker({ name }) {
      const { node, id } = parseName("workers", name);
      return create(pb.GetWorkerResponseSchema, { worker: toWorker(await engine.workers.get(node, id)) });
    },
    async listWorkers(request) {
      const node = parseNodeName(request.parent);
      const list = () => engine.workers.list(node);
      const { items, ...page } = await listPage(context, request, {
        list,
        keyOf: byId,
        type: pb.WorkerSchema,
        toProto: toWorker,
      });
      return create(pb.ListWorkersResponseSchema, { workers: items, ...page });
    },
  };
}

/** Those that every node has, as Ockam lists them. */
const firstServices = ["uppercase", "echo"];

/** Those that every node has come first, then those that were started, by id. */
function byStart({ id }: { readonly id: string }): string {
  const at = firstServices.indexOf(id);
  return at === -1 ? `1 ${id}` : `0 ${at}`;
}

function watchedNode(node: NodeResource): Watched<pb.Node> {
  return { node: node.id, id: node.id, toPart: () => toNode(node) };
}
