import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Code, createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import {
  compressionGzip,
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { MessageService } from "../../gen/portway/v1/message_service_pb.js";
import { NodeService } from "../../gen/portway/v1/node_service_pb.js";
import type { Reply, WaitOptions } from "../../src/node/engine.js";
import { type ApiFixture, apiFixture, toldError } from "../support/api-fixture.js";
import { projectRoot } from "../support/project-root.js";

const certs = join(projectRoot, "test/support/certs");
const tls = { keyPath: join(certs, "server-key.pem"), certPath: join(certs, "server.pem") };
const ca = readFileSync(join(certs, "authority.pem"));

const maxRequestBytes = 64 * 1024;
const route = { node: "nodes/n1", to: "echo" };

interface Cell {
  readonly protocol: "grpc" | "grpc-web" | "connect";
  readonly codec: "binary" | "json";
  readonly http: "1.1" | "2";
  readonly listener: "tcp" | "tls" | "unix";
}

/** gRPC needs the trailers of HTTP/2; all else goes with all else. */
const cells: readonly Cell[] = (["grpc", "grpc-web", "connect"] as const).flatMap((protocol) =>
  (["binary", "json"] as const).flatMap((codec) =>
    (["1.1", "2"] as const)
      .filter((http) => protocol !== "grpc" || http === "2")
      .flatMap((http) =>
        (["tcp", "tls", "unix"] as const).map((listener) => ({ protocol, codec, http, listener })),
      ),
  ),
);

interface CallOptions {
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly compressed?: boolean;
}

/** A server on all listeners, and a way to call it from each cell. */
async function matrix(t: TestContext) {
  const fixture = await apiFixture(t, { limits: { maxRequestBytes } });
  const { server, directory } = fixture;
  const path = join(directory, "run", "api.sock");
  await server.listenUnix(path);
  const tcp = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  const secure = await server.listenTcp({ host: "127.0.0.1", port: 0, tls });
  const baseUrl = { tcp: `http://${tcp}`, tls: `https://${secure}`, unix: "http://localhost" };

  const transport = (cell: Cell, { token = fixture.token, headers = {}, compressed }: CallOptions = {}) => {
    const { protocol, codec, http, listener } = cell;
    const withHeaders: Interceptor = (next) => (request) => {
      if (listener !== "unix") request.header.set("authorization", `Bearer ${token}`);
      for (const [name, value] of Object.entries(headers)) request.header.set(name, value);
      return next(request);
    };
    const bySocket = http === "2" ? { createConnection: () => net.connect(path) } : { socketPath: path };
    const options = {
      baseUrl: baseUrl[listener],
      httpVersion: http,
      useBinaryFormat: codec === "binary",
      interceptors: [withHeaders],
      acceptCompression: [],
      ...(compressed === true && { sendCompression: compressionGzip, compressMinBytes: 0 }),
      nodeOptions: listener === "unix" ? bySocket : listener === "tls" ? { ca } : {},
    };
    if (protocol === "grpc") return createGrpcTransport(options);
    return protocol === "grpc-web" ? createGrpcWebTransport(options) : createConnectTransport(options);
  };
  return { ...fixture, transport };
}

function send(transport: Transport, payload: Uint8Array, signal?: AbortSignal) {
  return createClient(MessageService, transport).sendMessage({ ...route, payload }, signal && { signal });
}

function nameOf({ protocol, codec, http, listener }: Cell): string {
  return `${protocol} ${codec} HTTP/${http} ${listener}`;
}

/** The engine's next message hangs until its signal ends; resolves with that signal once it has come. */
function hangingSend({ engine }: ApiFixture): Promise<AbortSignal> {
  return new Promise((came) => {
    engine.onSend = (_request, { signal }: WaitOptions) =>
      new Promise<Reply>((_resolve, reject) => {
        assert.ok(signal !== undefined);
        signal.addEventListener("abort", () => reject(signal.reason));
        came(signal);
      });
  });
}

test("the matrix has all thirty combinations", () => {
  assert.equal(new Set(cells.map(nameOf)).size, 30);
});

test("a call is answered on every protocol, codec, HTTP version and listener", async (t) => {
  const { transport, lines } = await matrix(t);
  for (const cell of cells) {
    const payload = Buffer.from(nameOf(cell));
    const answer = await send(transport(cell), payload);
    assert.deepEqual(Buffer.from(answer.payload), payload, nameOf(cell));
  }
  const answered = lines.filter(({ event }) => event === "call.answered");
  assert.equal(answered.length, cells.length, "each call leaves one line");
});

test("an error has its code, its ErrorInfo and its fields in each of them", async (t) => {
  const { transport, lines } = await matrix(t);
  for (const cell of cells) {
    const client = createClient(NodeService, transport(cell));
    const missing = await toldError(client.getNode({ name: "nodes/none" }));
    assert.deepEqual([missing.code, missing.reasons], [Code.NotFound, ["NODE_NOT_FOUND"]], nameOf(cell));
    const wrong = await toldError(client.getNode({ name: "none" }));
    assert.deepEqual(
      [wrong.code, wrong.reasons, wrong.fields],
      [Code.InvalidArgument, ["BAD_ARGUMENT"], ["name"]],
      nameOf(cell),
    );
  }
  assert.equal(lines.filter(({ event }) => event === "call.refused").length, cells.length * 2);
});

test("a deadline that passes ends the call here, and is told, in each of them", async (t) => {
  const api = await matrix(t);
  for (const cell of cells) {
    const came = hangingSend(api);
    // Set by hand: a client that knows of it gives up by itself.
    const headers = cell.protocol === "connect" ? { "connect-timeout-ms": "50" } : { "grpc-timeout": "50m" };
    const error = await toldError(send(api.transport(cell, { headers }), Buffer.from("a")));
    assert.deepEqual([error.code, error.reasons], [Code.DeadlineExceeded, ["TIMED_OUT"]], nameOf(cell));
    // On a machine that is busy it may have passed before the engine was asked.
    const signal = await Promise.race([came, undefined]);
    assert.notEqual(signal?.aborted, false, nameOf(cell));
  }
});

test("a caller that goes away ends its call in each of them", async (t) => {
  const api = await matrix(t);
  for (const cell of cells) {
    const came = hangingSend(api);
    const caller = new AbortController();
    const told = toldError(send(api.transport(cell), Buffer.from("a"), caller.signal));
    const signal = await came;
    const ended = new Promise((resolve) => signal.addEventListener("abort", resolve));
    caller.abort();
    assert.equal((await told).code, Code.Canceled, nameOf(cell));
    await ended;
  }
});

test("a wrong token is refused in each of them but on the Unix socket, which needs none", async (t) => {
  const { transport, engine } = await matrix(t);
  for (const cell of cells) {
    const call = send(transport(cell, { token: "0".repeat(64) }), Buffer.from("a"));
    if (cell.listener === "unix") {
      await call;
      continue;
    }
    engine.onCall = () => assert.fail("the engine was asked");
    const error = await toldError(call);
    assert.deepEqual([error.code, error.reasons], [Code.Unauthenticated, ["UNAUTHENTICATED"]], nameOf(cell));
    engine.onCall = () => {};
  }
});

test("a message above the limit is refused in each of them, and one just below it is not", async (t) => {
  const { transport } = await matrix(t);
  for (const cell of cells) {
    const tooLarge = await toldError(send(transport(cell), Buffer.alloc(maxRequestBytes)));
    assert.deepEqual(
      [tooLarge.code, tooLarge.reasons],
      [Code.ResourceExhausted, ["MESSAGE_TOO_LARGE"]],
      nameOf(cell),
    );
    // JSON has a payload in base64.
    const fits = Math.floor((maxRequestBytes - 200) * (cell.codec === "json" ? 3 / 4 : 1));
    assert.equal((await send(transport(cell), Buffer.alloc(fits))).payload.length, fits, nameOf(cell));
  }
});

test("a compressed message is refused in each of them", async (t) => {
  const { transport, engine } = await matrix(t);
  engine.onCall = () => assert.fail("the engine was asked");
  for (const cell of cells) {
    const error = await toldError(send(transport(cell, { compressed: true }), Buffer.alloc(4096)));
    assert.deepEqual(
      [error.code, error.reasons],
      [Code.Unimplemented, ["UNSUPPORTED"]],
      `${nameOf(cell)}: ${error.message}`,
    );
  }
});
