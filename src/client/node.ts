/** `portway/client` in Node.js: what a program needs to drive a daemon. */
export * from "./entry.js";
export { createChannel, createPortwayClient } from "./node-client.js";
