import type { PortwayClient } from "../client/client.js";
import { reasonOf } from "./failure.js";

type Call = (...args: unknown[]) => Promise<unknown>;
type ServiceName = Exclude<keyof PortwayClient, symbol>;

const services: readonly ServiceName[] = ["nodes", "relays", "portals", "messages", "system"];

/** What a call gets from a daemon that is about to end. */
const ending = new Set(["DAEMON_UNREACHABLE", "DRAINING"]);

const maxReopened = 3;

/**
 * A client whose daemon may end between the connect and the first answer, because it was idle: then `reopen` gives a
 * client of the next daemon, and what failed is called there. After the first answer nothing is repeated.
 */
export function withFirstCallRepeated(
  client: PortwayClient,
  reopen: () => Promise<PortwayClient>,
): PortwayClient {
  let hasAnswered = false;
  let current = Promise.resolve(client);
  let reopened = 0;
  const call = async (service: ServiceName, method: string, args: unknown[]): Promise<unknown> => {
    for (;;) {
      const used = current;
      try {
        const on = await used;
        const answer = await (on[service] as unknown as Record<string, Call>)[method]!(...args);
        hasAnswered = true;
        return answer;
      } catch (error) {
        const reason = (await reasonOf(error)) ?? "";
        if (!ending.has(reason)) hasAnswered = true;
        if (hasAnswered || (used === current && reopened === maxReopened)) throw error;
        // Calls at the same time fail together: the first one opens for all of them.
        if (used !== current) continue;
        reopened += 1;
        current = reopen();
      }
    }
  };
  const entries = services.map((service) => [
    service,
    new Proxy(
      {},
      {
        get: (_, method) =>
          typeof method === "string" && method !== "then"
            ? (...args: unknown[]) => call(service, method, args)
            : undefined,
      },
    ),
  ]);
  return {
    ...(Object.fromEntries(entries) as Omit<PortwayClient, typeof Symbol.dispose>),
    [Symbol.dispose]: () => client[Symbol.dispose](),
  };
}
