import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import { PayloadEncoding, SendMessageRequestSchema } from "../../gen/portway/v1/message_service_pb.js";
import { GetNodeRequestSchema } from "../../gen/portway/v1/node_service_pb.js";
import type { Chain, Daemons } from "./chains.js";
import { cpuSeconds } from "./process-stats.js";
import { benchFile, Program, run } from "./program.js";
import { callMany, callUntil, percentile, UnaryClient } from "./unary-client.js";

const getNode = "/portway.v1.NodeService/GetNode";
const sendMessage = "/portway.v1.MessageService/SendMessage";
const inFlight = 32;

const getNodeRequest = toBinary(GetNodeRequestSchema, create(GetNodeRequestSchema, { name: "nodes/n1" }));

/** A server that can be asked for GetNode, and the process that it is. */
export interface UnaryServer {
  readonly client: UnaryClient;
  readonly pid: number;
}

/** A bare connect-node server that answers GetNode with what the daemon answers. */
export class BareServer implements UnaryServer, AsyncDisposable {
  readonly client: UnaryClient;
  readonly #program: Program;
  readonly #directory: string;

  private constructor(client: UnaryClient, program: Program, directory: string) {
    this.client = client;
    this.#program = program;
    this.#directory = directory;
  }

  static async start(daemon: UnaryServer): Promise<BareServer> {
    const directory = mkdtempSync(join(tmpdir(), "pwb-"));
    const socketPath = join(directory, "bare.sock");
    const responseFile = join(directory, "response.bin");
    writeFileSync(responseFile, await daemon.client.call(getNode, getNodeRequest));
    const program = new Program(benchFile("bare-server.js"), [socketPath, responseFile]);
    try {
      await program.up();
    } catch (error) {
      await program[Symbol.asyncDispose]();
      rmSync(directory, { recursive: true, force: true });
      throw error;
    }
    return new BareServer(UnaryClient.connect(socketPath), program, directory);
  }

  get pid(): number {
    return this.#program.pid;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client[Symbol.dispose]();
    await this.#program[Symbol.asyncDispose]();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** Calls per second, and what a call costs the server. */
export async function unaryCalls(
  server: UnaryServer,
  count: number,
): Promise<{ perSecond: number; cpuUs: number }> {
  const before = cpuSeconds([server.pid]);
  const { perSecond } = await callMany(server.client, getNode, getNodeRequest, { count, inFlight });
  return { perSecond, cpuUs: ((cpuSeconds([server.pid]) - before) * 1e6) / count };
}

/** Round trips per second of 64-byte messages from n1 to the echo of n3 and back. */
export async function messages(
  client: UnaryClient,
  daemons: Daemons,
  count: number,
  inFlight: number,
): Promise<number> {
  const request = create(SendMessageRequestSchema, {
    node: "nodes/n1",
    to: daemons.echoRoute,
    payload: new Uint8Array(64),
    encoding: PayloadEncoding.RAW,
  });
  const body = toBinary(SendMessageRequestSchema, request);
  await callMany(client, sendMessage, body, { count: Math.ceil(count / 4), inFlight });
  return (await callMany(client, sendMessage, body, { count, inFlight })).perSecond;
}

/** p99 of GetNode, milliseconds: of an idle daemon, and while its inlet carries `mb` MiB as fast as it can. */
export async function apiLatency(
  chain: Chain,
  client: UnaryClient,
  mb: number,
): Promise<{ idle: number; loaded: number }> {
  const pauses = new Promise((over) => setTimeout(over, 2_000));
  const idle = await callUntil(client, getNode, getNodeRequest, pauses);
  const args = ["bulk", "--addr", `127.0.0.1:${chain.port}`, "--mb", mb, "--streams", 8];
  const load = run(benchFile("load.js"), args, { timeoutMs: 150_000 });
  const loaded = await callUntil(client, getNode, getNodeRequest, load);
  await load;
  return { idle: percentile(idle, 0.99), loaded: percentile(loaded, 0.99) };
}
