import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import * as pb from "../../../gen/portway/v1/portal_service_pb.js";
import type { InletResource, OutletResource } from "../../node/resources.js";
import { toInletSpec, toOutletSpec } from "../from-proto.js";
import { byId, listPage } from "../lists/list-page.js";
import { formatName, parseName, parseNodeName } from "../names.js";
import { toInlet, toOutlet } from "../to-proto.js";
import { type ServiceContext, waitOptions } from "./context.js";
import { watch, watchedKind } from "./watch.js";

/** Bytes and sessions are in no change log: they would fill it. */
function figuresOf({ status }: InletResource | OutletResource): string {
  return JSON.stringify([status.sessions, status.lastError]);
}

/** Each method is convert, call, convert. */
export function portalService(context: ServiceContext): ServiceImpl<typeof pb.PortalService> {
  const { engine } = context;
  return {
    async createInlet({ parent, inletId, inlet, wait }, call) {
      const spec = toInletSpec(inlet!);
      const options = waitOptions(wait, call);
      const { resource, existed } = await engine.inlets.create(parseNodeName(parent), inletId, spec, options);
      return create(pb.CreateInletResponseSchema, { inlet: toInlet(resource), alreadyExisted: existed });
    },
    async getInlet({ name }) {
      const { node, id } = parseName("inlets", name);
      return create(pb.GetInletResponseSchema, { inlet: toInlet(await engine.inlets.get(node, id)) });
    },
    async listInlets(request) {
      const node = parseNodeName(request.parent);
      const list = () => engine.inlets.list(node);
      const { items, ...page } = await listPage(context, request, {
        list,
        keyOf: byId,
        type: pb.InletSchema,
        toProto: toInlet,
      });
      return create(pb.ListInletsResponseSchema, { inlets: items, ...page });
    },
    async deleteInlet({ name }) {
      const { node, id } = parseName("inlets", name);
      await engine.inlets.delete(node, id);
      return create(pb.DeleteInletResponseSchema);
    },

    async createOutlet({ parent, outletId, outlet }, { signal }) {
      const spec = toOutletSpec(outlet!);
      const { resource, existed } = await engine.outlets.create(parseNodeName(parent), outletId, spec, {
        signal,
      });
      return create(pb.CreateOutletResponseSchema, { outlet: toOutlet(resource), alreadyExisted: existed });
    },
    async getOutlet({ name }) {
      const { node, id } = parseName("outlets", name);
      return create(pb.GetOutletResponseSchema, { outlet: toOutlet(await engine.outlets.get(node, id)) });
    },
    async listOutlets(request) {
      const node = parseNodeName(request.parent);
      const list = () => engine.outlets.list(node);
      const { items, ...page } = await listPage(context, request, {
        list,
        keyOf: byId,
        type: pb.OutletSchema,
        toProto: toOutlet,
      });
      return create(pb.ListOutletsResponseSchema, { outlets: items, ...page });
    },
    watchPortals(request, call) {
      type Part = NonNullable<MessageInitShape<typeof pb.WatchPortalsResponseSchema>["resource"]>;
      const kinds = [
        watchedKind<InletResource, Part>(engine, request, {
          kind: "inlet",
          collection: engine.inlets,
          toPart: (inlet) => ({ case: "inlet", value: toInlet(inlet) }),
          gone: ({ node, id }) => ({ case: "inlet", value: { name: formatName("inlets", node, id) } }),
          figures: figuresOf,
        }),
        watchedKind<OutletResource, Part>(engine, request, {
          kind: "outlet",
          collection: engine.outlets,
          toPart: (outlet) => ({ case: "outlet", value: toOutlet(outlet) }),
          gone: ({ node, id }) => ({ case: "outlet", value: { name: formatName("outlets", node, id) } }),
          figures: figuresOf,
        }),
      ];
      return watch(engine, kinds, request, call, (type, revision, resource) =>
        create(pb.WatchPortalsResponseSchema, {
          type,
          revision,
          ...(resource !== undefined && { resource }),
        }),
      );
    },
    async deleteOutlet({ name }) {
      const { node, id } = parseName("outlets", name);
      await engine.outlets.delete(node, id);
      return create(pb.DeleteOutletResponseSchema);
    },
  };
}
