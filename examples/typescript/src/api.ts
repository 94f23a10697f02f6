import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { ErrorInfoSchema } from "../gen/google/rpc/error_details_pb.js";

/** gRPC to PORTWAY_ADDRESS; every call carries the daemon's token. */
export async function connect(): Promise<Transport> {
  const address = process.env["PORTWAY_ADDRESS"] ?? "127.0.0.1:4600";
  const token = process.env["PORTWAY_TOKEN"] ?? (await readFile(tokenPath(), "utf8")).trim();
  return createGrpcTransport({
    baseUrl: `http://${address}`,
    interceptors: [
      (next) => (request) => {
        request.header.set("authorization", `Bearer ${token}`);
        return next(request);
      },
    ],
  });
}

function tokenPath(): string {
  return join(process.env["PORTWAY_HOME"] ?? join(homedir(), ".portway"), "token");
}

/** The code, the stable reason (an ErrorInfo) and the message of a failed call; any other error's message. */
export function explain(error: unknown): string {
  if (!(error instanceof ConnectError)) return error instanceof Error ? error.message : String(error);
  const [info] = error.findDetails(ErrorInfoSchema);
  return `${Code[error.code]}${info ? ` (${info.reason})` : ""}: ${error.rawMessage}`;
}
