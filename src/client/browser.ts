/**
 * `portway/client` in a browser: the same names as in `node.ts`, without a module of Node.js below them. A bundle holds
 * the services that its program names, and no other.
 */
export { createChannel, createPortwayClient } from "./browser-client.js";
export * from "./entry.js";
