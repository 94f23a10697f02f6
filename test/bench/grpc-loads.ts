import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import { CreateNodeRequestSchema, GetNodeRequestSchema } from "../../gen/portway/v1/node_service_pb.js";
import { Daemon } from "./daemon.js";
import { cpuSeconds } from "./process-stats.js";
import { benchFile, Program } from "./program.js";
import { callMany, UnaryClient } from "./unary-client.js";

const createNode = "/portway.v1.NodeService/CreateNode";
const getNode = "/portway.v1.NodeService/GetNode";
const inFlight = 32;

const getNodeRequest = toBinary(GetNodeRequestSchema, create(GetNodeRequestSchema, { name: "nodes/n1" }));

/** A server of native gRPC on loopback TCP that wants a token. */
export interface GrpcServer extends AsyncDisposable {
  readonly client: UnaryClient;
  readonly pid: number;
}

function server(client: UnaryClient, pid: number, stop: () => Promise<void>): GrpcServer {
  return {
    client,
    pid,
    async [Symbol.asyncDispose]() {
      client[Symbol.dispose]();
      await stop();
    },
  };
}

/** `portway serve` with the node n1. */
export async function daemonWithNode(): Promise<GrpcServer & { readonly token: string }> {
  const daemon = await Daemon.serve("--api-address", "127.0.0.1:0");
  const stop = (): Promise<void> => daemon[Symbol.asyncDispose]();
  try {
    const token = readFileSync(daemon.home.tokenPath, "utf8").trim();
    const client = UnaryClient.grpc(await daemon.apiPort(), token);
    await client.call(
      createNode,
      toBinary(CreateNodeRequestSchema, create(CreateNodeRequestSchema, { nodeId: "n1" })),
    );
    return { ...server(client, daemon.pid, stop), token };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** grpc-js behind the same checks, answering what the daemon answers. */
export async function grpcJsServer(daemon: { client: UnaryClient; token: string }): Promise<GrpcServer> {
  const directory = mkdtempSync(join(tmpdir(), "pwg-"));
  const responseFile = join(directory, "response.bin");
  writeFileSync(responseFile, await daemon.client.call(getNode, getNodeRequest));
  const program = new Program(benchFile("grpc-js-server.js"), [daemon.token, responseFile]);
  const stop = async (): Promise<void> => {
    await program[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    return server(UnaryClient.grpc(await program.port(), daemon.token), program.pid, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Calls per second, and what a call costs the server. */
export async function grpcCalls(
  { client, pid }: GrpcServer,
  count: number,
): Promise<{ perSecond: number; cpuUs: number }> {
  const before = cpuSeconds([pid]);
  const { perSecond } = await callMany(client, getNode, getNodeRequest, { count, inFlight });
  return { perSecond, cpuUs: ((cpuSeconds([pid]) - before) * 1e6) / count };
}
