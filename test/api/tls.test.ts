import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import http2 from "node:http2";
import https from "node:https";
import { join } from "node:path";
import { test } from "node:test";
import tls from "node:tls";
import { Code } from "@connectrpc/connect";
import { SystemService } from "../../gen/portway/v1/system_service_pb.js";
import { apiFixture, clientFor, protocols, toldError, transportFor } from "../support/api-fixture.js";
import { projectRoot } from "../support/project-root.js";
import { RawSocket } from "../support/raw-http.js";

const certs = join(projectRoot, "test/support/certs");
const pem = (name: string): Buffer => readFileSync(join(certs, `${name}.pem`));
const files = { keyPath: join(certs, "server-key.pem"), certPath: join(certs, "server.pem") };
const mutual = { ...files, clientCaPath: join(certs, "authority.pem") };
const trusting = { ca: pem("authority") };

test("every protocol works over TLS with the token, and is refused without", async (t) => {
  const { server, token } = await apiFixture(t);
  const url = `https://${await server.listenTcp({ host: "127.0.0.1", port: 0, tls: files })}`;
  for (const protocol of protocols) {
    const known = transportFor(protocol, url, { token, nodeOptions: trusting });
    assert.equal((await clientFor(SystemService, known).getServerInfo({})).version, "1.2.3", protocol);
    const stranger = transportFor(protocol, url, { nodeOptions: trusting });
    const error = await toldError(clientFor(SystemService, stranger).getServerInfo({}));
    assert.deepEqual([error.code, error.reasons], [Code.Unauthenticated, ["UNAUTHENTICATED"]], protocol);
  }
});

test("a client certificate of the configured authority takes the place of the token", async (t) => {
  const { server, token, lines } = await apiFixture(t);
  const url = `https://${await server.listenTcp({ host: "127.0.0.1", port: 0, tls: mutual })}`;
  const alice = { ...trusting, key: pem("alice-key"), cert: pem("alice") };
  const mallory = { ...trusting, key: pem("mallory-key"), cert: pem("mallory") };
  for (const protocol of protocols) {
    const call = (options: object) =>
      clientFor(SystemService, transportFor(protocol, url, options)).getServerInfo({});
    assert.equal((await call({ nodeOptions: alice })).version, "1.2.3", protocol);
    assert.equal((await call({ nodeOptions: trusting, token })).version, "1.2.3", protocol);
    const unknown = await toldError(call({ nodeOptions: mallory }));
    assert.equal(unknown.code, Code.Unauthenticated, protocol);
    assert.match(unknown.message, /certificate is not accepted/);
    assert.equal((await toldError(call({ nodeOptions: trusting }))).code, Code.Unauthenticated, protocol);
  }
  const principals = lines
    .filter(({ event }) => event === "call.answered")
    .map(({ facts }) => facts["principal"]);
  assert.deepEqual([...new Set(principals)].sort(), ["certificate", "token"]);
});

test("a certificate vouches for nobody where no authority is configured", async (t) => {
  const { server } = await apiFixture(t);
  const url = `https://${await server.listenTcp({ host: "127.0.0.1", port: 0, tls: files })}`;
  const alice = { ...trusting, key: pem("alice-key"), cert: pem("alice") };
  const call = clientFor(SystemService, transportFor("grpc", url, { nodeOptions: alice })).getServerInfo({});
  assert.equal((await toldError(call)).code, Code.Unauthenticated);
});

test("a name that the certificate is for is a host of this daemon", async (t) => {
  const { server, token } = await apiFixture(t);
  const [host, port] = (await server.listenTcp({ host: "127.0.0.1", port: 0, tls: files })).split(":");
  const statusFor = (name: string): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const headers = { host: name, authorization: `Bearer ${token}`, "content-type": "application/json" };
      const path = "/portway.v1.SystemService/GetServerInfo";
      const options = {
        ...trusting,
        host,
        port,
        path,
        method: "POST",
        headers,
        servername: "localhost",
        agent: false,
      };
      const request = https.request(options, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      request.on("error", reject);
      request.end("{}");
    });
  assert.equal(await statusFor("api.example.test"), 200);
  assert.equal(await statusFor("other.example.test"), 403);
});

