import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { PortwayError } from "../base/errors.js";
import type { NodeResource } from "./resources.js";

/**
 * The HTTP server that a node may have, on 127.0.0.1: `HEAD /` is 200 while the node runs, `GET /show` is the node as
 * JSON. Anything else is 404. It changes nothing and asks for no token.
 */
export class NodeHttpServer {
  readonly address: string;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** Rejects with `address_in_use` or `address_not_available`. */
  static listen(port: number, show: () => NodeResource): Promise<NodeHttpServer> {
    const server = createServer({ headersTimeout: 5_000, requestTimeout: 5_000 }, (request, response) => {
      // A page of another site must not read this through a browser, whatever name it gave this address.
      const foreign =
        request.headers.origin !== undefined ||
        !/^(127\.0\.0\.1|localhost)(:\d+)?$/.test(request.headers.host ?? "");
      if (!foreign && request.method === "HEAD" && request.url === "/") response.writeHead(200).end();
      else if (!foreign && request.method === "GET" && request.url === "/show") {
        response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(show()));
      } else response.writeHead(404).end();
    });
    server.maxConnections = 64;
    return new Promise((resolve, reject) => {
      const failed = (error: NodeJS.ErrnoException): void => {
        const code = error.code === "EADDRINUSE" ? "address_in_use" : "address_not_available";
        const where = `127.0.0.1:${port}`;
        reject(new PortwayError(code, `can't serve HTTP on ${where}: ${error.message}`, { address: where }));
      };
      server.once("error", failed);
      server.listen(port, "127.0.0.1", () => {
        server.off("error", failed);
        // An error of a bound server is one failed accept: it must not reach the process.
        server.on("error", () => {});
        resolve(new NodeHttpServer(server));
      });
    });
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
