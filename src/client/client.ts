import type { Client } from "@connectrpc/connect";
import type { MessageService } from "../../gen/portway/v1/message_service_pb.js";
import type { NodeService } from "../../gen/portway/v1/node_service_pb.js";
import type { PortalService } from "../../gen/portway/v1/portal_service_pb.js";
import type { RelayService } from "../../gen/portway/v1/relay_service_pb.js";
import type { SystemService } from "../../gen/portway/v1/system_service_pb.js";
import type { Channel } from "./channel.js";

/** The generated clients of a daemon's API. A failed call rejects with a ConnectError that carries an ErrorInfo. */
export interface PortwayClient extends Disposable {
  readonly nodes: Client<typeof NodeService>;
  readonly relays: Client<typeof RelayService>;
  readonly portals: Client<typeof PortalService>;
  readonly messages: Client<typeof MessageService>;
  readonly system: Client<typeof SystemService>;
}

/** All services of the API; each is loaded by its first call. Disposing the client disposes `channel`. */
export function portwayClientOn(channel: Channel): PortwayClient {
  const { lazyClient } = channel;
  return {
    nodes: lazyClient(
      async () => (await import("../../gen/portway/v1/node_service_pb.js")).NodeService,
      ["watchNodes"],
    ),
    relays: lazyClient(
      async () => (await import("../../gen/portway/v1/relay_service_pb.js")).RelayService,
      ["watchRelays"],
    ),
    portals: lazyClient(
      async () => (await import("../../gen/portway/v1/portal_service_pb.js")).PortalService,
      ["watchPortals"],
    ),
    messages: lazyClient(
      async () => (await import("../../gen/portway/v1/message_service_pb.js")).MessageService,
      ["receiveMessages", "watchMessages"],
    ),
    system: lazyClient(
      async () => (await import("../../gen/portway/v1/system_service_pb.js")).SystemService,
      [],
    ),
    [Symbol.dispose]: () => channel[Symbol.dispose](),
  };
}
