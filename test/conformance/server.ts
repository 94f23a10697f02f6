import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, createRegistry, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { type AdmissionOptions, admit } from "../../src/api/admission.js";
import { allowAuthenticated, type Principal } from "../../src/api/authorizer.js";
import { Connections } from "../../src/api/connections.js";
import { completeError } from "../../src/api/errors.js";
import type { Exchange } from "../../src/api/exchange.js";
import { hostCheck } from "../../src/api/host.js";
import { authorizeCalls, observeCalls, principalKey } from "../../src/api/interceptors.js";
import { resolveApiLimits } from "../../src/api/limits.js";
import { createListener, type RequestHandler, trust } from "../../src/api/listener.js";
import { refuse } from "../../src/api/refusal.js";
import { createRpcHandler } from "../../src/api/rpc-handler.js";
import { Streams } from "../../src/api/streams.js";
import { listenTcp } from "../../src/api/tcp-socket.js";
import { readTls, type Tls } from "../../src/api/tls-files.js";
import { createValidation, validateRequests } from "../../src/api/validation.js";
import { PortwayError } from "../../src/base/errors.js";
import { silentLog } from "../../src/base/log.js";
import { conformanceService, withoutErrorInfo } from "./conformance-service.js";
import {
  type ServerCompatRequest,
  ServerCompatRequestSchema,
  ServerCompatResponseSchema,
} from "./gen/connectrpc/conformance/v1/server_compat_pb.js";
import {
  ConformanceService,
  file_connectrpc_conformance_v1_service,
} from "./gen/connectrpc/conformance/v1/service_pb.js";

/*
 * The server under test of the Connect conformance suite: the stack of the API (listener, admission, adapter and
 * interceptors, put together as server.ts does) with the suite's service in the place of ours. Three things differ.
 *
 * The suite sends no token. Its calls are let in as those over a Unix socket are, by the listener vouching for them;
 * where the suite shows a client certificate, that has to do.
 *
 * Every error of the API has an ErrorInfo, and the suite takes none that it did not ask for: it is taken off last.
 *
 * The API hands no header on to its calls; the service tells the suite of those that the request arrived with.
 */

const host = "127.0.0.1";
const log = silentLog;

/** Ours, and the types that are in an Any. */
const jsonOptions = {
  ignoreUnknownFields: false,
  registry: createRegistry(file_connectrpc_conformance_v1_service),
};

async function serve(request: ServerCompatRequest): Promise<{ port: number; certificate: Uint8Array }> {
  const { messageReceiveLimit, useTls, clientTlsCert } = request;
  const limits = resolveApiLimits(messageReceiveLimit === 0 ? {} : { maxRequestBytes: messageReceiveLimit });
  const requests = new WeakMap<Principal, Exchange>();
  const requestOf = (context: HandlerContext): Exchange => requests.get(context.values.get(principalKey)!)!;
  const rpc = createRpcHandler({
    limits,
    log,
    interceptors: [
      observeCalls(log, new Streams(limits.maxOpenStreams)),
      authorizeCalls(allowAuthenticated),
      validateRequests(createValidation(ConformanceService.methods.map(({ input }) => input))),
    ],
    services: [
      {
        service: ConformanceService,
        implementation: conformanceService(requestOf),
        options: { jsonOptions },
      },
    ],
    completeError: (error) => withoutErrorInfo(completeError(error)),
  });

  const tls = useTls ? await tlsOf(request) : undefined;
  const admission: AdmissionOptions = {
    isOurHost: hostCheck({
      names: [],
      boundHost: host,
      ...(tls !== undefined && { certificate: tls.certificate }),
    }),
    allowedOrigins: new Set(),
    // Nobody has one.
    tokens: { matches: () => false } as unknown as AdmissionOptions["tokens"],
  };
  const connections = new Connections(limits, log);
  const handle: RequestHandler = (exchange, connection) => {
    const call = connections.begin(connection, exchange);
    try {
      const { certificateError, socket, principal } = connection;
      const { headers } = exchange;
      const admitted = admit(
        { headers, principal, certificateError, localAddress: socket.localAddress },
        admission,
      );
      trust(connection);
      const caller: Principal = { ...admitted };
      requests.set(caller, exchange);
      rpc(exchange, caller, () => {
        call.isOpenEnded = true;
      });
    } catch (error) {
      if (!(error instanceof PortwayError)) throw error;
      refuse(exchange, error);
    }
  };
  const vouched: Principal = { kind: "unix", name: "conformance" };
  const { server } = createListener({
    limits,
    connections,
    handle,
    log,
    ...(clientTlsCert.byteLength === 0 && { principal: vouched }),
    ...(tls !== undefined && { tls: tls.options }),
  });
  await listenTcp(server, host, 0);
  return {
    port: (server.address() as AddressInfo).port,
    certificate: request.serverCreds?.cert ?? new Uint8Array(),
  };
}

/** Read from files, as the daemon's are. */
async function tlsOf({ serverCreds, clientTlsCert }: ServerCompatRequest): Promise<Tls> {
  const directory = mkdtempSync(join(tmpdir(), "portway-conformance-"));
  const file = (name: string, bytes: Uint8Array): string => {
    const path = join(directory, name);
    writeFileSync(path, bytes, { mode: 0o600 });
    return path;
  };
  try {
    return await readTls({
      keyPath: file("key.pem", serverCreds!.key),
      certPath: file("cert.pem", serverCreds!.cert),
      ...(clientTlsCert.byteLength > 0 && { clientCaPath: file("client.pem", clientTlsCert) }),
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const lengthBytes = 4;

async function readDelimited(input: AsyncIterable<Buffer>): Promise<Uint8Array> {
  let read = Buffer.alloc(0);
  for await (const chunk of input) {
    read = Buffer.concat([read, chunk]);
    if (read.byteLength < lengthBytes) continue;
    const end = lengthBytes + read.readUInt32BE(0);
    if (read.byteLength >= end) return read.subarray(lengthBytes, end);
  }
  throw new Error(`expected a message of the conformance suite on stdin, got ${read.byteLength} bytes`);
}

function delimited(message: Uint8Array): Buffer {
  const head = Buffer.alloc(lengthBytes);
  head.writeUInt32BE(message.byteLength, 0);
  return Buffer.concat([head, message]);
}

const asked = fromBinary(ServerCompatRequestSchema, await readDelimited(process.stdin));
const { port, certificate } = await serve(asked);
process.stdout.write(
  delimited(
    toBinary(
      ServerCompatResponseSchema,
      create(ServerCompatResponseSchema, { host, port, pemCert: certificate }),
    ),
  ),
);
