import type net from "node:net";
import { messageOf, PortwayError } from "../base/errors.js";
import { formatSocketAddress } from "../model/socket-address.js";

/** Binds `server`. Throws `address_in_use`, `port_privileged` or `address_not_available`. */
export function listenTcp(server: net.Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void => {
      const at = formatSocketAddress({ host, port });
      const facts = { host, port };
      const refused = (code: "address_in_use" | "port_privileged" | "address_not_available", why: string) =>
        reject(new PortwayError(code, `the API can't listen on ${at}: ${why}`, facts, { cause: error }));
      if (error.code === "EADDRINUSE") refused("address_in_use", "another program does");
      else if (error.code === "EACCES") refused("port_privileged", "ports below 1024 need privileges");
      else refused("address_not_available", messageOf(error));
    };
    server.once("error", onError);
    server.listen({ host, port, backlog: 1024 }, () => {
      server.off("error", onError);
      resolve();
    });
  });
}
