import { setMaxListeners } from "node:events";

/**
 * A controller for whose signal any number may wait: of more than ten, Node.js would warn as of a leak. (Not in
 * signals.ts, which browsers have as well.)
 */
export function sharedController(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}
