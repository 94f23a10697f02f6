import { durationArgument } from "../argument.js";
import type { Cli } from "../cli.js";

interface ServeFlags {
  readonly apiAddress?: readonly string[];
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsClientCa?: string;
  readonly logLevel?: string;
  readonly idleTimeout?: string;
  readonly autostarted?: boolean;
}

const maxIdleMs = 24 * 24 * 3_600_000;

export async function serve(cli: Cli, flags: ServeFlags): Promise<number> {
  const { apiAddress, tlsCert, tlsKey, tlsClientCa, logLevel, idleTimeout, autostarted } = flags;
  return await cli.io.serve({
    home: cli.home,
    ...(apiAddress === undefined ? {} : { apiAddresses: apiAddress }),
    ...(tlsCert === undefined ? {} : { tlsCertificate: tlsCert }),
    ...(tlsKey === undefined ? {} : { tlsKey }),
    ...(tlsClientCa === undefined ? {} : { tlsClientCa }),
    ...(logLevel === undefined ? {} : { logLevel }),
    ...(autostarted === undefined ? {} : { autostarted }),
    ...(idleTimeout === undefined
      ? {}
      : { idleTimeoutMs: durationArgument("--idle-timeout", idleTimeout, maxIdleMs) }),
  });
}