test("a host that is not loopback needs TLS", async (t) => {
  const { server, token } = await apiFixture(t);
  for (const host of ["0.0.0.0", "::", "192.0.2.1", "relay.example.com"]) {
    await assert.rejects(
      server.listenTcp({ host, port: 0 }),
      { code: "insecure", message: /without TLS/ },
      host,
    );
  }
  const at = await server.listenTcp({ host: "0.0.0.0", port: 0, tls: files });
  const url = `https://127.0.0.1:${at.split(":")[1]}`;
  const transport = transportFor("grpc", url, { token, nodeOptions: trusting });
  assert.equal((await clientFor(SystemService, transport).getServerInfo({})).version, "1.2.3");
});

test("files that are no key and certificate are refused when the listener is made", async (t) => {
  const { server, directory } = await apiFixture(t);
  const at = { host: "127.0.0.1", port: 0 };
  const missing = join(directory, "missing.pem");
  const cases = [
    { ...files, keyPath: missing },
    { ...files, certPath: join(certs, "README.md") },
    { ...files, keyPath: join(certs, "alice-key.pem") },
    { ...files, clientCaPath: join(certs, "README.md") },
  ];
  for (const broken of cases) {
    await assert.rejects(
      server.listenTcp({ ...at, tls: broken }),
      { code: "bad_argument" },
      JSON.stringify(broken),
    );
  }
});

test("a client that goes away ends its calls over TLS too", async (t) => {
  const { server, token, engine } = await apiFixture(t);
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0, tls: files });
  for (const version of ["h2", "http/1.1"]) {
    const started = new Promise<AbortSignal>((resolve) => {
      engine.onSend = (_request, { signal }) => {
        resolve(signal!);
        return new Promise((_, reject) => signal!.addEventListener("abort", () => reject(signal!.reason)));
      };
    });
    const socket = tls.connect({
      host: "127.0.0.1",
      port: Number(at.split(":")[1]),
      ...trusting,
      ALPNProtocols: [version],
    });
    socket.on("error", () => {});
    const path = "/portway.v1.MessageService/SendMessage";
    const body = '{"to":"/service/echo"}';
    if (version === "h2") {
      const session = http2.connect(`https://${at}`, { createConnection: () => socket });
      session.on("error", () => {});
      const headers = { ":method": "POST", ":path": path, "content-type": "application/json" };
      const stream = session.request({ ...headers, authorization: `Bearer ${token}` });
      stream.on("error", () => {});
      stream.end(body);
    } else {
      socket.write(
        `POST ${path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${token}\r\n` +
          `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      );
    }
    const signal = await started;
    socket.destroy();
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve));
  }
  await server.close({ graceMs: 60_000 });
});

test("a handshake that does not come ends its connection, and does not hold up the end of the server", async (t) => {
  const impatient = await apiFixture(t, { limits: { handshakeTimeoutMs: 100 } });
  const silent = new RawSocket(await impatient.server.listenTcp({ host: "127.0.0.1", port: 0, tls: files }));
  await silent.closed();
  const { server, token } = await apiFixture(t, { limits: { handshakeTimeoutMs: 3_600_000 } });
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0, tls: files });
  const lasting = new RawSocket(at);
  // Half a record of TLS.
  lasting.socket.write(Buffer.of(22, 3, 1, 1, 0));
  const known = transportFor("connect json", `https://${at}`, { token, nodeOptions: trusting });
  await clientFor(SystemService, known).getServerInfo({});
  await server.close();
  await lasting.closed();
});

test("old TLS versions and plain HTTP get nothing from a TLS listener", async (t) => {
  const { server } = await apiFixture(t);
  const [host, port] = (await server.listenTcp({ host: "127.0.0.1", port: 0, tls: files })).split(":");
  const failed = await new Promise<Error>((resolve, reject) => {
    const socket = tls.connect({
      host: host!,
      port: Number(port),
      ...trusting,
      minVersion: "TLSv1",
      maxVersion: "TLSv1.1",
    });
    socket.once("secureConnect", () => reject(new Error("TLS 1.1 was spoken")));
    socket.once("error", resolve);
  });
  assert.ok(failed);
  const { RawSocket } = await import("../support/raw-http.js");
  const plain = new RawSocket(`${host}:${port}`);
  plain.socket.write("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n");
  await plain.closed();
  assert.ok(!plain.received.includes("HTTP"));
});
