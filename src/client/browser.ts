/**
 * `portway/client` in a browser: the same names as in `node.ts`, without a module of Node.js below them. A bundle holds
 * the services that its program names, and no other.
 */
export * from "../../gen/portway/v1/message_service_pb.js";
export * from "../../gen/portway/v1/node_service_pb.js";
export * from "../../gen/portway/v1/portal_service_pb.js";
export * from "../../gen/portway/v1/relay_service_pb.js";
export * from "../../gen/portway/v1/resource_pb.js";
export * from "../../gen/portway/v1/system_service_pb.js";
export { createChannel, createPortwayClient } from "./browser-client.js";
export type { CodeName } from "./call-error.js";
export type { Channel } from "./channel.js";
export type { PortwayClient } from "./client.js";
export { type Failure, type FieldViolation, failureOf } from "./errors.js";
export type { ClientOptions, ClientTarget, HttpTarget, Pace, TlsTarget, UnixTarget } from "./options.js";
export { type WatchOptions, type WatchPartsOptions, watchNodes, watchPortals, watchRelays } from "./watch.js";
export { type OpenWorkerOptions, openWorker, type RemoteWorker } from "./worker.js";
