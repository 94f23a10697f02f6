/**
 * What `portway/client` exports in Node.js and in a browser alike: `node.ts` and `browser.ts` add how a daemon is
 * reached there. A package's entry is the one kind of file that exports what others define.
 */
export * from "../../gen/portway/v1/message_service_pb.js";
export * from "../../gen/portway/v1/node_service_pb.js";
export * from "../../gen/portway/v1/portal_service_pb.js";
export * from "../../gen/portway/v1/relay_service_pb.js";
export * from "../../gen/portway/v1/resource_pb.js";
export * from "../../gen/portway/v1/system_service_pb.js";
export type { CodeName } from "./call-error.js";
export type { Channel } from "./channel.js";
export type { PortwayClient } from "./client.js";
export { type Failure, type FieldViolation, failureOf } from "./errors.js";
export type { ClientOptions, ClientTarget, HttpTarget, Pace, TlsTarget, UnixTarget } from "./options.js";
export { type WatchOptions, type WatchPartsOptions, watchNodes, watchPortals, watchRelays } from "./watch.js";
export { type OpenWorkerOptions, openWorker, type RemoteWorker } from "./worker.js";
