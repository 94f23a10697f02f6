import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { DescService } from "@bufbuild/protobuf";
import { type Client, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { BadRequestSchema, ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.js";
import { type ApiServer, type ApiServerOptions, createApiServer } from "../../src/api/server.js";
import type { System } from "../../src/api/system.js";
import { openTokens, readToken, type Tokens } from "../../src/api/token.js";
import type { Log, LogEvent, LogFacts } from "../../src/base/log.js";
import { FakeEngine } from "./fake-engine.js";

export interface LogLine {
  readonly level: string;
  readonly event: LogEvent;
  readonly facts: LogFacts;
}

export interface ApiFixture {
  readonly server: ApiServer;
  readonly engine: FakeEngine;
  readonly tokens: Tokens;
  readonly token: string;
  readonly directory: string;
  readonly lines: LogLine[];
  readonly system: FakeSystem;
}

export class FakeSystem implements System {
  drainedMs: number[] = [];
  readonly #drain = new AbortController();

  get drainSignal(): AbortSignal {
    return this.#drain.signal;
  }

  info() {
    return {
      version: "1.2.3",
      pid: 42,
      startTimeMs: 1_700_000_000_000,
      home: "/home",
      socketPath: "/home/run/api.sock",
      apiAddresses: ["127.0.0.1:1"],
      autostarted: false,
      draining: this.drainedMs.length > 0,
      warnings: ["careful"],
    };
  }

  async drain(timeoutMs: number): Promise<void> {
    this.drainedMs.push(timeoutMs);
    this.#drain.abort();
  }
}

/** A server on a fake engine, in a directory of its own; it ends with the test. */
export async function apiFixture(
  test: TestContext,
  options: Partial<ApiServerOptions> = {},
): Promise<ApiFixture> {
  const directory = mkdtempSync(join(tmpdir(), "portway-api-"));
  const engine = new FakeEngine();
  const tokens = await openTokens(join(directory, "token"));
  const system = new FakeSystem();
  const lines: LogLine[] = [];
  const server = createApiServer({ engine, tokens, system, log: recordingLog(lines), ...options });
  test.after(async () => {
    await server.close({ graceMs: 0 });
    rmSync(directory, { recursive: true, force: true });
  });
  const token = (await readToken(tokens.path))!;
  return { server, engine, tokens, token, directory, lines, system };
}

function recordingLog(lines: LogLine[]): Log {
  const at =
    (level: string) =>
    (event: LogEvent, facts: LogFacts = {}): void =>
      void lines.push({ level, event, facts });
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

export type Protocol = "connect json" | "connect binary" | "connect GET" | "grpc" | "grpc-web";
export const protocols: readonly Protocol[] = [
  "connect json",
  "connect binary",
  "connect GET",
  "grpc",
  "grpc-web",
];

export interface TransportOptions {
  readonly token?: string;
  readonly nodeOptions?: object;
}

export function transportFor(protocol: Protocol, baseUrl: string, options: TransportOptions = {}): Transport {
  const { token, nodeOptions } = options;
  const interceptors: import("@connectrpc/connect").Interceptor[] =
    token === undefined
      ? []
      : [
          (next) => (request) => {
            request.header.set("authorization", `Bearer ${token}`);
            return next(request);
          },
        ];
  const common = { baseUrl, interceptors, ...(nodeOptions !== undefined && { nodeOptions }) };
  switch (protocol) {
    case "grpc":
      return createGrpcTransport({ ...common, acceptCompression: [] });
    case "grpc-web":
      return createGrpcWebTransport({ ...common, httpVersion: "1.1" });
    case "connect json":
      return createConnectTransport({ ...common, httpVersion: "1.1", useBinaryFormat: false });
    case "connect binary":
      return createConnectTransport({ ...common, httpVersion: "2", useBinaryFormat: true });
    case "connect GET":
      return createConnectTransport({ ...common, httpVersion: "1.1", useHttpGet: true });
  }
}

/** Clients leave HTTP/2 sessions open; the server ends them with the test. */
export function clientFor<S extends DescService>(service: S, transport: Transport): Client<S> {
  return createClient(service, transport);
}

export interface ToldError {
  readonly code: number;
  readonly message: string;
  readonly reasons: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly fields: readonly string[];
}

/** What a failed call says of itself. */
export async function toldError(call: Promise<unknown>): Promise<ToldError> {
  try {
    await call;
  } catch (thrown) {
    const error = ConnectError.from(thrown);
    const infos = error.findDetails(ErrorInfoSchema);
    const fields = error.findDetails(BadRequestSchema).flatMap(({ fieldViolations }) => fieldViolations);
    return {
      code: error.code,
      message: error.rawMessage,
      reasons: infos.map(({ reason, domain }) => (domain === "portway" ? reason : `${domain}: ${reason}`)),
      metadata: infos[0]?.metadata ?? {},
      fields: fields.map(({ field }) => field),
    };
  }
  throw new Error("the call succeeded");
}
