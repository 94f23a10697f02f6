import type { PortwayClient } from "../client/client.js";
import { formatDuration } from "./duration.js";
import type { Notices } from "./notices.js";

type Call = (...args: unknown[]) => unknown;

/**
 * The same client; each call is told on standard error: that it takes long, with `-v` its name and time, with `-vv` the
 * request too.
 */
export function traced(client: PortwayClient, notices: Notices): PortwayClient {
  const wrap = <T extends object>(service: T): T =>
    new Proxy(service, {
      get(target, property, receiver) {
        const call: unknown = Reflect.get(target, property, receiver);
        if (typeof call !== "function" || typeof property !== "string") return call;
        return (...args: unknown[]) => {
          const startedMs = performance.now();
          const name = property[0]!.toUpperCase() + property.slice(1);
          notices.trace(2, `${name} ${JSON.stringify(args[0], plain)}`);
          const result = (call as Call).apply(target, args);
          if (!(result instanceof Promise)) return result;
          const done = (outcome: string): void =>
            notices.trace(1, `${name} ${outcome} after ${formatDuration(performance.now() - startedMs)}`);
          result.then(
            () => done("succeeded"),
            () => done("failed"),
          );
          return notices.calling(result);
        };
      },
    });
  return {
    nodes: wrap(client.nodes),
    relays: wrap(client.relays),
    portals: wrap(client.portals),
    messages: wrap(client.messages),
    system: wrap(client.system),
    [Symbol.dispose]: () => client[Symbol.dispose](),
  };
}

/** Payloads are not told, only their sizes. Looked at as they are: a Buffer would show its bytes by itself. */
function plain(this: Readonly<Record<string, unknown>>, key: string): unknown {
  const value = this[key];
  if (typeof value === "bigint") return value.toString();
  return value instanceof Uint8Array ? `${value.length} bytes` : value;
}
