import type { Client } from "@connectrpc/connect";
import type { MessageService } from "../../gen/portway/v1/message_service_pb.js";
import type { NodeService } from "../../gen/portway/v1/node_service_pb.js";
import type { PortalService } from "../../gen/portway/v1/portal_service_pb.js";
import type { RelayService } from "../../gen/portway/v1/relay_service_pb.js";
import type { SystemService } from "../../gen/portway/v1/system_service_pb.js";

/** The generated clients of a daemon's API. A failed call rejects with a ConnectError that carries an ErrorInfo. */
export interface PortwayClient extends Disposable {
  readonly nodes: Client<typeof NodeService>;
  readonly relays: Client<typeof RelayService>;
  readonly portals: Client<typeof PortalService>;
  readonly messages: Client<typeof MessageService>;
  readonly system: Client<typeof SystemService>;
}
