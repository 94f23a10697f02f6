import type { ServiceImpl } from "@connectrpc/connect";
import {
  type Health,
  HealthCheckResponse_ServingStatus as Status,
} from "../../../gen/grpc/health/v1/health_pb.js";
import { PortwayError } from "../../base/errors.js";

export interface HealthOptions {
  /** Full names of the services that are served; the empty name, for the whole daemon, is always known. */
  readonly services: readonly string[];
  /** Ends when the daemon begins to drain: from then on nothing is SERVING. */
  readonly drainSignal: AbortSignal;
}

/**
 * gRPC's health checking protocol. All services of a daemon stand and fall together, so each has the status of the
 * whole. Check throws `service_not_found` for a name that is not served; Watch says SERVICE_UNKNOWN instead and stays,
 * as the protocol has it. A watch ends with its call.
 */
export function healthService({ services, drainSignal }: HealthOptions): ServiceImpl<typeof Health> {
  const known = new Set(["", ...services]);
  const present = (): Status => (drainSignal.aborted ? Status.NOT_SERVING : Status.SERVING);
  return {
    check({ service }) {
      if (known.has(service)) return { status: present() };
      throw new PortwayError(
        "service_not_found",
        `there is no gRPC service "${shortened(service)}": expected an empty name or one of ${services.join(", ")}`,
        { service: shortened(service) },
      );
    },

    list() {
      const status = present();
      return { statuses: Object.fromEntries([...known].map((name) => [name, { status }])) };
    },

    async *watch({ service }, { signal }) {
      const status = known.has(service) ? present() : Status.SERVICE_UNKNOWN;
      yield { status };
      if (status === Status.SERVING) {
        await firstEnd(signal, drainSignal);
        if (drainSignal.aborted) yield { status: Status.NOT_SERVING };
      }
      await firstEnd(signal);
    },
  };
}

/** Resolves when the first of `signals` ends, and leaves no listener behind. */
function firstEnd(...signals: readonly AbortSignal[]): Promise<void> {
  if (signals.some(({ aborted }) => aborted)) return Promise.resolve();
  return new Promise((resolve) => {
    const onEnd = (): void => {
      for (const signal of signals) signal.removeEventListener("abort", onEnd);
      resolve();
    };
    for (const signal of signals) signal.addEventListener("abort", onEnd);
  });
}

/** A name as it may be told back in the headers of an answer. */
function shortened(name: string): string {
  return name.length > 100 ? `${name.slice(0, 100)}…` : name;
}
