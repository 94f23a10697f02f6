/** `portway/node`: a node in a program, without a daemon. */
export { type ErrorCode, type Facts, PortwayError } from "../base/errors.js";
export type { Condition, Failure, Liveness } from "../base/liveness.js";
export {
  createNode,
  EmbeddedNode,
  type EmbeddedNodeOptions,
  type Reply,
  type SendOptions,
  type TimeoutOptions,
} from "./embedded-node.js";
export type { ReceivedMessage, WorkerCounts, WorkerFunction, WorkerOptions } from "./function-worker.js";
export type { LogLine } from "./log-line.js";
export type { Connection, Inlet, Outlet, Part, Relay, Worker } from "./parts.js";
export type { Encoding, Payload } from "./payload.js";
