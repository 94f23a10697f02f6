import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import * as pb from "../../../gen/portway/v1/relay_service_pb.js";
import type { RelayRegistrationResource, RelayResource } from "../../node/resources.js";
import { toRelaySpec } from "../from-proto.js";
import { byId, listPage } from "../lists/list-page.js";
import { formatName, parseName, parseNodeName } from "../names.js";
import { toRelay, toRelayRegistration } from "../to-proto.js";
import { type ServiceContext, waitOptions } from "./context.js";
import { watch, watchedKind } from "./watch.js";

/** Each method is convert, call, convert. */
export function relayService(context: ServiceContext): ServiceImpl<typeof pb.RelayService> {
  const { engine } = context;
  return {
    async createRelay({ parent, relayId, relay, wait }, call) {
      const { resource, existed } = await engine.relays.create(
        parseNodeName(parent),
        relayId === "" ? "default" : relayId,
        toRelaySpec(relay!),
        waitOptions(wait, call),
      );
      return create(pb.CreateRelayResponseSchema, { relay: toRelay(resource), alreadyExisted: existed });
    },
    async getRelay({ name }) {
      const { node, id } = parseName("relays", name);
      return create(pb.GetRelayResponseSchema, { relay: toRelay(await engine.relays.get(node, id)) });
    },
    async listRelays(request) {
      const node = parseNodeName(request.parent);
      const list = () => engine.relays.list(node);
      const { items, ...page } = await listPage(context, request, {
        list,
        keyOf: byId,
        type: pb.RelaySchema,
        toProto: toRelay,
      });
      return create(pb.ListRelaysResponseSchema, { relays: items, ...page });
    },
    async deleteRelay({ name }) {
      const { node, id } = parseName("relays", name);
      await engine.relays.delete(node, id);
      return create(pb.DeleteRelayResponseSchema);
    },

    watchRelays(request, call) {
      type Part = NonNullable<MessageInitShape<typeof pb.WatchRelaysResponseSchema>["resource"]>;
      const kinds = [
        watchedKind<RelayResource, Part>(engine, request, {
          kind: "relay",
          collection: engine.relays,
          toPart: (relay) => ({ case: "relay", value: toRelay(relay) }),
          gone: ({ node, id }) => ({ case: "relay", value: { name: formatName("relays", node, id) } }),
        }),
        watchedKind<RelayRegistrationResource, Part>(engine, request, {
          kind: "relay_registration",
          collection: engine.relayRegistrations,
          toPart: (registration) => ({ case: "relayRegistration", value: toRelayRegistration(registration) }),
          gone: ({ node, id }) => ({
            case: "relayRegistration",
            value: { name: formatName("relayRegistrations", node, id) },
          }),
        }),
      ];
      return watch(engine, kinds, request, call, (type, revision, resource) =>
        create(pb.WatchRelaysResponseSchema, { type, revision, ...(resource !== undefined && { resource }) }),
      );
    },

    async getRelayRegistration({ name }) {
      const { node, id } = parseName("relayRegistrations", name);
      const relayRegistration = toRelayRegistration(await engine.relayRegistrations.get(node, id));
      return create(pb.GetRelayRegistrationResponseSchema, { relayRegistration });
    },
    async listRelayRegistrations(request) {
      const node = parseNodeName(request.parent);
      const list = () => engine.relayRegistrations.list(node);
      const { items, ...page } = await listPage(context, request, {
        list,
        keyOf: byId,
        type: pb.RelayRegistrationSchema,
        toProto: toRelayRegistration,
      });
      return create(pb.ListRelayRegistrationsResponseSchema, { relayRegistrations: items, ...page });
    },
    async deleteRelayRegistration({ name }) {
      const { node, id } = parseName("relayRegistrations", name);
      await engine.relayRegistrations.delete(node, id);
      return create(pb.DeleteRelayRegistrationResponseSchema);
    },
  };
}
